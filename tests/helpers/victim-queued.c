/* SPDX-License-Identifier: MIT */
/* Victims of many signals, every one of which must come, once, in order, with its value. */
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { QUEUES = 4 };

/* What the handlers have seen; CELL_SIGNALS tells the peer. */
static volatile sig_atomic_t next[QUEUES];
static pid_t sender; /* 0: it begins before the victim knows who it is */

static void on_queued(int sig, siginfo_t *info, void *context)
{
	int i = sig - SIGRTMIN, value = info->si_value.sival_int;

	if (value != next[i])
		anomaly("signal %d: value %d instead of %d", sig, value, (int)next[i]);
	if (info->si_code != SI_QUEUE || (sender && info->si_pid != sender))
		anomaly("signal %d: code %d of process %d", sig, info->si_code, info->si_pid);
	next[i] = value + 1;
	atomic_fetch_add(&shared->cells[CELL_SIGNALS], 1);
}

/* Sends in turn, no more than @arg ahead of what has been handled. */
static void storm_run(void *arg)
{
	const unsigned int ahead = *(unsigned int *)arg;
	int64_t begin;

	for (unsigned int sent = 0;; sent++) {
		union sigval value = { .sival_int = (int)(sent / QUEUES) };

		for (begin = now_ns(); sent - atomic_load(&shared->cells[CELL_SIGNALS]) >= ahead;) {
			nap(10000);
			if (now_ns() - begin > 5000 * MS) {
				anomaly("signals are lost: %u sent", sent);
				_exit(0);
			}
		}
		while (sigqueue(victim_pid, SIGRTMIN + (int)(sent % QUEUES), value) < 0) {
			if (errno != EAGAIN)
				_exit(0);
			nap(MS);
		}
		/* A gust, then a lull in which calls block. */
		if (sent % 64 == 0)
			dawdle(3000);
	}
}

static void storm_begin(int flags)
{
	static unsigned int ahead = 32;

	for (int i = 0; i < QUEUES; i++)
		handle(SIGRTMIN + i, on_queued, flags);
	sender = peer(storm_run, &ahead);
}

/* --- handlers that break sleeps */

static void signals_begin(void *state)
{
	storm_begin(0);
}

static void signals_round(void *state)
{
	unsigned int before = atomic_load(&shared->cells[CELL_SIGNALS]);
	struct timespec ts = { .tv_nsec = 2 * MS };
	int64_t begin = now_ns();

	if (nanosleep(&ts, NULL) == 0)
		took("nanosleep", begin, 2 * MS, LATE);
	else if (errno != EINTR || atomic_load(&shared->cells[CELL_SIGNALS]) == before)
		anomaly("nanosleep: %s, without a signal", strerror(errno));
}

/* --- handlers that ask for restart: the read they interrupt must not show it */

static void restart_begin(void *state)
{
	feed_begin(state, 0);
	storm_begin(SA_RESTART);
}

static void restart_round(void *state)
{
	struct feed *f = state;
	uint8_t byte;

	feed_take(f, "read with SA_RESTART", read(f->fd, &byte, 1), &byte);
}

/* --- sigtimedwait */

struct waited {
	sigset_t set;
	unsigned int turn;
	int next;
};

static void queue_run(void *arg)
{
	for (union sigval value = { .sival_int = 0 };; value.sival_int++) {
		dawdle(6000);
		if (sigqueue(victim_pid, SIGRTMIN, value) < 0)
			_exit(0);
	}
}

static void sigtimedwait_begin(void *state)
{
	struct waited *s = state;

	sigemptyset(&s->set);
	sigaddset(&s->set, SIGRTMIN);
	must(sigprocmask(SIG_BLOCK, &s->set, NULL), "sigprocmask");
	sender = peer(queue_run, NULL);
}

static void sigtimedwait_round(void *state)
{
	struct waited *s = state;
	const struct timespec timeout = { .tv_nsec = 4 * MS };
	bool timed = s->turn++ % 2;
	int64_t begin = now_ns();
	siginfo_t info;
	int r = timed ? sigtimedwait(&s->set, &info, &timeout) : sigwaitinfo(&s->set, &info);

	if (r < 0 && errno == EINTR) {
		eintr();
	} else if (r < 0 && errno == EAGAIN && timed) {
		took("sigtimedwait", begin, 4 * MS, ANEW);
	} else if (r != SIGRTMIN) {
		anomaly("sigtimedwait returned %d (%s)", r, r < 0 ? strerror(errno) : "");
	} else {
		if (info.si_value.sival_int != s->next)
			anomaly("sigtimedwait: signal %d instead of %d", info.si_value.sival_int,
				s->next);
		s->next = info.si_value.sival_int + 1;
	}
}

/* --- faults and traps that the program handles itself, as runtimes of languages do */

static volatile sig_atomic_t traps, faults;
static char *barrier;

static void on_trap(int sig, siginfo_t *info, void *context)
{
#ifdef __aarch64__
	((ucontext_t *)context)->uc_mcontext.pc += 4;
#endif
	traps++;
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	if (info->si_addr != barrier)
		anomaly("fault at %p instead of %p", info->si_addr, (void *)barrier);
	faults++;
	if (mprotect(barrier, 4096, PROT_READ | PROT_WRITE) < 0)
		anomaly("mprotect: %s", strerror(errno));
}

static void faults_begin(void *state)
{
	barrier = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(barrier == MAP_FAILED ? -1 : 0, "mmap");
	handle(SIGTRAP, on_trap, 0);
	handle(SIGSEGV, on_fault, 0);
}

static void trap(void)
{
#ifdef __aarch64__
	__asm__ volatile("brk 0" : : : "memory");
#else
	__asm__ volatile("int3" : : : "memory");
#endif
}

static void faults_round(void *state)
{
	for (int i = 0; i < 200; i++) {
		int before = traps;

		trap();
		if (traps != before + 1)
			anomaly("%d traps instead of 1", traps - before);
		before = faults;
		if (mprotect(barrier, 4096, PROT_NONE) < 0)
			anomaly("mprotect: %s", strerror(errno));
		*(volatile char *)barrier = (char)i;
		if (faults != before + 1)
			anomaly("%d faults instead of 1", faults - before);
	}
}

const struct kind kinds_queued[] = {
	{ "signals", 0, signals_begin, signals_round, NULL },
	{ "restart", sizeof(struct feed), restart_begin, restart_round, NULL },
	{ "sigtimedwait", sizeof(struct waited), sigtimedwait_begin, sigtimedwait_round, NULL },
	{ "faults", 0, faults_begin, faults_round, NULL },
	{ 0 },
};
