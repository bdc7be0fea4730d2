/* SPDX-License-Identifier: MIT */
/*
 * Sets the THP flag of services as they start. Small, privileged, and on its own: what it is to do
 * comes as a table over a socket, and it goes on doing so when nobody is at the other end.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "app/seqpacket.h"
#include "app/starts-control.h"
#include "app/starts-events.h"
#include "app/starts-guard.h"
#include "app/starts-pool.h"
#include "app/starts-test.h"
#include "base/parse.h"
#include "config.h"

static const char usage[] =
	"Usage: thpd-starts [--fd=N | --listen=PATH] [--bound=MS] [--give-way]\n"
	"Sets the THP flag of services as they start; thpd(8) tells it which.\n\n"
	"  --fd=N         socket to be used, listening or connected; default: the service\n"
	"                 manager's\n"
	"  --listen=PATH  socket to be made\n"
	"  --bound=MS     how long the start of a program may wait, default 10\n"
	"  --give-way     end when the program was replaced, or thpd is of another version,\n"
	"                 and thpd connects: the service manager then starts what is there\n";

struct options {
	int fd;
	const char *listen;
	uint64_t bound_ms;
	bool give_way;
};

static int fail(const char *what, int r)
{
	(void)fprintf(stderr, "thpd-starts: %s: %s\n", what, strerror(-r));
	return 1;
}

/* Returns 0, or an exit status with a sign. */
static int parse(int argc, char **argv, struct options *ret)
{
	for (int i = 1; i < argc; i++) {
		const char *value;
		uint64_t n = 0;

		if ((value = startswith(argv[i], "--fd=")) && parse_uint(value, 1023, &n) == 0) {
			ret->fd = (int)n;
		} else if ((value = startswith(argv[i], "--listen=")) && *value) {
			ret->listen = value;
		} else if ((value = startswith(argv[i], "--bound=")) &&
			   parse_uint(value, 60000, &n) == 0 && n > 0) {
			ret->bound_ms = n;
		} else if (streq(argv[i], "--give-way")) {
			ret->give_way = true;
		} else if (streq(argv[i], "--help")) {
			(void)fputs(usage, stdout);
			return 1;
		} else if (streq(argv[i], "--version")) {
			(void)puts("thpd-starts " PACKAGE_VERSION);
			return 1;
		} else {
			(void)fprintf(stderr, "thpd-starts: %s: not understood\n%s", argv[i],
				      usage);
			return -2;
		}
	}
	return 0;
}

static int open_socket(const struct options *o, struct control *c)
{
	int fd = o->fd >= 0 ? o->fd :
		 o->listen  ? seqpacket_listen(o->listen, 0) :
			      seqpacket_passed(),
	    listens = 0;
	socklen_t size = sizeof(listens);

	if (fd < 0)
		return fd;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	c->listener = listens ? fd : -1;
	c->client = listens ? -1 : fd;
	return 0;
}

/* Opens what is needed, in the process that stays. */
static int prepare(struct starts *s)
{
	int r;

	s->state.unguarded = starts_guard_protect();
	r = inject_catch_init();
	if (r < 0)
		return r;
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake < 0)
		return -errno;
	s->groups[EXEC_WATCH] = exec_watch_open(EXEC_WATCH);
	if (s->groups[EXEC_WATCH] < 0)
		return s->groups[EXEC_WATCH];
	s->groups[EXEC_GATE] = exec_watch_open(EXEC_GATE);
	starts_pool_init(s);
	return starts_events_begin(s);
}

int main(int argc, char **argv)
{
	static struct starts starts;
	struct options o = { .fd = -1, .bound_ms = 10 };
	struct control control = { .starts = &starts, .watch = PATH_WATCH_NONE };
	int r;

	if (argc == 2 && streq(argv[1], STARTS_TEST_OPTION))
		return starts_test_child();
	r = parse(argc, argv, &o);
	if (r != 0)
		return r < 0 ? -r : 0;
	if (!starts_guard_capable())
		return fail("capabilities to trace and to watch", -EPERM);
	r = open_socket(&o, &control);
	if (r < 0)
		return fail("no socket", r);
	control.gives_way = o.give_way;
	/* Where it is not known, it is never replaced. */
	(void)self_find(&control.self);
	starts.bound_ns = o.bound_ms * STARTS_NS_PER_MS;
	r = starts_guard_fork();
	if (r < 0)
		return fail("cannot fork", r);
	/* The allocator's pools for each thread would be locked into memory, too. */
	(void)mallopt(M_ARENA_MAX, 1);
	r = prepare(&starts);
	if (r < 0)
		return fail("cannot watch programs", r);
	starts.state.gate = starts_test(&starts);
	r = starts_control_run(&control);
	return r < 0 ? fail("ended", r) : 0;
}
