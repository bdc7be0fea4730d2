/* SPDX-License-Identifier: MIT */
/*
 * Injects into every kind of victim, where there is no shell: in the machine of run-kernel.
 *
 * usage: inject-rounds [-k KILLS] VICTIM DRIVE ROUNDS POINTS [KIND...]
 *
 * For each KIND (default: all of `VICTIM --list`): `DRIVE rounds PID ROUNDS`, then `DRIVE points PID
 * POINTS`, then `DRIVE kill PID KILLS`, of the caller and of the tracer, each left out when 0. Prints a line for each; the exit status is 1 when something was
 * wrong in one of them. A kind that this machine cannot run is skipped.
 */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SKIP 77
#define EINTR_ONLY 3

/* Starts a program, with its standard output as *@ret. */
static pid_t start(char *const *argv, FILE **ret)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		err(2, "pipe");
	pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execv(argv[0], argv);
		err(127, "%s", argv[0]);
	}
	close(fds[1]);
	*ret = fdopen(fds[0], "r");
	if (!*ret)
		err(2, "fdopen");
	return pid;
}

static int end_of(pid_t pid, FILE *f)
{
	int status;

	fclose(f);
	if (waitpid(pid, &status, 0) < 0)
		err(2, "waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int drive(const char *program, const char *verb, const char *pid, const char *n,
		 const char *whom)
{
	char *argv[] = { (char *)program, (char *)verb, (char *)pid, (char *)n, (char *)whom, NULL };
	char line[1024];
	FILE *f;
	pid_t child;

	if (atoi(n) == 0)
		return 0;
	child = start(argv, &f);
	while (fgets(line, sizeof(line), f))
		printf("  %s %s", verb, line);
	return end_of(child, f);
}

static const char *kills = "0";

static bool one(char *const *argv, const char *kind)
{
	char *victim[] = { argv[1], (char *)kind, NULL };
	char line[1024], pid[16] = "";
	struct timespec begin, end;
	int rounds = 0, points = 0, killed = 0, status;
	FILE *f;
	pid_t child;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	child = start(victim, &f);
	if (fgets(line, sizeof(line), f) && sscanf(line, "ready %15[0-9]", pid) == 1) {
		rounds = drive(argv[2], "rounds", pid, argv[3], NULL);
		points = drive(argv[2], "points", pid, argv[4], NULL);
		killed = drive(argv[2], "kill", pid, kills, "MAIN");
		killed |= drive(argv[2], "kill", pid, kills, "TRACER");
		kill(child, SIGTERM);
	}
	while (fgets(line, sizeof(line), f))
		printf("  victim %s", line);
	status = end_of(child, f);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (status == SKIP) {
		printf("%s: skipped\n", kind);
		return true;
	}
	printf("%s: rounds %d points %d kills %d victim %d after %ld s\n", kind, rounds, points,
	       killed, status, (long)(end.tv_sec - begin.tv_sec));
	return *pid && rounds == 0 && points == 0 && killed == 0 &&
	       (status == 0 || status == EINTR_ONLY);
}

int main(int argc, char **argv)
{
	bool good = true;

	if (argc > 2 && strcmp(argv[1], "-k") == 0) {
		kills = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc < 5)
		errx(2, "usage: inject-rounds [-k KILLS] VICTIM DRIVE ROUNDS POINTS [KIND...]");
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 5; i < argc; i++)
		good = one(argv, argv[i]) && good;
	if (argc == 5) {
		char *list[] = { argv[1], (char *)"--list", NULL };
		char kind[64];
		FILE *f;
		pid_t child = start(list, &f);

		while (fscanf(f, "%63s", kind) == 1)
			good = one(argv, kind) && good;
		good = end_of(child, f) == 0 && good;
	}
	return good ? 0 : 1;
}
