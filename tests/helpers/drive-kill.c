/* SPDX-License-Identifier: MIT */
/* The end of the injector at any moment: by SIGKILL from outside, or at a named point. */
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* How soon after its tracer has ended a process must be free. */
#define RELEASE_LIMIT_US 1000000

#define FREEZE_US 150000

/* Shared with the process that floods. */
struct flood {
	atomic_int stop;
	atomic_uint calls, unfinished;
};

static void flood_run(const struct target *t, struct flood *f)
{
	for (unsigned int i = 0; !atomic_load(&f->stop); i++) {
		struct inject_answer a;

		atomic_fetch_add(&f->calls, 1);
		a = ask(t, INJECT_SET, flag_of(i), INJECT_AT_NONE);
		if (a.result == INJECT_UNFINISHED)
			atomic_fetch_add(&f->unfinished, 1);
	}
	_exit(0);
}

static int number_in(const char *path, const char *after, int skip)
{
	char buf[512];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	const char *p = NULL;

	if (fd >= 0)
		close(fd);
	if (n > 0) {
		buf[n] = '\0';
		p = strrchr(buf, after[0]);
	}
	return p && strlen(p) > (size_t)skip ? atoi(p + skip) : -1;
}

/*
 * A child of @parent as a descriptor, or -1. It is looked for among the processes and threads made
 * since then (the last number in loadavg), for to read all of /proc takes longer than it lives.
 */
static int find_child(pid_t parent)
{
	int last = number_in("/proc/loadavg", " ", 1);
	char path[64];

	for (int pid = last; pid > parent && pid > last - 512; pid--) {
		int fd;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		if (number_in(path, ")", 4) != parent)
			continue;
		/* Only now is it known that the descriptor is that of a child. */
		fd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (fd >= 0 && number_in(path, ")", 4) == parent)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static void spin_us(int64_t us)
{
	for (int64_t until = now_us() + us; now_us() < until;)
		;
}

/* With @freeze it is stopped for longer than it has patience, as if the machine were busy. */
static bool kill_tracer(pid_t parent, bool freeze)
{
	const int64_t begin = now_us();
	int fd = -1;

	while (fd < 0 && now_us() - begin < 500000)
		fd = find_child(parent);
	if (fd < 0)
		return false;
	spin_us(random_below(150));
	(void)syscall(SYS_pidfd_send_signal, fd, freeze ? SIGSTOP : SIGKILL, NULL, 0);
	if (freeze) {
		pause_us(FREEZE_US);
		(void)syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
	}
	close(fd);
	return true;
}

/*
 * Whether the target is free soon, can be set as if nothing had been, and lives. A tracer whose
 * caller was killed first finishes what it was asked for: until then it may be in the way, or
 * overwrite what is set here.
 */
static bool recovers(const struct target *t, enum thp_flag flag, bool *ret_full)
{
	const int64_t begin = now_us();
	struct inject_answer a;

	while (status_field(t->pid, "\nTracerPid:") > 0)
		if (now_us() - begin > RELEASE_LIMIT_US) {
			fprintf(stderr, "still traced %d us after the end of the tracer\n",
				RELEASE_LIMIT_US);
			return false;
		}
	while (!set_now(t, flag, &a)) {
		if (a.result == INJECT_FULL) {
			*ret_full = true;
			return kill(t->pid, 0) == 0;
		}
		bool passes = a.result == INJECT_TRACED || a.result == INJECT_FORBIDDEN ||
			      a.result == INJECT_OK;

		if (passes && now_us() - begin < RELEASE_LIMIT_US)
			continue;
		complain(flag, &a);
		return false;
	}
	return kill(t->pid, 0) == 0;
}

static bool kill_once(const struct target *t, struct flood *f, enum kill_of who)
{
	unsigned int calls = atomic_load(&f->calls);
	pid_t child;
	bool done = true;

	atomic_store(&f->stop, 0);
	child = fork();
	if (child < 0)
		return false;
	if (child == 0)
		flood_run(t, f);
	while (atomic_load(&f->calls) == calls)
		;
	spin_us(random_below(2000));
	if (who != KILL_MAIN) {
		done = kill_tracer(child, who == FREEZE_TRACER);
		atomic_store(&f->stop, 1);
	} else {
		(void)kill(child, SIGKILL);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return done;
}

int drive_kill(const struct target *t, int n, enum kill_of who)
{
	struct flood *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);
	unsigned int kills = 0, failed = 0;
	bool full = false;

	if (f == MAP_FAILED)
		return 2;
	/* A tracer that was looked for in vain does not count, nor for ever. */
	for (int i = 0; i < 3 * n && kills < (unsigned int)n && !full; i++) {
		if (kill_once(t, f, who))
			kills++;
		if (!recovers(t, flag_of((unsigned int)i), &full)) {
			failed++;
			if (kill(t->pid, 0) < 0)
				break;
		}
	}
	printf("kills=%u unfinished=%u failed=%u alive=%d\n", kills, atomic_load(&f->unfinished),
	       failed, kill(t->pid, 0) == 0);
	if (full && !failed)
		return STATUS_FULL;
	return failed || kills != (unsigned int)n ? 1 : 0;
}

/* @from: the point to begin at */
int drive_points(const struct target *t, int rounds, int from)
{
	unsigned int reached = 0, points = 0, failed = 0;
	bool full = false;
	int point, i = 0;

	for (point = from; point < INJECT_POINTS_N && !full; point++) {
		unsigned int met = 0;

		for (i = 0; i < 4 * rounds && !full; i++) {
			enum thp_flag flag = flag_of((unsigned int)i);
			struct inject_answer a = ask(t, INJECT_SET, flag, (enum inject_point)point);

			if (a.result == INJECT_UNFINISHED)
				met++;
			full = a.result == INJECT_FULL;
			/* What is left behind may only show after a while. */
			pause_us(random_below(3000));
			if (a.result != INJECT_UNFINISHED && a.result != INJECT_OK &&
			    a.result != INJECT_BUSY && !full) {
				fprintf(stderr, "at %s: %s (%s)\n", inject_point_words[point],
					word(&a), strerror(a.error));
				failed++;
			}
			if (!full && !recovers(t, flag, &full)) {
				fprintf(stderr, "after %s: no recovery\n",
					inject_point_words[point]);
				failed++;
			}
			if (kill(t->pid, 0) < 0)
				break;
		}
		printf("%s=%u ", inject_point_words[point], met);
		points++;
		reached += met > 0;
	}
	printf("points=%u reached=%u failed=%u\n", points, reached, failed);
	if (full && !failed) {
		/* A point whose last round found no room any more is done all the same. */
		printf("next=%d\n", i < 4 * rounds ? point - 1 : point);
		return STATUS_FULL;
	}
	return failed ? 1 : 0;
}
