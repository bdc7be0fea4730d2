/* SPDX-License-Identifier: MIT */
/*
 * A program with huge pages that checks itself: what a victim of reclaim sees.
 *
 * Usage: hugehog [--mib N] [--used PERCENT] [--mode plain|hidden|forked|locked] [--enable]
 *		[--rest USEC] [--probe]
 *
 *	--mib N		that much in huge pages; 64 unless told
 *	--used PERCENT	of the base pages of each huge page hold data; 0, the default: one byte
 *			in each huge page
 *	--mode hidden	gives most of each huge page back to the kernel, which keeps them whole
 *	--mode forked	shares the huge pages with a child
 *	--mode locked	has them locked in memory
 *	--enable	huge pages stay allowed; else PR_SET_THP_DISABLE is set once they are
 *			there, for khugepaged would make new ones out of the old
 *	--rest USEC	the checking thread sleeps as long after each huge page; 0 unless told
 *	--probe		measures how long faults and mappings take; it disturbs what it measures
 *
 * Prints "ready PID START BYTES" when the pages are there; START and BYTES are where. Threads then
 * read, verify and write what is used, over and over. At SIGTERM it verifies all bytes, used or
 * not, and prints what it saw. Exit status: 0, 1 when a value was not what it should be, 77 when
 * there are no huge pages to be had, 2 for other trouble.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#endif

#define HUGE_BYTES (2UL << 20)
#define PAGE_BYTES 4096UL
#define SUB_PAGES (HUGE_BYTES / PAGE_BYTES)
#define BUCKETS 512UL
#define KEPT_PAGES 4UL /* of each huge page, where the others are given back */

enum mode { PLAIN, HIDDEN, FORKED, LOCKED };

/* What one kind of operation took, in nanoseconds; counted in eighths of powers of two. */
struct latency {
	uint64_t n, worst, count[BUCKETS];
};

static struct {
	unsigned char *at;
	size_t huge; /* pages */
	unsigned used, rest;
	enum mode mode;
	bool enable, probe;
	volatile sig_atomic_t stop;
	uint64_t rounds, passes, wrong;
	struct latency touch, fault, map;
} hog = { .huge = 32 };

static _Noreturn void die(const char *what, int status)
{
	(void)fprintf(stderr, "hugehog: %s: %s\n", what, strerror(errno));
	_exit(status);
}

static uint64_t now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static uint64_t note(struct latency *l, uint64_t begin)
{
	uint64_t end = now(), took = (end - begin) | 8;
	size_t log = 63 - (size_t)__builtin_clzll(took);

	l->n++;
	l->count[log * 8 + (took >> (log - 3)) % 8]++;
	if (took > l->worst)
		l->worst = took;
	return end;
}

/* What all but a share of the operations kept below, in microseconds; within an eighth. */
static double quantile(const struct latency *l, double share)
{
	uint64_t left = l->n;

	for (size_t i = 0; i < BUCKETS; i++) {
		left -= l->count[i];
		if ((double)left <= share * (double)l->n)
			return (double)((8ULL + i % 8 + 1) << (i / 8)) / 8 / 1000;
	}
	return 0;
}

/* A number that looks random, the same for the same place. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
	return x ^ (x >> 31);
}

static bool is_used(size_t huge, size_t sub)
{
	if (hog.mode == HIDDEN && sub >= KEPT_PAGES)
		return false;
	return mix(huge * SUB_PAGES + sub) % 100 < hog.used;
}

/* Where the one byte of a huge page lies of which nothing else is used. */
static size_t byte_of(size_t huge)
{
	return mix(huge) % (hog.mode == HIDDEN ? KEPT_PAGES * PAGE_BYTES : HUGE_BYTES);
}

/* The first word of a page counts rounds, the others say where they are. */
static void fill_page(uint64_t *p, size_t index)
{
	for (size_t i = 0; i < PAGE_BYTES / sizeof(*p); i++)
		p[i] = i == 0 ? hog.rounds : mix(index * SUB_PAGES + i) | 1;
}

static bool page_is_right(const uint64_t *p, size_t index)
{
	for (size_t i = 0; i < PAGE_BYTES / sizeof(*p); i++)
		if (p[i] != (i == 0 ? hog.rounds : mix(index * SUB_PAGES + i) | 1))
			return false;
	return true;
}

static bool page_is_empty(const uint64_t *p)
{
	for (size_t i = 0; i < PAGE_BYTES / sizeof(*p); i++)
		if (p[i] != 0)
			return false;
	return true;
}

static uint64_t *page_at(size_t huge, size_t sub)
{
	return (uint64_t *)(void *)(hog.at + huge * HUGE_BYTES + sub * PAGE_BYTES);
}

static unsigned char byte_value(size_t huge, uint64_t round)
{
	return (unsigned char)(1 + (huge + round) % 251);
}

/* Verifies what is used in one huge page, and where it may writes the next round's values. */
static void check_huge(size_t huge, bool write)
{
	uint64_t t = now();

	if (hog.used == 0) {
		volatile unsigned char *p = hog.at + huge * HUGE_BYTES + byte_of(huge);

		if (*p != byte_value(huge, hog.rounds))
			hog.wrong++;
		if (write)
			*p = byte_value(huge, hog.rounds + 1);
		(void)note(&hog.touch, t);
		return;
	}
	for (size_t sub = 0; sub < SUB_PAGES; sub++) {
		uint64_t *p = page_at(huge, sub);

		if (!is_used(huge, sub))
			continue;
		if (!page_is_right(p, huge * SUB_PAGES + sub))
			hog.wrong++;
		if (write)
			p[0] = hog.rounds + 1;
		t = note(&hog.touch, t);
	}
}

/* All that is not used has to read as zero, whoever backs it. */
static void check_empty(void)
{
	for (size_t huge = 0; huge < hog.huge; huge++)
		for (size_t sub = 0; sub < SUB_PAGES; sub++) {
			bool byte = hog.used == 0 && byte_of(huge) / PAGE_BYTES == sub;

			if (!byte && !is_used(huge, sub) && !page_is_empty(page_at(huge, sub)))
				hog.wrong++;
		}
}

static void *checker(void *unused)
{
	bool write = hog.mode != FORKED;

	while (!hog.stop) {
		for (size_t huge = 0; huge < hog.huge; huge++) {
			check_huge(huge, write);
			if (hog.rest > 0)
				(void)usleep(hog.rest);
		}
		hog.rounds += write;
		hog.passes++;
	}
	return unused;
}

/* Faults of an area of its own, and short-lived mappings: both need locks that others may hold. */
static void *prober(void *unused)
{
	const size_t size = 64 * PAGE_BYTES;
	unsigned char *own = mmap(NULL, size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (own == MAP_FAILED)
		die("mmap", 2);
	while (!hog.stop) {
		uint64_t t;
		void *p;

		(void)madvise(own, size, MADV_DONTNEED);
		t = now();
		for (size_t i = 0; i < size; i += PAGE_BYTES) {
			own[i] = 1;
			t = note(&hog.fault, t);
		}
		p = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, PAGE_BYTES) < 0)
			die("mmap", 2);
		(void)note(&hog.map, t);
		(void)usleep(50);
	}
	return unused;
}

static void on_term(int sig)
{
	(void)sig;
	hog.stop = 1;
}

/* Of our own mapping, as the kernel tells. */
static size_t huge_kb(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	size_t kb = 0;
	char line[256];

	if (!f)
		die("/proc/self/smaps_rollup", 2);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %zu kB", &kb) == 1)
			break;
	(void)fclose(f);
	return kb;
}

static void fill(void)
{
	size_t size = hog.huge * HUGE_BYTES;
	unsigned char *p = mmap(NULL, size + HUGE_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap", 2);
	hog.at = (unsigned char *)(((uintptr_t)p + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	if (madvise(hog.at, size, MADV_HUGEPAGE) < 0)
		die("MADV_HUGEPAGE", 77);
	if (hog.mode == LOCKED && mlock(hog.at, size) < 0)
		die("mlock", 77);
	for (size_t huge = 0; huge < hog.huge; huge++) {
		hog.at[huge * HUGE_BYTES] = 0; /* all of it is there now */
		if (hog.used == 0)
			hog.at[huge * HUGE_BYTES + byte_of(huge)] = byte_value(huge, 0);
		for (size_t sub = 0; sub < SUB_PAGES; sub++)
			if (is_used(huge, sub))
				fill_page(page_at(huge, sub), huge * SUB_PAGES + sub);
	}
	if (huge_kb() < size / 1024) {
		(void)fprintf(stderr, "hugehog: only %zu kB in huge pages\n", huge_kb());
		_exit(77);
	}
	if (!hog.enable && prctl(PR_SET_THP_DISABLE, 1UL, 0UL, 0UL, 0UL) < 0)
		die("PR_SET_THP_DISABLE", 2);
	for (size_t huge = 0; hog.mode == HIDDEN && huge < hog.huge; huge++)
		if (madvise(page_at(huge, KEPT_PAGES), (SUB_PAGES - KEPT_PAGES) * PAGE_BYTES,
			    MADV_DONTNEED) < 0)
			die("MADV_DONTNEED", 2);
}

static void print_latency(const char *what, const struct latency *l)
{
	(void)printf("%s n=%llu median_us=%.1f p99_us=%.1f p999_us=%.1f worst_us=%.1f\n", what,
		     (unsigned long long)l->n, quantile(l, 0.5), quantile(l, 0.01),
		     quantile(l, 0.001), (double)l->worst / 1000);
}

static bool parse(int argc, char **argv)
{
	static const char *const modes[] = { "plain", "hidden", "forked", "locked" };

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--enable") == 0) {
			hog.enable = true;
			continue;
		}
		if (strcmp(argv[i], "--probe") == 0) {
			hog.probe = true;
			continue;
		}
		i++;
		if (strcmp(argv[i - 1], "--mib") == 0) {
			hog.huge = strtoul(value, NULL, 10) * 1048576 / HUGE_BYTES;
		} else if (strcmp(argv[i - 1], "--used") == 0) {
			hog.used = (unsigned)strtoul(value, NULL, 10);
		} else if (strcmp(argv[i - 1], "--rest") == 0) {
			hog.rest = (unsigned)strtoul(value, NULL, 10);
		} else if (strcmp(argv[i - 1], "--mode") == 0) {
			unsigned m = 0;

			while (m < 4 && strcmp(modes[m], value) != 0)
				m++;
			if (m == 4)
				return false;
			hog.mode = (enum mode)m;
		} else {
			return false;
		}
	}
	return hog.huge > 0 && hog.used <= 100;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term, .sa_flags = SA_RESTART };
	pthread_t threads[2];
	pid_t child = 0;
	sigset_t term;

	if (!parse(argc, argv)) {
		(void)fprintf(stderr,
			      "usage: hugehog [--mib N] [--used PERCENT] "
			      "[--mode plain|hidden|forked|locked] [--enable] [--rest USEC] "
			      "[--probe]\n");
		return 2;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &term, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	fill();
	if (hog.mode == FORKED) {
		child = fork();
		if (child < 0)
			die("fork", 2);
		if (child == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
			for (;;)
				(void)pause();
		}
	}
	if (pthread_create(&threads[0], NULL, checker, NULL) != 0 ||
	    (hog.probe && pthread_create(&threads[1], NULL, prober, NULL) != 0))
		die("pthread_create", 2);
	(void)printf("ready %d %p %zu\n", (int)getpid(), (void *)hog.at, hog.huge * HUGE_BYTES);
	(void)fflush(stdout);
	(void)sigemptyset(&term);
	while (!hog.stop)
		(void)sigsuspend(&term);
	(void)pthread_join(threads[0], NULL);
	if (hog.probe)
		(void)pthread_join(threads[1], NULL);
	if (child > 0) {
		(void)kill(child, SIGKILL);
		(void)waitpid(child, NULL, 0);
	}
	for (size_t huge = 0; huge < hog.huge; huge++)
		check_huge(huge, false);
	check_empty();
	(void)printf("rounds=%llu wrong=%llu\n", (unsigned long long)hog.passes,
		     (unsigned long long)hog.wrong);
	print_latency("touch", &hog.touch);
	if (hog.probe) {
		print_latency("fault", &hog.fault);
		print_latency("map", &hog.map);
	}
	return hog.wrong > 0 ? 1 : 0;
}
