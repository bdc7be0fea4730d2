/* SPDX-License-Identifier: MIT */
/*
 * bus-list [-s SOCKET] PATTERN...: says what units start, and every change of it, a line each, with
 * the time in milliseconds, CLOCK_MONOTONIC. SIGUSR1 prints what it has cost, SIGTERM ends it.
 *
 *	12.345 state connected 0
 *	12.345 programs 3
 *	12.345 + a.service|system.slice|/bin/a|/usr/bin/a|root|-
 */
#include <signal.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "base/arena.h"
#include "sys/bus.h"

struct list {
	struct bus *bus;
	struct arena arena;
	ARRAY(const char *) lines;
};

static double now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void say(void)
{
	printf("%.3f ", now_ms());
}

static void on_state(enum bus_state state, int error, void *data)
{
	static const char *const words[] = { "unused", "no-systemd", "lost", "connected" };

	say();
	printf("state %s %d\n", words[state], -error);
}

static bool had(const struct list *l, const char *line)
{
	for (size_t i = 0; i < l->lines.n; i++)
		if (streq(l->lines.items[i], line))
			return true;
	return false;
}

static const char *or_dash(const char *s)
{
	return s ? *s ? s : "?" : "-";
}

static void on_programs(void *data)
{
	struct list *l = data, new = { 0 };
	const struct unit_program *p;
	const char **slot;
	size_t n;

	if (bus_programs(l->bus, &p, &n) < 0)
		exit(1);
	say();
	printf("programs %zu\n", n);
	for (size_t i = 0; i < n; i++) {
		slot = array_add(&new.arena, &new.lines);
		*slot = arena_printf(&new.arena, "%s|%s|%s|%s|%s|%s", p[i].unit, p[i].slice,
				     p[i].called, or_dash(p[i].path),
				     p[i].user ? or_dash(p[i].user) : "root", or_dash(p[i].thp));
		if (had(l, *slot))
			continue;
		say();
		printf("+ %s\n", *slot);
	}
	array_foreach(slot, &l->lines)
		if (!had(&new, *slot)) {
			say();
			printf("- %s\n", *slot);
		}
	arena_free(&l->arena);
	l->arena = new.arena;
	l->lines.items = new.lines.items;
	l->lines.n = new.lines.n;
	l->lines.cap = new.lines.cap;
}

static int on_usr1(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
	struct list *l = data;
	struct bus_stats st;

	bus_stats(l->bus, &st);
	say();
	printf("stats connects %llu calls %llu answers %llu signals %llu lists %llu asked %llu\n",
	       (unsigned long long)st.connects, (unsigned long long)st.calls,
	       (unsigned long long)st.answers, (unsigned long long)st.signals,
	       (unsigned long long)st.lists, (unsigned long long)st.asked);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct bus_callbacks callbacks = { on_state, on_programs };
	const char *socket = NULL;
	struct list l = { 0 };
	sd_event *event = NULL;
	sigset_t mask;
	int r;

	if (argc > 2 && streq(argv[1], "-s")) {
		socket = argv[2];
		argv += 2;
		argc -= 2;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGUSR1);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	r = sd_event_new(&event);
	if (r >= 0)
		r = bus_open(event, &ROOT_LIVE, socket, &callbacks, &l, &l.bus);
	if (r >= 0)
		r = bus_want(l.bus, (const char *const *)argv + 1, (size_t)argc - 1);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGUSR1, on_usr1, &l);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_loop(event);
	bus_close(l.bus);
	arena_free(&l.arena);
	sd_event_unref(event);
	return r < 0 ? 1 : 0;
}
