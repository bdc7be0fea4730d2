/* SPDX-License-Identifier: MIT */
/* Victims of many threads, each of which does what another kind does; with a leader, or without. */
#include "victim.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* None of these handles signals meant for the whole process. */
static const char *const members[] = {
	"nanosleep",  "futex",	"epoll", "poll",  "select",    "pipe",	   "recv",    "recvtimeo",
	"semtimedop", "msgrcv", "mq",	 "flock", "accept",    "timerfd",  "eventfd", "sendto",
	"fork",	      "vfork",	"spin",	 "vdso",  "registers", "io_uring", "connect", "wait4",
};

enum { MEMBERS = sizeof(members) / sizeof(*members) };

_Static_assert(MEMBERS + 1 <= SLOTS, "a slot for each, and one for the leader");

static struct member {
	const struct kind *kind;
	void *state;
	unsigned int slot;
} all[MEMBERS];

static atomic_uint running;

static void *member_run(void *arg)
{
	struct member *m = arg;

	kind_loop(m->kind, m->state, m->slot);
	/* There are threads that never end. */
	if (atomic_fetch_sub(&running, 1) == 1)
		_exit(0);
	return NULL;
}

/* Whatever has peers forks them before there are threads. */
static void start(unsigned int first_slot)
{
	crowd = true;
	for (unsigned int i = 0; i < MEMBERS; i++) {
		struct member *m = &all[i];

		m->kind = kind_find(members[i]);
		m->slot = first_slot + i;
		m->state = calloc(1, m->kind->size + 1);
		must(m->state ? 0 : -1, "calloc");
		if (m->kind->begin)
			m->kind->begin(m->state);
	}
	atomic_store(&running, MEMBERS);
	for (unsigned int i = 0; i < MEMBERS; i++)
		thread(member_run, &all[i]);
}

static void threads_begin(void *state)
{
	start(1);
	atomic_store(&shared->slots, MEMBERS + 1);
}

static void threads_round(void *state)
{
	int64_t begin = now_ns();

	nap(20 * MS);
	took("the leader's sleep", begin, 20 * MS, LATE);
}

/* The last member ends the process. */
static void threads_end(void *state)
{
	for (;;)
		nap(1000 * MS);
}

static void deadleader_begin(void *state)
{
	peers_stay = true;
	start(0);
	atomic_store(&shared->slots, MEMBERS);
	atomic_store(&shared->pid, getpid());
	pthread_exit(NULL);
}

static void deadleader_round(void *state)
{
}

const struct kind kinds_threads[] = {
	{ "threads", 0, threads_begin, threads_round, threads_end },
	{ "deadleader", 0, deadleader_begin, deadleader_round, NULL },
	{ 0 },
};
