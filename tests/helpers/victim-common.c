/* SPDX-License-Identifier: MIT */
/* What the kinds of victims share: reporting, time, peers, feeds. */
#include "victim.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* For peers: getppid() is another one as soon as the victim has ended. */
pid_t victim_pid;

void anomaly(const char *fmt, ...)
{
	int saved = errno;
	unsigned int i = atomic_fetch_add(&shared->anomalies, 1);
	va_list ap;

	if (i < MESSAGES) {
		va_start(ap, fmt);
		(void)vsnprintf(shared->messages[i], sizeof(shared->messages[i]), fmt, ap);
		va_end(ap);
	}
	errno = saved;
}

/* A call that the kernel does not restart after a stop has returned EINTR. */
void eintr(void)
{
	atomic_fetch_add(&shared->eintr, 1);
}

/* For what must succeed before a victim can work at all. */
long must(long r, const char *what)
{
	if (r < 0) {
		perror(what);
		_exit(2);
	}
	return r;
}

void skip_kind(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	_exit(EXIT_SKIP);
}

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* A call that began at @begin may not have taken less than @wanted, nor much more. */
void took(const char *what, int64_t begin, int64_t wanted, int64_t late)
{
	int64_t ns = now_ns() - begin;

	if (ns < wanted || (late && ns > wanted + late))
		anomaly("%s took %lld us instead of %lld", what, (long long)ns / 1000,
			(long long)wanted / 1000);
}

/* For peers, and where it is not the sleep that is tested. */
void nap(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / (1000 * MS), .tv_nsec = ns % (1000 * MS) };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* A peer's pause of unforeseeable length: now the victim blocks, now it does not. */
void dawdle(unsigned int max_us)
{
	static __thread unsigned int seed;

	if (!seed)
		seed = (unsigned int)getpid();
	nap((int64_t)(rand_r(&seed) % max_us) * 1000);
}

/*
 * Two dozen threads share the processors with those of other victims, and some never sleep: a sleep of
 * 400 ms was seen to take three seconds with eight such victims on two processors and nobody near them.
 */
bool crowd;

/* Peers are not to end with the thread that has made them. The monitor ends them in any case. */
bool peers_stay;

/* Starts a process that works against the victim until all is over. */
pid_t peer(void (*run)(void *), void *arg)
{
	pid_t pid;

	victim_pid = getpid();
	pid = (pid_t)must(fork(), "fork");
	if (pid == 0) {
		if (!peers_stay)
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(arg);
		_exit(0);
	}
	return pid;
}

void thread(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t id;

	if (pthread_attr_init(&attr) || pthread_attr_setstacksize(&attr, 256 * 1024) ||
	    pthread_create(&id, &attr, run, arg) || pthread_detach(id))
		must(-1, "pthread_create");
	(void)pthread_attr_destroy(&attr);
}

/* @fds: [0] to read from, [1] to write to; a pipe for AF_UNSPEC. */
void make_pair(int fds[2], int family)
{
	if (family == AF_UNSPEC)
		must(pipe2(fds, O_CLOEXEC), "pipe2");
	else
		must(socketpair(family, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), "socketpair");
}

void handle(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	must(sigaction(sig, &sa, NULL), "sigaction");
}

/* Until a process sleeps in a call that a signal may break. */
void wait_asleep(pid_t pid)
{
	char path[32], buf[512];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC), path);
		ssize_t n = must(read(fd, buf, sizeof(buf) - 1), path);
		char *p;

		close(fd);
		buf[n] = '\0';
		p = strrchr(buf, ')');
		if (p && p[2] == 'S')
			return;
		nap(20000);
	}
}

static void feed_run(void *arg)
{
	struct feed *f = arg;

	for (uint8_t i = 0;; i++) {
		dawdle(f->max_us);
		if (write(f->peer_fd, &i, 1) != 1)
			_exit(0);
	}
}

void feed_begin(struct feed *f, int family)
{
	int fds[2];

	make_pair(fds, family);
	f->fd = fds[0];
	f->peer_fd = fds[1];
	if (!f->max_us)
		f->max_us = 4000;
	peer(feed_run, f);
	close(f->peer_fd);
}

/* What a read of one byte has returned: it is the next one in order, or something is wrong. */
void feed_take(struct feed *f, const char *what, ssize_t r, const uint8_t *byte)
{
	if (r != 1) {
		anomaly("%s returned %zd (%s)", what, r, r < 0 ? strerror(errno) : "short");
	} else if (*byte != f->next) {
		anomaly("%s: got byte %u instead of %u", what, *byte, f->next);
		f->next = (uint8_t)(*byte + 1);
	} else {
		f->next++;
	}
}
