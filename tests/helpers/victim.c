/* SPDX-License-Identifier: MIT */
/*
 * A program that checks itself while somebody injects system calls into it.
 *
 * usage: victim KIND [--seconds N]	victim --list
 *
 * Prints `ready PID`, the process to be injected into; runs until SIGTERM, or for N seconds; prints
 * `rounds=N eintr=N anomalies=N`, and each anomaly on standard error. Exit status: 0 nothing was
 * noticed; 3 nothing but EINTR, from calls that the kernel itself does not restart; 1 anomalies;
 * 77 this machine cannot run this kind.
 *
 * The work is done by a child, the monitor being its parent: so a victim that may make no system
 * call, or that is killed, is no special case.
 */
#include "victim.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared *shared;
int shared_fd;

static const struct kind *const tables[] = {
	kinds_cpu, kinds_registers, kinds_wait,	  kinds_read,	 kinds_write,	kinds_ipc,
	kinds_aio, kinds_signal,    kinds_queued, kinds_process, kinds_threads, kinds_seccomp,
};

const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct kind *k = tables[i]; k->name; k++)
			if (strcmp(k->name, name) == 0)
				return k;
	return NULL;
}

void kind_loop(const struct kind *kind, void *state, unsigned int slot)
{
	while (!atomic_load(&shared->stop)) {
		kind->round(state);
		atomic_fetch_add(&shared->rounds[slot], 1);
	}
}

/* Never returns. @begin: false when it has only executed itself anew. */
static void subject(const struct kind *kind, bool begin)
{
	void *state = calloc(1, kind->size + 1);

	if (!state)
		_exit(2);
	if (begin) {
		atomic_store(&shared->slots, 1);
		if (kind->begin)
			kind->begin(state);
		if (!atomic_load(&shared->pid))
			atomic_store(&shared->pid, getpid());
	}
	kind_loop(kind, state, 0);
	if (kind->end)
		kind->end(state);
	_exit(0);
}

static void map_shared(void)
{
	void *p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);

	if (p == MAP_FAILED) {
		perror("victim: mmap");
		exit(2);
	}
	shared = p;
}

static unsigned int all_rounds(void)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < SLOTS; i++)
		sum += atomic_load(&shared->rounds[i]);
	return sum;
}

static void show(const char *dir, const char *tid, const char *file)
{
	char path[512], text[1024];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", dir, tid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		(void)close(fd);
	if (n > 0)
		fprintf(stderr, "%s %s: %.*s%s", tid, file, (int)n, text,
			text[n - 1] == '\n' ? "" : "\n");
}

/* Where the threads are that have come to a standstill, twice: is it really one? */
static void show_threads(pid_t pid)
{
	static const char *const files[] = { "stat", "syscall", "wchan", "stack" };
	char dir[64];
	DIR *d;

	(void)snprintf(dir, sizeof(dir), "/proc/%d/task", (int)pid);
	for (int times = 0; times < 2; times++) {
		const struct dirent *e;

		d = opendir(dir);
		while (d && (e = readdir(d)))
			for (size_t i = 0;
			     e->d_name[0] != '.' && i < sizeof(files) / sizeof(*files); i++)
				show(dir, e->d_name, files[i]);
		if (d)
			(void)closedir(d);
		nap(1000 * MS);
	}
}

/* Whether a loop has not come round for too long. */
static bool stuck(void)
{
	static unsigned int seen[SLOTS];
	static int64_t since[SLOTS];
	unsigned int n = atomic_load(&shared->slots);
	int64_t now = now_ns();

	for (unsigned int i = 0; i < n && i < SLOTS; i++) {
		unsigned int rounds = atomic_load(&shared->rounds[i]);

		if (rounds != seen[i] || since[i] == 0) {
			seen[i] = rounds;
			since[i] = now;
		} else if (now - since[i] > STUCK) {
			anomaly("stuck: loop %u has stood still after %u rounds", i, rounds);
			show_threads(atomic_load(&shared->pid));
			return true;
		}
	}
	return false;
}

static void report_end(int status)
{
	if (WIFSIGNALED(status))
		anomaly("the victim was killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == EXIT_SKIP)
		exit(EXIT_SKIP);
	else if (WEXITSTATUS(status) != 0)
		anomaly("the victim exited with %d", WEXITSTATUS(status));
	else if (!atomic_load(&shared->stop))
		anomaly("the victim exited early");
}

static int summary(void)
{
	unsigned int anomalies = atomic_load(&shared->anomalies);
	unsigned int eintrs = atomic_load(&shared->eintr);

	printf("rounds=%u eintr=%u anomalies=%u\n", all_rounds(), eintrs, anomalies);
	for (unsigned int i = 0; i < anomalies && i < MESSAGES; i++)
		fprintf(stderr, "anomaly: %s\n", shared->messages[i]);
	if (anomalies)
		return 1;
	return eintrs ? 3 : 0;
}

/* Watches until the victim has ended, or must be ended. */
static void monitor(pid_t child, const sigset_t *signals, int64_t deadline)
{
	const struct timespec tick = { .tv_nsec = 20 * MS };
	int64_t stopped = 0;
	bool announced = false;
	int status;

	for (;;) {
		int sig = sigtimedwait(signals, NULL, &tick);
		int64_t now = now_ns();

		if (waitpid(child, &status, WNOHANG) == child) {
			report_end(status);
			return;
		}
		if (!announced && atomic_load(&shared->pid) > 0) {
			announced = true;
			printf("ready %d\n", atomic_load(&shared->pid));
			fflush(stdout);
		}
		if (!stopped && (sig == SIGTERM || sig == SIGINT || (deadline && now > deadline))) {
			atomic_store(&shared->stop, 1);
			stopped = now;
		}
		if (stopped ? now - stopped > STUCK : stuck()) {
			if (stopped)
				anomaly("stuck: does not end");
			return;
		}
	}
}

static int list(void)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct kind *k = tables[i]; k->name; k++)
			puts(k->name);
	return 0;
}

int main(int argc, char **argv)
{
	const struct kind *kind = argc > 1 ? kind_find(argv[1]) : NULL;
	bool timed = argc == 4 && strcmp(argv[2], "--seconds") == 0;
	sigset_t signals, before;
	pid_t child;

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc == 2 && strcmp(argv[1], "--exit-42") == 0)
		return 42;
	if (kind && argc == 4 && strcmp(argv[2], "--again") == 0) {
		shared_fd = atoi(argv[3]);
		map_shared();
		subject(kind, false);
	}
	if (!kind || (argc != 2 && !timed)) {
		fprintf(stderr, "usage: victim KIND [--seconds N]\n       victim --list\n");
		return 2;
	}

	shared_fd = (int)syscall(SYS_memfd_create, "victim", 0);
	if (shared_fd < 0 || ftruncate(shared_fd, sizeof(*shared)) < 0) {
		perror("victim: memfd_create");
		return 2;
	}
	map_shared();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &before);
	child = fork();
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		(void)setpgid(0, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		subject(kind, true);
	}
	if (child < 0 || (setpgid(child, child) < 0 && errno != EACCES && errno != ESRCH)) {
		perror("victim: fork");
		return 2;
	}
	monitor(child, &signals, timed ? now_ns() + atoi(argv[3]) * 1000 * MS : 0);
	/* Whoever is left: peers, and a victim that is stuck. */
	(void)kill(-child, SIGKILL);
	return summary();
}
