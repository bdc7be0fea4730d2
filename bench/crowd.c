/* SPDX-License-Identifier: MIT */
/*
 * A host full of processes that sleep: services, each with one of them, and others besides.
 *
 * Usage: crowd SLICE SERVICES OTHERS
 *
 * SLICE is a cgroup directory; crowd-N.service in it has a process each, others.service beside it the
 * rest. Says `ready` when all are there. SIGTERM ends it: its processes are ended and the groups removed. They end
 * with it, too, if it is killed.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/util.h"

#define OTHERS "../others.service"

static int slice = -1;
static long services;
static pid_t *pids;
static size_t pids_n;
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

static int fail(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	return -1;
}

/* Is in its group from its begin on: one that is moved there costs the kernel much more. */
static int sleeper(int group)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned int)group,
	};
	pid_t parent = getpid();
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		return fail("clone3");
	if (pid > 0) {
		pids[pids_n++] = (pid_t)pid;
		return 0;
	}
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent)
		(void)pause();
	_exit(0);
}

/* A group of the slice, with so many processes. */
static int fill(const char *name, long n)
{
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (mkdirat(slice, name, 0755) < 0 ||
	    (fd = openat(slice, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fail(name);
	while (n-- > 0 && r == 0 && !stopped)
		r = sleeper(fd);
	return r;
}

static int fill_all(long others)
{
	char name[64];
	int r = others > 0 ? fill(OTHERS, others) : 0;

	for (long i = 0; i < services && r == 0; i++) {
		(void)snprintf(name, sizeof(name), "crowd-%ld.service", i);
		r = fill(name, 1);
	}
	return r;
}

static void empty_all(void)
{
	char name[64];

	for (size_t i = 0; i < pids_n; i++)
		(void)kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	for (long i = 0; i < services; i++) {
		(void)snprintf(name, sizeof(name), "crowd-%ld.service", i);
		(void)unlinkat(slice, name, AT_REMOVEDIR);
	}
	(void)unlinkat(slice, OTHERS, AT_REMOVEDIR);
}

int main(int argc, char **argv)
{
	const struct sigaction sa = { .sa_handler = on_signal };
	long others = argc == 4 ? strtol(argv[3], NULL, 10) : -1;
	sigset_t mask, before;
	int r;

	services = argc == 4 ? strtol(argv[2], NULL, 10) : -1;
	if (services < 0 || others < 0) {
		fputs("usage: crowd SLICE SERVICES OTHERS\n", stderr);
		return 2;
	}
	slice = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pids = calloc((size_t)(services + others) + 1, sizeof(*pids));
	if (slice < 0 || !pids)
		return fail(argv[1]) < 0;
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	r = fill_all(others);
	if (r == 0 && !stopped)
		r = puts("ready") < 0 || fflush(stdout) != 0;
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &mask, &before);
	while (r == 0 && !stopped)
		(void)sigsuspend(&before);
	empty_all();
	return r != 0;
}
