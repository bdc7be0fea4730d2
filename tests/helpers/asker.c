/* SPDX-License-Identifier: MIT */
/*
 * A process that asks itself for its THP flag, and others that a suite needs.
 *
 * Usage: asker [--own FLAG] MODE
 *
 *	sleep		waits
 *	children N	so do N children of it
 *	storm		forks without pause children that live for a moment
 *	chain N		forks a successor and ends, which does the same, N times
 *	vfork		waits for a vfork(2) child, which waits in its turn
 *	zombie		has a child that has ended, and never waits for it
 *	clearer		asks for its flag all the time, and clears it
 *	trace PID	has another process traced
 *	kill USEC COMMAND
 *			kills the command after so long; prints "killed" or "ended"
 *	time N COMMAND	prints what N runs of it took, in microseconds: by the clock the median, and
 *			of CPU the least
 *
 * --own FLAG sets the own flag first: 0, 1, or 3. Prints "ready PID", and PIDs of children behind it.
 * At SIGUSR1 a process prints "flag N", what PR_GET_THP_DISABLE says; at SIGUSR2 it clears its flag; at
 * SIGHUP it sets it; at SIGWINCH it forks a child of the same kind and prints "child PID".
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#define PR_GET_THP_DISABLE 42
#endif

#define STORM_MAX 60
#define RUNS_MAX 1000

static void die(const char *what)
{
	(void)fprintf(stderr, "asker: %s: %s\n", what, strerror(errno));
	_exit(2);
}

static int get_flag(void)
{
	return prctl(PR_GET_THP_DISABLE, 0UL, 0UL, 0UL, 0UL);
}

static void set_flag(unsigned long flag)
{
	if (prctl(PR_SET_THP_DISABLE, flag & 1, flag & ~1UL, 0UL, 0UL) < 0)
		die("PR_SET_THP_DISABLE");
}

static void say(const char *what, int number)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "%s %d\n", what, number);

	if (write(STDOUT_FILENO, line, (size_t)n) < n)
		_exit(2);
}

/* All of them come while the process waits, and nothing is interrupted by them. */
static void on_signal(int sig)
{
	pid_t pid;

	switch (sig) {
	case SIGUSR1:
		say("flag", get_flag());
		break;
	case SIGUSR2:
		set_flag(0);
		break;
	case SIGHUP:
		set_flag(1);
		break;
	default:
		pid = fork();
		if (pid > 0)
			say("child", pid);
	}
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	(void)sigaction(SIGUSR1, &sa, NULL);
	(void)sigaction(SIGUSR2, &sa, NULL);
	(void)sigaction(SIGHUP, &sa, NULL);
	(void)sigaction(SIGWINCH, &sa, NULL);
}

static void ready(void)
{
	(void)printf("ready %d\n", (int)getpid());
	(void)fflush(stdout);
}

static _Noreturn void wait_for_ever(void)
{
	for (;;)
		(void)pause();
}

static pid_t new_child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

static void children(unsigned long n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		die("open_memstream");
	(void)fprintf(f, "ready %d", (int)getpid());
	for (unsigned long i = 0; i < n; i++) {
		pid_t pid = new_child();

		if (pid == 0)
			wait_for_ever();
		(void)fprintf(f, " %d", (int)pid);
	}
	(void)fclose(f);
	(void)puts(text);
	(void)fflush(stdout);
	free(text);
}

static void storm(void)
{
	unsigned int alive = 0;

	ready();
	for (;;) {
		if (new_child() == 0) {
			(void)usleep(50000);
			_exit(0);
		}
		alive++;
		while (waitpid(-1, NULL, alive < STORM_MAX ? WNOHANG : 0) > 0)
			alive--;
	}
}

static void chain(unsigned long n)
{
	ready();
	(void)signal(SIGCHLD, SIG_IGN);
	for (; n > 0; n--) {
		if (new_child() > 0)
			_exit(0);
		(void)usleep(1000);
	}
	_exit(0);
}

static void vfork_child(void)
{
	char text[64];
	pid_t pid;
	int n;

	(void)signal(SIGCHLD, SIG_IGN);
	pid = vfork();
	if (pid == 0) {
		n = snprintf(text, sizeof(text), "ready %d %d\n", (int)getppid(), (int)getpid());
		if (write(STDOUT_FILENO, text, (size_t)n) < n)
			_exit(2);
		wait_for_ever();
	}
	(void)printf("released\n");
	(void)fflush(stdout);
}

static void zombie(void)
{
	siginfo_t info;
	pid_t pid = new_child();

	if (pid == 0)
		_exit(0);
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
		die("waitid");
	(void)printf("ready %d %d\n", (int)getpid(), (int)pid);
	(void)fflush(stdout);
}

static _Noreturn void clearer(void)
{
	ready();
	for (;;)
		if (get_flag() != 0)
			set_flag(0);
}

static void trace(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		die("PTRACE_SEIZE");
	ready();
}

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000;
}

static pid_t run(char **command)
{
	pid_t pid = new_child();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
			_exit(126);
		(void)execvp(command[0], command);
		_exit(127);
	}
	return pid;
}

static int kill_after(unsigned long usec, char **command)
{
	pid_t pid = run(command);
	int status = 0;

	(void)usleep((useconds_t)usec);
	(void)kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	(void)printf("%s\n", WIFSIGNALED(status) ? "killed" : "ended");
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int time_runs(unsigned long n, char **command)
{
	uint64_t took[RUNS_MAX], cpu[RUNS_MAX];
	struct rusage u;
	int status;

	for (unsigned long i = 0; i < n; i++) {
		uint64_t begin = now_us();
		pid_t pid = run(command);

		if (wait4(pid, &status, 0, &u) < 0)
			die("wait4");
		took[i] = now_us() - begin;
		cpu[i] = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000U +
			 (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
		if (!WIFEXITED(status) || WEXITSTATUS(status) >= 2)
			return 2;
	}
	qsort(took, n, sizeof(*took), compare);
	qsort(cpu, n, sizeof(*cpu), compare);
	/* Of CPU the least: more is what others have left in its caches. */
	(void)printf("%llu %llu\n", (unsigned long long)took[n / 2], (unsigned long long)cpu[0]);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode;
	unsigned long n;

	if (argc > 2 && strcmp(argv[1], "--own") == 0) {
		set_flag(strtoul(argv[2], NULL, 10));
		argv += 2;
		argc -= 2;
	}
	mode = argc > 1 ? argv[1] : "";
	n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	if (strcmp(mode, "kill") == 0 && argc > 3)
		return kill_after(n, argv + 3);
	if (strcmp(mode, "time") == 0 && argc > 3 && n > 0 && n <= RUNS_MAX)
		return time_runs(n, argv + 3);
	catch_signals();
	if (strcmp(mode, "sleep") == 0)
		ready();
	else if (strcmp(mode, "children") == 0)
		children(n);
	else if (strcmp(mode, "storm") == 0)
		storm();
	else if (strcmp(mode, "chain") == 0)
		chain(n);
	else if (strcmp(mode, "vfork") == 0)
		vfork_child();
	else if (strcmp(mode, "zombie") == 0)
		zombie();
	else if (strcmp(mode, "clearer") == 0)
		clearer();
	else if (strcmp(mode, "trace") == 0 && n > 0)
		trace((pid_t)n);
	else
		return 2;
	wait_for_ever();
}
