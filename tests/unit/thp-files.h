/* SPDX-License-Identifier: MIT */
/* This machine's own settings, for tests and benchmarks that write them: they are put back. */
#ifndef THPD_TESTS_UNIT_THP_FILES_H
#define THPD_TESTS_UNIT_THP_FILES_H

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/util.h"
#include "sys/knob.h"

#define THP_DIR "/sys/kernel/mm/transparent_hugepage"
#define THP_FILES_MAX 128

struct thp_file {
	char key[64];
	char was[64];	/* as it was found */
	char other[64]; /* something else that the kernel takes, and that does no harm */
};

static struct thp_file thp_files[THP_FILES_MAX];
static size_t thp_files_n;
static int thp_dirfd = -1;

static inline uint64_t now_ms(void)
{
	return monotonic_us() / 1000;
}

static inline uint64_t cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static inline int thp_write(const char *key, const char *value)
{
	const struct root live = ROOT_LIVE;

	return knob_write(&live, thp_dirfd, key, value);
}

static inline bool thp_is(const char *key, const char *value)
{
	const struct root live = ROOT_LIVE;
	struct knob k;

	return knob_read(&live, thp_dirfd, key, &k) == 0 && streq(k.value, value);
}

/* Another value: nothing that fills memory or takes it away for longer than a moment. */
static inline void thp_other(struct thp_file *f, const struct knob *k)
{
	static const char *const words[] = { "madvise", "advise", "always", "never", "inherit" };
	unsigned long n = strtoul(k->value, NULL, 10);
	char list[KNOB_TEXT_MAX + 2], word[16];

	if (!k->words[0])
		(void)snprintf(f->other, sizeof(f->other), "%lu", n > 0 ? n - 1 : n + 1);
	(void)snprintf(list, sizeof(list), " %s ", k->words);
	for (size_t i = 0; k->words[0] && i < ARRAY_SIZE(words) && !f->other[0]; i++) {
		(void)snprintf(word, sizeof(word), " %s ", words[i]);
		if (strstr(list, word) && !streq(k->value, words[i]))
			strcpy(f->other, words[i]);
	}
}

static inline int thp_add(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const struct root live = ROOT_LIVE;
	struct thp_file *f = &thp_files[thp_files_n];
	const char *key = path + sizeof(THP_DIR);
	struct knob k;

	if (type != FTW_F || !(st->st_mode & S_IWUSR) || thp_files_n == THP_FILES_MAX ||
	    strlen(key) >= sizeof(f->key) || knob_read(&live, thp_dirfd, key, &k) < 0)
		return 0;
	strcpy(f->key, key);
	(void)snprintf(f->was, sizeof(f->was), "%.63s", k.value);
	thp_other(f, &k);
	/* Taken only if the kernel takes both. */
	if (thp_write(key, f->other) == 0 && thp_write(key, f->was) == 0)
		thp_files_n++;
	else
		memset(f, 0, sizeof(*f));
	return 0;
}

static inline bool thp_all_right(void)
{
	for (size_t i = 0; i < thp_files_n; i++)
		if (!thp_is(thp_files[i].key, thp_files[i].was))
			return false;
	return true;
}

/* Several times, for one file may stand in another's way. */
static inline void thp_put_back(void)
{
	for (int i = 0; i < 4 && !thp_all_right(); i++)
		for (size_t j = 0; j < thp_files_n; j++)
			(void)thp_write(thp_files[j].key, thp_files[j].was);
}

static inline size_t thp_index(const char *key)
{
	for (size_t i = 0; i < thp_files_n; i++)
		if (streq(thp_files[i].key, key))
			return i;
	return SIZE_MAX;
}

static volatile sig_atomic_t thp_child;

static inline void thp_forward(int sig)
{
	(void)kill((pid_t)thp_child, sig);
}

/*
 * Runs something in a process of its own and puts everything back after it, however it ends.
 * Returns its exit status; -1 when there is nothing here that could be written.
 */
static inline int thp_guarded(int (*run)(void *data), void *data)
{
	const struct root live = ROOT_LIVE;
	struct sigaction sa = { .sa_handler = thp_forward };
	int status = 0, lock;

	/* The settings are this machine's only ones: one at a time. */
	lock = open(THP_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	thp_dirfd = knob_open(&live);
	if (thp_dirfd < 0 || lock < 0 || flock(lock, LOCK_EX) < 0 ||
	    nftw(THP_DIR, thp_add, 16, FTW_PHYS) < 0 || thp_files_n == 0)
		return -1;
	(void)fflush(stdout);
	thp_child = fork();
	if (thp_child == 0)
		exit(run(data));
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	while (waitpid((pid_t)thp_child, &status, 0) < 0 && errno == EINTR)
		;
	thp_put_back();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* main() of a test program; under CI a machine is needed whose settings can be written. */
static inline int thp_files_main(int (*run)(void *data), const char *name)
{
	const char *ci = getenv("CI");
	int r = thp_guarded(run, NULL);
	bool skip = !ci || !streq(ci, "true");

	if (r >= 0)
		return r;
	printf("%sok 1 - %s%s the settings of this machine cannot be written\n1..1\n",
	       skip ? "" : "not ", name, skip ? " # SKIP" : ":");
	return skip ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
