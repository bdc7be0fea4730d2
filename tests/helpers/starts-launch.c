/* SPDX-License-Identifier: MIT */
/*
 * Starts programs in a unit's cgroup, as a service manager does, and says what they found.
 *
 * usage: starts-launch HOW ROUNDS JOBS CGROUP PROGRAM [EUID]
 * HOW: plain, vfork, thread (of a process with several), seccomp (a filter that answers EPERM to
 * PR_SET_THP_DISABLE), seccomp-kill (one that kills), user (by nobody), chroot (into the program's
 * directory), flagged (had the flag before), fails (another exec fails before)
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "starts-target.h"

static const char *how, *cgroup, *program;
static char *const no_args[] = { (char *)"target", NULL };

static long long now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int is(const char *name)
{
	return strcmp(how, name) == 0;
}

static void filter(unsigned int otherwise)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 41, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, otherwise),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		_exit(101);
}

static void *exec_in_thread(void *data)
{
	execv(program, no_args);
	_exit(102);
}

/* The child's part; after vfork(2), too, so nothing but system calls for that one. */
static void go(int out)
{
	pthread_t thread;
	int fd = open(cgroup, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1 || dup2(out, TARGET_FD) != TARGET_FD)
		_exit(103);
	if (is("seccomp") || is("seccomp-kill"))
		filter(is("seccomp") ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS);
	if (is("user") && (setgid(65534) < 0 || setuid(65534) < 0))
		_exit(104);
	if (is("flagged") && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0)
		_exit(105);
	if (is("fails"))
		execv("/dev/null", no_args);
	if (is("chroot")) {
		if (chroot(program) < 0 || chdir("/") < 0)
			_exit(106);
		execv("/target", no_args);
	} else if (is("thread")) {
		if (pthread_create(&thread, NULL, exec_in_thread, NULL) == 0)
			(void)pthread_join(thread, NULL);
	} else {
		execv(program, no_args);
	}
	_exit(107);
}

static pid_t launch(int out)
{
	pid_t pid = is("vfork") ? vfork() : fork();

	if (pid < 0)
		err(2, "fork");
	if (pid == 0)
		go(out);
	return pid;
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return x < y ? -1 : x > y;
}

static long long rank(const long long *sorted, int n, int per_mille)
{
	return n ? sorted[(long long)(n - 1) * per_mille / 1000] / 1000 : 0;
}

int main(int argc, char **argv)
{
	int rounds = argc > 4 ? atoi(argv[2]) : 0, jobs = argc > 4 ? atoi(argv[3]) : 0;
	int euid = argc > 6 ? atoi(argv[6]) : -1;
	int first = 0, last = 0, broken = 0, silent = 0, running = 0, begun = 0, windows = 0;
	long long *window = calloc((size_t)rounds + 1, sizeof(*window));
	long long *round = calloc((size_t)rounds + 1, sizeof(*round)), slowest = 0;
	int pipes[2], reports = 0, ended = 0;

	if (argc < 6 || !window || !round || pipe2(pipes, O_CLOEXEC) < 0)
		errx(2, "usage: starts-launch HOW ROUNDS JOBS CGROUP PROGRAM [EUID]");
	how = argv[1];
	cgroup = argv[4];
	program = argv[5];
	if (fcntl(pipes[0], F_SETFL, O_NONBLOCK) < 0)
		err(2, "fcntl");
	while (ended < rounds) {
		long long began = now();
		struct target_report r;
		int status;

		for (; begun < rounds && running < jobs; begun++, running++)
			(void)launch(pipes[1]);
		if (waitpid(-1, &status, 0) < 0)
			err(2, "wait");
		running--;
		round[ended++] = now() - began;
		if (round[ended - 1] > slowest)
			slowest = round[ended - 1];
		if (status != 0) {
			broken++;
			fprintf(stderr, "status %#x\n", (unsigned int)status);
		}
		while (read(pipes[0], &r, sizeof(r)) == sizeof(r)) {
			reports++;
			first += r.first > 0;
			last += r.last > 0;
			if (r.registers || (euid >= 0 && r.euid != euid)) {
				broken++;
				fprintf(stderr, "registers %d, euid %d\n", r.registers, r.euid);
			}
			if (r.last > 0)
				window[windows++] = r.first > 0 ? 0 : r.window;
		}
	}
	silent = rounds - reports;
	qsort(window, (size_t)windows, sizeof(*window), compare);
	qsort(round, (size_t)ended, sizeof(*round), compare);
	printf("starts=%d first=%d flagged=%d broken=%d silent=%d window_us p50=%lld p90=%lld "
	       "p99=%lld max=%lld whole_us p50=%lld p99=%lld max=%lld\n",
	       rounds, first, last, broken, silent, rank(window, windows, 500),
	       rank(window, windows, 900), rank(window, windows, 990), rank(window, windows, 1000),
	       rank(round, ended, 500), rank(round, ended, 990), rank(round, ended, 1000));
	return broken || silent;
}
