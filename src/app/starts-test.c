/* SPDX-License-Identifier: MIT */
/* Whether the gate works here is found out with a program of our own: this one. */
#include "app/starts-test.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include "app/starts-events.h"
#include "app/starts-pool.h"
#include "sys/paths.h"
#include "sys/thp-flag.h"

#define EXIT_BASE 40
#define LIMIT_MS 500
#define EARLY_NS (2 * STARTS_NS_PER_MS)
#define TRIES 3 /* on a busy machine one may be answered too early */

/** starts_test_child() - what the program does when it is the one to be caught; an exit status */
int starts_test_child(void)
{
	return EXIT_BASE + thp_flag_get();
}

static void sleep_ms(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
}

/*
 * Until the end of its exec it would have a copy of the group that it waits for: if we were killed,
 * that would never be closed.
 */
static pid_t start(const struct starts *s)
{
	char name[] = "thpd-starts", option[] = STARTS_TEST_OPTION;
	char *const argv[] = { name, option, NULL }, *const envp[] = { NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	if (posix_spawn_file_actions_addclose(&actions, s->groups[EXEC_GATE]) != 0 ||
	    posix_spawn(&pid, PATH_PROC "/self/exe", &actions, NULL, argv, envp) != 0)
		pid = -1;
	(void)posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* What the threads say of it: whether it was caught before it ran. */
static bool was_caught(struct starts *s, bool *ret_early)
{
	struct slot *slot = NULL;
	bool caught;

	for (int ms = 0; ms < LIMIT_MS && !(slot = starts_pool_ended(s)); ms++)
		sleep_ms();
	if (!slot)
		return false;
	*ret_early = !slot->job.waited;
	caught = slot->mode == EXEC_GATE && slot->job.answer.result == INJECT_OK && !slot->job.late;
	while (!starts_pool_release(slot))
		sleep_ms();
	return caught;
}

/*
 * Waits for its end. Not before it was let go: its parent would see the stops that one of our other
 * threads is waiting for (wait_consider_task(), kernel/exit.c). Returns what it says, or negative.
 */
static int end(pid_t pid)
{
	int status = 0;

	for (int ms = 0; ms < LIMIT_MS; ms++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) - EXIT_BASE : -1;
		sleep_ms();
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return -1;
}

static enum starts_gate try_gate(struct starts *s, struct starts_table *t, int flag,
				 bool *ret_early)
{
	enum starts_gate r;
	pid_t pid;

	starts_events_publish(s, t);
	starts_pool_fill(s);
	/* Threads are not ready the moment they are made. */
	for (int ms = 0; ms < LIMIT_MS && !starts_pool_take(s); ms++)
		sleep_ms();
	pid = start(s);
	r = pid < 0 || !was_caught(s, ret_early) ? STARTS_GATE_TRACE : STARTS_GATE_OK;
	if (pid > 0 && end(pid) != flag && r == STARTS_GATE_OK)
		r = STARTS_GATE_FLAG;
	starts_events_publish(s, NULL);
	return r;
}

/**
 * starts_test() - tries the gate
 * @s: without a table; the thread that reads events has begun
 *
 * Return: what there is to be said of it.
 */
enum starts_gate starts_test(struct starts *s)
{
	const int flag = thp_flag_get() == THP_FLAG_CLEAR ? THP_FLAG_DISABLE : THP_FLAG_CLEAR;
	struct starts_table *t = s->groups[EXEC_GATE] >= 0 ? starts_table_new() : NULL;
	struct starts_prog *p = t ? starts_table_add(t, "/", "") : NULL;
	enum starts_gate r = STARTS_GATE_KERNEL;
	bool early = false;

	if (p && exec_watch_mark_self(s->groups[EXEC_GATE], EXEC_GATE, &p->file) == 0) {
		p->flag = flag;
		p->wanted = p->mode = EXEC_GATE;
		if (starts_table_sort(t) == 0)
			for (int tries = 0; tries < TRIES && (r != STARTS_GATE_OK || early);
			     tries++)
				r = try_gate(s, t, flag, &early);
		(void)exec_watch_unmark_self(s->groups[EXEC_GATE], EXEC_GATE);
	}
	/*
	 * Where a process cannot be seized while it waits, it has to wait only until that is being
	 * tried: Linux before 6.8, see inject-catch.c.
	 */
	if (early && s->bound_ns > EARLY_NS)
		__atomic_store_n(&s->bound_ns, EARLY_NS, __ATOMIC_RELAXED);
	starts_table_free(t);
	return r;
}
