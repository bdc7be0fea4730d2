/* SPDX-License-Identifier: MIT */
/* Victims that wait for time, a word in memory, or descriptors. */
#include "victim.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* --- nanosleep, also absolute, also broken by a signal with the remaining time told */

struct sleeper {
	timer_t timer;
	unsigned int turn;
};

static void on_alarm(int sig, siginfo_t *info, void *context)
{
}

static void nanosleep_begin(void *state)
{
	struct sleeper *s = state;
	/* To this very thread: the others of a process are not to be broken. */
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };

	ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	handle(SIGALRM, on_alarm, 0);
	must(timer_create(CLOCK_MONOTONIC, &ev, &s->timer), "timer_create");
}

static void sleep_broken(struct sleeper *s)
{
	const struct itimerspec after = { .it_value.tv_nsec = 10 * MS };
	const struct itimerspec never = { 0 };
	struct timespec ts = { .tv_nsec = 400 * MS }, rest = { 0 };
	int64_t begin = now_ns(), sum;
	int r;

	must(timer_settime(s->timer, 0, &after, NULL), "timer_settime");
	r = nanosleep(&ts, &rest);
	if (r == 0) {
		/* Should it have come too early, on a busy machine, the sleep is a whole one. */
		took("nanosleep", begin, 400 * MS, LATE);
	} else if (r != -1 || errno != EINTR) {
		anomaly("nanosleep, broken by an alarm, returned %d (%s)", r, strerror(errno));
	} else {
		sum = now_ns() - begin + rest.tv_sec * 1000 * MS + rest.tv_nsec;
		if (sum < 400 * MS || sum > 400 * MS + LATE)
			anomaly("nanosleep: %lld us passed and remaining, of 400000",
				(long long)sum / 1000);
	}
	must(timer_settime(s->timer, 0, &never, NULL), "timer_settime");
}

static void nanosleep_round(void *state)
{
	struct sleeper *s = state;
	struct timespec ts = { .tv_nsec = 20 * MS };
	int64_t begin = now_ns();
	int r;

	switch (s->turn++ % 3) {
	case 0:
		if (nanosleep(&ts, NULL) < 0)
			anomaly("nanosleep: %s", strerror(errno));
		took("nanosleep", begin, 20 * MS, LATE);
		break;
	case 1:
		begin += 20 * MS;
		ts.tv_sec = begin / (1000 * MS);
		ts.tv_nsec = begin % (1000 * MS);
		r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		if (r)
			anomaly("clock_nanosleep: %s", strerror(r));
		took("clock_nanosleep", begin, 0, LATE);
		break;
	default:
		sleep_broken(s);
	}
}

/* --- futex: with a timeout that passes, and woken by another thread */

struct futex {
	atomic_uint word, waking;
	unsigned int turn;
};

static long futex(atomic_uint *word, int op, unsigned int value, const struct kernel_time *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void *futex_waker(void *arg)
{
	struct futex *s = arg;

	for (;;) {
		dawdle(4000);
		atomic_store(&s->waking, 1);
		atomic_fetch_add(&s->word, 1);
		if (futex(&s->word, FUTEX_WAKE_PRIVATE, 1, NULL) < 0)
			anomaly("FUTEX_WAKE: %s", strerror(errno));
		atomic_store(&s->waking, 0);
	}
	return NULL;
}

static void futex_begin(void *state)
{
	thread(futex_waker, state);
}

static void futex_round(void *state)
{
	struct futex *s = state;
	static atomic_uint alone; /* nobody wakes who waits for this one */
	const struct kernel_time passes = { .ns = 10 * MS }, long_enough = { .s = 60 };
	int64_t begin = now_ns();
	unsigned int seen;

	/* Who has changed the word already may wake a waiter that comes only afterwards. */
	do {
		seen = atomic_load(&s->word);
	} while (atomic_load(&s->waking));
	switch (s->turn++ % 3) {
	case 0:
		if (futex(&alone, FUTEX_WAIT_PRIVATE, 0, &passes) == 0 || errno != ETIMEDOUT)
			anomaly("FUTEX_WAIT, nobody waking: %s", strerror(errno));
		took("FUTEX_WAIT", begin, 10 * MS, LATE);
		break;
	case 1:
		if (futex(&s->word, FUTEX_WAIT_PRIVATE, seen, NULL) < 0 && errno != EAGAIN)
			anomaly("FUTEX_WAIT: %s", strerror(errno));
		else if (atomic_load(&s->word) == seen)
			anomaly("FUTEX_WAIT returned, and nobody had woken it");
		break;
	default:
		if (futex(&s->word, FUTEX_WAIT_PRIVATE, seen, &long_enough) < 0 && errno != EAGAIN)
			anomaly("FUTEX_WAIT with timeout: %s", strerror(errno));
		else if (atomic_load(&s->word) == seen)
			anomaly("FUTEX_WAIT with timeout returned, and nobody had woken it");
	}
}

/* --- epoll, poll, select: bytes from a peer, and timeouts */

struct waiter {
	struct feed feed;
	int epoll;
	unsigned int turn;
};

static void waiter_begin(void *state)
{
	struct waiter *s = state;
	struct epoll_event ev = { .events = EPOLLIN };

	s->feed.max_us = 8000;
	feed_begin(&s->feed, 0);
	must(fcntl(s->feed.fd, F_SETFL, O_NONBLOCK), "fcntl");
	s->epoll = (int)must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	must(epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->feed.fd, &ev), "epoll_ctl");
}

/* A call has returned @r: 1 with a byte at hand, 0 after the timeout in ms. */
static void waited(struct waiter *s, const char *what, int r, int64_t begin, int timeout,
		   int64_t late)
{
	uint8_t byte;
	ssize_t n;

	if (r < 0) {
		anomaly("%s: %s", what, strerror(errno));
	} else if (r == 0 && timeout < 0) {
		anomaly("%s without timeout returned 0", what);
	} else if (r == 0) {
		took(what, begin, timeout * MS, late);
	} else {
		n = read(s->feed.fd, &byte, 1);
		feed_take(&s->feed, what, n, &byte);
	}
}

static int turn_timeout(struct waiter *s)
{
	static const int timeouts[] = { 4, -1, 1000 };

	return timeouts[s->turn++ % 3];
}

static void epoll_round(void *state)
{
	struct waiter *s = state;
	int timeout = turn_timeout(s), r;
	struct epoll_event ev;
	int64_t begin = now_ns();
	sigset_t none;

	sigemptyset(&none);
	if (s->turn / 3 % 2)
		r = epoll_wait(s->epoll, &ev, 1, timeout);
	else
		r = epoll_pwait(s->epoll, &ev, 1, timeout, &none);
	if (r < 0 && errno == EINTR)
		eintr();
	else
		waited(s, "epoll_wait", r, begin, timeout, ANEW);
}

static void poll_round(void *state)
{
	struct waiter *s = state;
	int timeout = turn_timeout(s);
	struct pollfd pfd = { .fd = s->feed.fd, .events = POLLIN };
	int64_t begin = now_ns();

	waited(s, "poll", poll(&pfd, 1, timeout), begin, timeout, LATE);
}

static void select_round(void *state)
{
	struct waiter *s = state;
	int timeout = turn_timeout(s);
	struct timeval tv = { .tv_usec = timeout % 1000 * 1000, .tv_sec = timeout / 1000 };
	int64_t begin = now_ns();
	fd_set set;
	int r;

	FD_ZERO(&set);
	FD_SET(s->feed.fd, &set);
	r = select(s->feed.fd + 1, &set, NULL, NULL, timeout < 0 ? NULL : &tv);
	waited(s, "select", r, begin, timeout, LATE);
}

/*
 * The kernel cannot write the remaining time to where it may not write, and so does not restart the
 * call: poll_select_finish() in fs/select.c.
 */
static void pollro_round(void *state)
{
	static const struct kernel_time timeout = { .ns = 4 * MS };
	struct waiter *s = state;
	struct pollfd pfd = { .fd = s->feed.fd, .events = POLLIN };
	int64_t begin = now_ns();
	long r = syscall(SYS_ppoll, &pfd, 1, &timeout, NULL, 0);

	if (r < 0 && errno == EINTR)
		eintr();
	else
		waited(s, "ppoll with a constant timeout", (int)r, begin, 4, ANEW);
}

/* --- ppoll with a mask: a peer's signals are let in by the call alone */

static volatile sig_atomic_t usr1;

static void on_usr1(int sig, siginfo_t *info, void *context)
{
	usr1++;
}

static void ppoll_signals(void *arg)
{
	for (;;) {
		dawdle(6000);
		if (kill(victim_pid, SIGUSR1) < 0)
			_exit(0);
	}
}

static void ppoll_begin(void *state)
{
	sigset_t set;

	handle(SIGUSR1, on_usr1, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	must(sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
	waiter_begin(state);
	peer(ppoll_signals, NULL);
}

static void ppoll_round(void *state)
{
	struct waiter *s = state;
	int timeout = turn_timeout(s), r, before = usr1;
	struct pollfd pfd = { .fd = s->feed.fd, .events = POLLIN };
	struct timespec ts = { .tv_nsec = timeout % 1000 * MS, .tv_sec = timeout / 1000 };
	int64_t begin = now_ns();
	sigset_t mask;

	sigemptyset(&mask);
	r = ppoll(&pfd, 1, timeout < 0 ? NULL : &ts, &mask);
	/* A signal that comes last may be handled on the way out of a call that has succeeded. */
	if (r < 0 && errno == EINTR && usr1 == before)
		anomaly("ppoll was broken without a signal");
	else if (r >= 0 || errno != EINTR)
		waited(s, "ppoll", r, begin, timeout, LATE);
	if (sigprocmask(SIG_BLOCK, NULL, &mask) < 0 || !sigismember(&mask, SIGUSR1))
		anomaly("ppoll has left another signal mask");
}

const struct kind kinds_wait[] = {
	{ "nanosleep", sizeof(struct sleeper), nanosleep_begin, nanosleep_round, NULL },
	{ "futex", sizeof(struct futex), futex_begin, futex_round, NULL },
	{ "epoll", sizeof(struct waiter), waiter_begin, epoll_round, NULL },
	{ "poll", sizeof(struct waiter), waiter_begin, poll_round, NULL },
	{ "select", sizeof(struct waiter), waiter_begin, select_round, NULL },
	{ "poll-readonly", sizeof(struct waiter), waiter_begin, pollro_round, NULL },
	{ "ppoll", sizeof(struct waiter), ppoll_begin, ppoll_round, NULL },
	{ 0 },
};
