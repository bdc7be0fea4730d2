/* SPDX-License-Identifier: MIT */
/*
 * The bare system calls that a program cannot do without: what thpd and thpctl are held against. Nothing
 * is compared, kept or told.
 *
 * Usage: floor [-k] [-s] [-n ROUNDS] [-p MS] PATH...
 *
 * A PATH that is a file is read. Of one that is a directory of groups, the list of processes of each
 * group is read, and of each process its status; of /proc, the status of every process of the host.
 *
 *	-k	files are opened once, and read again and again, as a program may that stays
 *	-s	each process of a group is stopped, its registers are read and written, and it is let go:
 *		what is behind any call that is made in its name
 *	-n	so many rounds (1); prints what each has taken of the processor, in microseconds
 *	-p	milliseconds between rounds, as a program has them that looks from time to time: what the
 *		kernel reads in them is not in the processor's caches any more
 *
 * Usage: floor -r FILE=VALUE...
 *
 * Waits for somebody to write into one of the files, reads it and writes the value. Ends with SIGTERM.
 */
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/util.h"

#define FILES_MAX 20000

static char buf[65536];
static bool keep, stop;
static int kept[FILES_MAX];
static size_t kept_n;
static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	ended = number;
}

static void fail(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* One process may have ended meanwhile, which is no error. What was read ends with a zero. */
static void look(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (n < 0 && errno != ENOENT && errno != ESRCH)
		fail(path);
	buf[n > 0 ? n : 0] = '\0';
	if (keep && fd >= 0 && kept_n < FILES_MAX)
		kept[kept_n++] = fd;
	else
		(void)close_fd(fd);
}

static void stop_one(pid_t pid)
{
	char regs[1024];
	struct iovec v = { regs, sizeof(regs) };

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 ||
	    waitpid(pid, NULL, __WALL) != pid ||
	    ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) < 0 ||
	    ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v) < 0 ||
	    ptrace(PTRACE_DETACH, pid, 0, 0) < 0)
		fail("ptrace");
}

static void look_at_process(pid_t pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (stop)
		stop_one(pid);
	look(AT_FDCWD, path);
}

static void look_at_group(int dir, const char *name)
{
	char path[300], list[sizeof(buf)], *at = list, *end;
	long pid;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	look(dir, path);
	memcpy(list, buf, strlen(buf) + 1);
	while ((pid = strtol(at, &end, 10)) > 0) {
		look_at_process((pid_t)pid);
		at = end;
	}
}

static void look_below(const char *path)
{
	bool proc = streq(path, "/proc");
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		fail(path);
	while ((e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		if (!proc)
			look_at_group(dirfd(d), e->d_name);
		else if (atoi(e->d_name) > 0)
			look_at_process(atoi(e->d_name));
	}
	(void)closedir(d);
}

static void look_at_all(char **paths)
{
	struct stat st;

	for (; *paths; paths++)
		if (stat(*paths, &st) < 0)
			fail(*paths);
		else if (S_ISDIR(st.st_mode))
			look_below(*paths);
		else
			look(AT_FDCWD, *paths);
}

static void read_again(void)
{
	for (size_t i = 0; i < kept_n; i++)
		if (pread(kept[i], buf, sizeof(buf) - 1, 0) < 0 && errno != ESRCH)
			fail("a file");
}

/* FILE=VALUE, cut in two. */
static char *value_of(char *word)
{
	char *at = strrchr(word, '=');

	if (!at)
		fail(word);
	*at = '\0';
	return at + 1;
}

static int repair(char **words, int n)
{
	struct pollfd p = { .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .events = POLLIN };
	const struct sigaction sa = { .sa_handler = on_signal };
	int first = 0;

	(void)sigaction(SIGTERM, &sa, NULL);
	for (int i = 0; i < n; i++) {
		char *value = value_of(words[i]);
		int wd = inotify_add_watch(p.fd, words[i], IN_MODIFY);

		kept[i] = open(words[i], O_RDWR | O_CLOEXEC);
		if (wd < 0 || kept[i] < 0)
			fail(words[i]);
		first = i == 0 ? wd : first;
		words[i] = value;
	}
	while (!ended && poll(&p, 1, -1) >= 0) {
		static char events[65536]
			__attribute__((aligned(__alignof__(struct inotify_event))));
		ssize_t got = read(p.fd, events, sizeof(events));

		for (char *at = events; at < events + got; at += sizeof(struct inotify_event)) {
			int i = ((struct inotify_event *)at)->wd - first;

			if (i < 0 || i >= n) /* more was written than the queue holds */
				continue;
			/* Its own write raises one more event. */
			if (pread(kept[i], buf, 64, 0) > 0 &&
			    strncmp(buf, words[i], strlen(words[i])) != 0 &&
			    pwrite(kept[i], words[i], strlen(words[i]), 0) < 0)
				fail(words[i]);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	long rounds = 0, pause = 0;
	int o;

	while ((o = getopt(argc, argv, "ksrn:p:")) != -1) {
		if (o == 'k')
			keep = true;
		else if (o == 's')
			stop = true;
		else if (o == 'n')
			rounds = strtol(optarg, NULL, 10);
		else if (o == 'p')
			pause = strtol(optarg, NULL, 10);
		else if (o == 'r')
			return repair(argv + optind, argc - optind);
		else
			return 2;
	}
	if (!argv[optind])
		return 2;
	look_at_all(argv + optind);
	for (long i = 0; i < rounds; i++) {
		uint64_t began;

		(void)poll(NULL, 0, (int)pause);
		began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		if (keep)
			read_again();
		else
			look_at_all(argv + optind);
		printf("%.1f\n", (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began) / 1e3);
	}
	return 0;
}
