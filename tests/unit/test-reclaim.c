/* SPDX-License-Identifier: MIT */
/* Huge pages of live processes: found, measured, split. Needs root and a kernel with THP. */
#include "helper.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "engine/reclaim.h"
#include "sys/pages-walk.h"
#include "sys/proc.h"

#ifndef PR_SET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define HUGE_BYTES (2UL << 20)
#define PAGE_BYTES 4096UL
#define MIB 64L
#define HUGE_PAGES (MIB / 2)
#define KB (MIB * 1024)
#define HIDDEN 504 /* of 512 base pages, by hide() */

/* A process with huge pages that checks its contents until it is told to end. */
struct victim {
	pid_t pid;
	uint64_t start;
	unsigned char *at; /* there */
	int control;	   /* closed: end */
};

/* How its huge pages are filled; what is done to them once they are there. */
struct plan {
	long mib;
	unsigned full_of_8; /* so many of eight huge pages are full, the others hold one byte */
	bool hide, lock, share, pin;
};

static const struct root host = ROOT_LIVE;
static struct arena scratch;

static bool is_full(const struct plan *plan, size_t huge)
{
	return huge % 8 < plan->full_of_8;
}

static unsigned char value(size_t huge, unsigned round)
{
	return (unsigned char)(1 + (huge * 7 + round) % 200);
}

/* The byte that is used in every huge page; far enough from its begin to be of no help. */
static unsigned char *byte_of(unsigned char *at, const struct plan *plan, size_t huge)
{
	return at + huge * HUGE_BYTES + (plan->hide ? 5000 : huge * 40961 % HUGE_BYTES);
}

static void fill(unsigned char *at, const struct plan *plan)
{
	for (size_t huge = 0; huge < (size_t)plan->mib / 2; huge++) {
		if (is_full(plan, huge))
			memset(at + huge * HUGE_BYTES, 0xee, HUGE_BYTES);
		*byte_of(at, plan, huge) = value(huge, 0);
	}
}

/* All of it, used and not. */
static bool is_right(unsigned char *at, const struct plan *plan, unsigned round)
{
	for (size_t huge = 0; huge < (size_t)plan->mib / 2; huge++) {
		unsigned char *used = byte_of(at, plan, huge), *begin = at + huge * HUGE_BYTES;
		unsigned char rest = is_full(plan, huge) ? 0xee : 0;

		if (*used != value(huge, round))
			return false;
		for (unsigned char *p = begin; p < begin + HUGE_BYTES; p++)
			if (p != used && *p != rest)
				return false;
	}
	return true;
}

/* Keeps four base pages at both ends; one between them is used anew, and is a small one now. */
static void hide(unsigned char *huge)
{
	if (madvise(huge + 4 * PAGE_BYTES, HUGE_BYTES - 8 * PAGE_BYTES, MADV_DONTNEED) < 0)
		_exit(13);
	*(volatile unsigned char *)(huge + 100 * PAGE_BYTES) = 0;
}

static unsigned char *make_huge(const struct plan *plan)
{
	size_t size = (size_t)plan->mib << 20;
	unsigned char *p = mmap(NULL, size + HUGE_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(10);
	p = (unsigned char *)(((uintptr_t)p + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	(void)madvise(p, size, MADV_HUGEPAGE);
	fill(p, plan);
	/* Also where the host says never; and nothing is to make new ones out of what was split. */
	if (madvise(p, size, MADV_COLLAPSE) < 0 ||
	    prctl(PR_SET_THP_DISABLE, 1UL, 0UL, 0UL, 0UL) < 0)
		_exit(11);
	/* Not mlock(), which sanitizers replace by nothing. */
	if (plan->lock && syscall(SYS_mlock, p, size) < 0)
		_exit(12);
	for (size_t huge = 0; plan->hide && huge < (size_t)plan->mib / 2; huge++)
		hide(p + huge * HUGE_BYTES);
	return p;
}

/* The first page of the second huge page is in a pipe, too: a reference that the kernel minds. */
static void pin(unsigned char *at)
{
	struct iovec one = { at + HUGE_BYTES, PAGE_BYTES };
	int fds[2];

	if (pipe(fds) < 0 || vmsplice(fds[1], &one, 1, 0) != (ssize_t)PAGE_BYTES)
		_exit(14);
}

static void become_sleep(int sig)
{
	(void)sig;
	(void)execl("/bin/sleep", "sleep", "60", (char *)NULL);
	_exit(16);
}

/* Never returns. Exit status 0: every value that was read was the right one. */
static void live(const struct plan *plan, int ready, int control)
{
	unsigned char *at = make_huge(plan);
	unsigned round = 0;
	char c;

	(void)fcntl(control, F_SETFL, O_NONBLOCK);
	(void)signal(SIGUSR1, become_sleep);
	if (plan->pin)
		pin(at);
	if (plan->share && fork() == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			(void)pause();
	}
	if (write(ready, &at, sizeof(at)) != sizeof(at))
		_exit(15);
	while (read(control, &c, 1) < 0) {
		for (size_t huge = 0; huge < (size_t)plan->mib / 2; huge++) {
			volatile unsigned char *used = byte_of(at, plan, huge);

			if (*used != value(huge, round))
				_exit(1);
			if (!plan->share)
				*used = value(huge, round + 1);
		}
		round += !plan->share;
		(void)usleep(100);
	}
	_exit(is_right(at, plan, round) ? 0 : 2);
}

static struct victim start_victim(struct plan plan)
{
	int ready[2], control[2];
	struct victim v = { 0 };
	struct proc proc;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(control, O_CLOEXEC), 0);
	v.pid = fork();
	ck_assert_int_ge(v.pid, 0);
	if (v.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		(void)close(control[1]);
		live(&plan, ready[1], control[0]);
	}
	(void)close(ready[1]);
	(void)close(control[0]);
	v.control = control[1];
	ck_assert_int_eq(read(ready[0], &v.at, sizeof(v.at)), sizeof(v.at));
	(void)close(ready[0]);
	ck_assert_int_eq(proc_read(&host, v.pid, &proc), 0);
	v.start = proc.start;
	return v;
}

static void end_victim(struct victim *v)
{
	int status;

	(void)close(v->control);
	ck_assert_int_eq(waitpid(v->pid, &status, 0), v->pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "victim ended with status 0x%x", (unsigned)status);
}

static struct reclaim_result reclaim(const struct victim *v, struct reclaim_options options)
{
	struct reclaim_result result;

	ck_assert_int_eq(reclaim_process(&host, v->pid, v->start, &options, &result), 0);
	return result;
}

/* Before Linux 6.12, to split a huge page frees nothing: it is done only if all are to go. */
static void check_old_kernel(const struct victim *v)
{
	struct reclaim_result r = reclaim(v, (struct reclaim_options){ 0 });

	ck_assert_int_eq(r.splits, 0);
	ck_assert_int_eq(r.huge_after_kb, KB);
	r = reclaim(v, (struct reclaim_options){ .all = true });
	ck_assert_int_eq(r.splits, HUGE_PAGES);
	ck_assert_int_eq(r.refused, 0);
	ck_assert_int_eq(r.huge_after_kb, 0);
	ck_assert_int_le(r.rss_before_kb - r.rss_after_kb, KB / 100);
}

START_TEST(empty_parts_come_back)
{
	struct victim v = start_victim((struct plan){ .mib = MIB });
	struct reclaim_result r = { 0 };

	ck_assert_int_eq(reclaim_measure(&host, v.pid, v.start, 0, &r), 0);
	ck_assert_int_eq(r.huge_before_kb, KB);
	ck_assert_int_eq(r.hidden_before_kb, 0);
	ck_assert_int_eq(r.rss_after_kb, -1);
	if (!r.frees_empty) {
		check_old_kernel(&v);
		end_victim(&v);
		return;
	}
	ck_assert_int_ge(r.empty_kb, KB * 95 / 100);

	r = reclaim(&v, (struct reclaim_options){ 0 });
	ck_assert_int_eq(r.huge_before_kb, KB);
	ck_assert_int_eq(r.huge_after_kb, 0);
	ck_assert_int_eq(r.splits, HUGE_PAGES);
	ck_assert_int_eq(r.refused + r.full + r.shared + r.locked, 0);
	ck_assert(!r.interrupted);
	ck_assert_int_ge(r.rss_before_kb - r.rss_after_kb, KB * 99 / 100);

	/* Nothing is left to do. */
	r = reclaim(&v, (struct reclaim_options){ .all = true });
	ck_assert_int_eq(r.splits, 0);
	ck_assert_int_eq(r.empty_kb, 0);
	end_victim(&v);
}
END_TEST

START_TEST(full_ones_stay_huge)
{
	struct victim v = start_victim((struct plan){ .mib = MIB, .full_of_8 = 6 });
	struct reclaim_result r = reclaim(&v, (struct reclaim_options){ 0 });

	if (!r.frees_empty) {
		check_old_kernel(&v);
		end_victim(&v);
		return;
	}
	ck_assert_int_eq(r.full, HUGE_PAGES / 8 * 6);
	ck_assert_int_eq(r.splits, HUGE_PAGES / 8 * 2);
	ck_assert_int_eq(r.huge_after_kb, KB / 8 * 6);
	ck_assert_int_ge(r.rss_before_kb - r.rss_after_kb, KB / 8 * 2 * 98 / 100);
	/* Six times the standard error of a sample of 512. */
	ck_assert_int_ge(r.empty_kb, KB * (25 - 12) / 100);
	ck_assert_int_le(r.empty_kb, KB * (25 + 12) / 100);

	r = reclaim(&v, (struct reclaim_options){ .all = true });
	ck_assert_int_eq(r.splits, HUGE_PAGES / 8 * 6);
	ck_assert_int_eq(r.huge_after_kb, 0);
	end_victim(&v);
}
END_TEST

START_TEST(hidden_memory_comes_back)
{
	struct victim v = start_victim((struct plan){ .mib = MIB, .hide = true });
	struct reclaim_result r = reclaim(&v, (struct reclaim_options){ 0 });

	ck_assert_int_eq(r.huge_before_kb, 0);
	ck_assert_int_eq(r.hidden_before_kb, KB / 512 * HIDDEN);
	ck_assert_int_eq(r.hidden_after_kb, 0);
	ck_assert_int_eq(r.splits, 0);
	end_victim(&v);
}
END_TEST

START_TEST(locked_memory_is_left)
{
	struct victim v = start_victim((struct plan){ .mib = MIB, .lock = true });
	struct reclaim_result r = reclaim(&v, (struct reclaim_options){ .all = true });

	ck_assert_int_eq(r.locked, HUGE_PAGES);
	ck_assert_int_eq(r.splits, 0);
	ck_assert_int_eq(r.huge_after_kb, KB);
	end_victim(&v);
}
END_TEST

/* What a child shares cannot be split; nor may a look at it make copies. */
START_TEST(shared_memory_is_left)
{
	struct victim v = start_victim((struct plan){ .mib = MIB, .share = true });
	struct reclaim_result r = reclaim(&v,
					  (struct reclaim_options){ .sample = 4096, .all = true });

	ck_assert_int_eq(r.shared, HUGE_PAGES);
	ck_assert_int_eq(r.splits, 0);
	ck_assert_int_eq(r.huge_after_kb, KB);
	if (r.frees_empty)
		ck_assert_int_ge(r.empty_kb, KB * 95 / 100);
	end_victim(&v);
}
END_TEST

/* Nor can what it hides, while a child has the same parts mapped; so it does not count. */
START_TEST(shared_hidden_memory_is_left)
{
	struct victim v = start_victim((struct plan){ .mib = MIB, .share = true, .hide = true });
	struct reclaim_result r = reclaim(&v, (struct reclaim_options){ 0 });

	ck_assert_int_eq(r.hidden_before_kb, 0);
	ck_assert_int_eq(r.hidden_after_kb, 0);
	end_victim(&v);
}
END_TEST

START_TEST(pinned_page_is_refused)
{
	struct victim v = start_victim((struct plan){ .mib = MIB, .pin = true });
	struct reclaim_result r = reclaim(&v, (struct reclaim_options){ .all = true });

	ck_assert_int_eq(r.splits, HUGE_PAGES);
	ck_assert_int_eq(r.refused, 1);
	ck_assert_int_eq(r.huge_after_kb, HUGE_BYTES / 1024);
	end_victim(&v);
}
END_TEST

/* What a run tells on its way, and what is done to it there. */
struct watch {
	struct victim *victim;
	bool kill, exec, stop_it;
	volatile sig_atomic_t stop;
	unsigned n;
	struct reclaim_progress last;
};

static void on_progress(const struct reclaim_progress *p, void *data)
{
	struct watch *w = data;

	ck_assert_int_gt(p->done, w->last.done);
	ck_assert_int_le(p->done, p->total);
	w->last = *p;
	w->n++;
	if (w->stop_it)
		w->stop = 1;
	if (w->kill)
		ck_assert_int_eq(kill(w->victim->pid, SIGKILL), 0);
	if (w->exec)
		ck_assert_int_eq(kill(w->victim->pid, SIGUSR1), 0);
	while (w->exec) {
		struct proc proc;

		ck_assert_int_eq(proc_read(&host, w->victim->pid, &proc), 0);
		w->exec = !streq(proc.comm, "sleep");
	}
}

START_TEST(progress_is_told)
{
	struct victim v = start_victim((struct plan){ .mib = 2 * MIB });
	struct watch w = { .victim = &v };
	struct reclaim_options options = { .all = true, .progress = on_progress, .data = &w };
	struct reclaim_result r = reclaim(&v, options);

	ck_assert_int_eq(r.splits, 2 * HUGE_PAGES);
	ck_assert_int_eq(w.n, 2);
	ck_assert_int_eq(w.last.done, 2 * MIB << 20);
	ck_assert_int_eq(w.last.total, 2 * MIB << 20);
	if (r.frees_empty)
		ck_assert_int_ge(w.last.freed, (2 * MIB << 20) * 99 / 100);
	end_victim(&v);
}
END_TEST

START_TEST(stops_when_told)
{
	struct victim v = start_victim((struct plan){ .mib = 2 * MIB });
	struct watch w = { .victim = &v, .stop_it = true };
	struct reclaim_options options = {
		.all = true, .progress = on_progress, .data = &w, .stop = &w.stop
	};
	struct reclaim_result r = reclaim(&v, options);

	ck_assert(r.interrupted);
	ck_assert_int_eq(r.splits, HUGE_PAGES);
	ck_assert_int_eq(r.huge_after_kb, KB);

	r = reclaim(&v, (struct reclaim_options){ .all = true });
	ck_assert(!r.interrupted);
	ck_assert_int_ge(r.splits, HUGE_PAGES); /* old kernels do not tell which are left */
	ck_assert_int_eq(r.huge_after_kb, 0);
	end_victim(&v);
}
END_TEST

START_TEST(process_that_ends_midway)
{
	struct victim v = start_victim((struct plan){ .mib = 2 * MIB });
	struct watch w = { .victim = &v, .kill = true };
	struct reclaim_options options = { .all = true, .progress = on_progress, .data = &w };
	struct reclaim_result r = { .splits = 4711 };

	ck_assert_int_eq(reclaim_process(&host, v.pid, v.start, &options, &r), -ESRCH);
	ck_assert_int_eq(r.splits, 4711);
	ck_assert_int_eq(w.n, 1);
	/* Not waited for, it still has its pid. */
	ck_assert_int_eq(reclaim_process(&host, v.pid, v.start, &options, &r), -ESRCH);
	ck_assert_int_eq(waitpid(v.pid, NULL, 0), v.pid);
	ck_assert_int_eq(reclaim_process(&host, v.pid, v.start, &options, &r), -ESRCH);
	ck_assert_int_eq(r.splits, 4711);
	(void)close(v.control);
}
END_TEST

START_TEST(process_that_becomes_another_program)
{
	struct victim v = start_victim((struct plan){ .mib = 2 * MIB });
	struct watch w = { .victim = &v, .exec = true };
	struct reclaim_options options = { .all = true, .progress = on_progress, .data = &w };
	struct reclaim_result r;
	int status;

	ck_assert_int_eq(reclaim_process(&host, v.pid, v.start, &options, &r), -ESRCH);
	ck_assert_int_eq(w.n, 1);
	ck_assert_int_eq(reclaim_process(&host, v.pid, v.start, &options, &r), 0);
	ck_assert_int_eq(r.huge_before_kb, 0);
	ck_assert_int_eq(kill(v.pid, SIGTERM), 0);
	ck_assert_int_eq(waitpid(v.pid, &status, 0), v.pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	(void)close(v.control);
}
END_TEST

START_TEST(another_process_is_not_touched)
{
	struct victim v = start_victim((struct plan){ .mib = 2 });
	const struct reclaim_options options = { 0 };
	struct root tree = { .fd = -1 };
	struct pages p = PAGES_CLOSED;
	struct reclaim_result r;

	ck_assert_int_eq(reclaim_process(&host, v.pid, v.start - 1, &options, &r), -ESRCH);
	ck_assert_int_eq(reclaim_measure(&host, v.pid, v.start + 1, 0, &r), -ESRCH);
	ck_assert_int_eq(pages_open(&host, v.pid, v.start + 1, HUGE_BYTES, &p), -ESRCH);
	ck_assert_int_eq(p.pidfd, -1);
	ck_assert_int_eq(root_open_tree(tree_make(&scratch, NULL, 0), &tree), 0);
	tree_add(tree.path, "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n");
	ck_assert_int_eq(reclaim_process(&tree, v.pid, v.start, &options, &r), -EOPNOTSUPP);
	root_close(&tree);
	ck_assert_int_eq(reclaim_measure(&host, v.pid, v.start, 0, &r), 0);
	ck_assert_int_eq(r.huge_before_kb, 2048);
	end_victim(&v);
}
END_TEST

START_TEST(rate_is_kept)
{
	struct victim v = start_victim((struct plan){ .mib = MIB });
	struct timespec begin, end;
	double seconds;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &begin), 0);
	(void)reclaim(&v, (struct reclaim_options){ .all = true, .max_rate = (uint64_t)MIB << 21 });
	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &end), 0);
	seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	ck_assert_double_ge(seconds, 0.49);
	ck_assert_double_le(seconds, 10);
	end_victim(&v);
}
END_TEST

/* As kernels before 6.7 have it: regions from smaps, page frames from the whole of them. */
START_TEST(without_pagemap_scan)
{
	struct victim v = start_victim((struct plan){ .mib = MIB });
	_cleanup_pages_ struct pages p = PAGES_CLOSED, q = PAGES_CLOSED;
	page_addresses addresses;
	page_ranges ranges;
	uint64_t bytes, there = 0;

	ck_assert_int_eq(pages_open(&host, v.pid, v.start, HUGE_BYTES, &p), 0);
	p.scan = false;
	ck_assert_int_eq(pages_find_huge(&p, &host, &scratch, &ranges, &bytes), 0);
	ck_assert_int_eq(bytes, MIB << 20);
	for (size_t i = 0; i < ranges.n; i++)
		there += ranges.items[i].start <= (uintptr_t)v.at &&
			 (uintptr_t)v.at + (MIB << 20) <= ranges.items[i].end;
	ck_assert_int_eq(there, 1);
	end_victim(&v);

	v = start_victim((struct plan){ .mib = MIB, .hide = true });
	ck_assert_int_eq(pages_open(&host, v.pid, v.start, HUGE_BYTES, &q), 0);
	q.scan = false;
	ck_assert_int_eq(pages_find_mapped(&q, &host, NULL, &scratch, &addresses, &bytes), 0);
	ck_assert_int_eq(bytes, (MIB << 20) / 512 * HIDDEN);
	ck_assert_int_eq(addresses.n, HUGE_PAGES);
	ck_assert_int_eq(pages_find_huge(&q, &host, &scratch, &ranges, &bytes), 0);
	ck_assert_int_eq(bytes, 0);
	ck_assert_int_eq(ranges.n, 0);
	end_victim(&v);
}
END_TEST

START_TEST(sample_is_the_same_for_a_seed)
{
	struct victim v = start_victim((struct plan){ .mib = MIB, .full_of_8 = 4 });
	_cleanup_pages_ struct pages p = PAGES_CLOSED;
	struct pages_sample one, same, other;
	uint64_t bytes, address = 0, found = 0;
	page_ranges ranges;

	ck_assert_int_eq(pages_open(&host, v.pid, v.start, HUGE_BYTES, &p), 0);
	ck_assert_int_eq(pages_find_huge(&p, &host, &scratch, &ranges, &bytes), 0);
	ck_assert_int_eq(bytes, MIB << 20);
	ck_assert_int_eq(pages_sample(&p, &ranges, 2000, 1, &one), 0);
	ck_assert_int_eq(pages_sample(&p, &ranges, 2000, 1, &same), 0);
	ck_assert_int_eq(pages_sample(&p, &ranges, 2000, 2, &other), 0);
	ck_assert_int_eq(one.looked_at, 2000);
	ck_assert_int_eq(one.empty, same.empty);
	ck_assert_int_ne(one.empty, other.empty);
	/* Six standard errors. */
	ck_assert_int_ge(one.empty, 1000 - 134);
	ck_assert_int_le(one.empty, 1000 + 134);
	for (size_t huge = 0; huge < HUGE_PAGES; huge++) {
		uint64_t at = (uintptr_t)v.at + huge * HUGE_BYTES;
		int r = pages_probe(&p, at, 7, &address);

		ck_assert_int_ge(r, 0);
		ck_assert(r == 0 || (address >= at && address < at + HUGE_BYTES));
		found += (uint64_t)r;
	}
	ck_assert_int_eq(found, HUGE_PAGES / 2);
	end_victim(&v);
}
END_TEST

static const char maps[] =
	"00400000-00500000 r-xp 00000000 fe:00 1234                               /usr/bin/x\n"
	"00600000-00601000 rw-p 00000000 00:00 0 \n"
	"01000000-02000000 rw-p 00000000 00:00 0                                  [heap]\n"
	"7f0000000000-7f0000400000 rw-p 00000000 00:00 0                          [anon:a pool]\n"
	"7f0000400000-7f0000800000 rw-s 00000000 00:01 77                 /dev/zero (deleted)\n"
	"7f0000800000-7f0000c00000 rw-p 00000000 00:0f 88             /anon_hugepage (deleted)\n"
	"7f0000c00000-7f0000d00000 rw-s 00000000 00:00 0 \n"
	"7f0000d00000-7f0001000000 ---p 00000000 00:00 0 \n"
	"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
	"7ffc00030000-7ffc00034000 r--p 00000000 00:00 0                          [vvar]\n"
	"7ffc00034000-7ffc00036000 r-xp 00000000 00:00 0                          [vdso]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

static const char smaps[] =
	"7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \n"
	"Size:               4096 kB\n"
	"Rss:                2100 kB\n"
	"AnonHugePages:      2048 kB\n"
	"VmFlags: rd wr mr mw me ac hg\n"
	"7f0000400000-7f0000800000 rw-s 00000000 00:01 77     /dev/zero (deleted)\n"
	"Rss:                4096 kB\n"
	"AnonHugePages:      4096 kB\n"
	"7f0000800000-7f0000900000 rw-p 00000000 00:00 0 \n"
	"Rss:                   8 kB\n";

START_TEST(areas_are_private_and_anonymous)
{
	static const uint64_t starts[] = { 0x600000, 0x1000000, 0x7f0000000000, 0x7f0000d00000,
					   0x7ffc00000000 };
	const struct file files[] = { { "/1/maps", maps }, { "/1/smaps", smaps } };
	struct pages p = PAGES_CLOSED;
	struct root tree = { .fd = -1 };
	pages_areas areas;

	ck_assert_int_eq(root_open_tree(tree_make(&scratch, files, ARRAY_SIZE(files)), &tree), 0);
	p.dir = root_open(&tree, "/1", O_PATH | O_DIRECTORY);
	ck_assert_int_ge(p.dir, 0);
	ck_assert_int_eq(pages_read_areas(&p, &tree, false, &scratch, &areas), 0);
	ck_assert_int_eq(areas.n, ARRAY_SIZE(starts));
	for (size_t i = 0; i < areas.n; i++)
		ck_assert_int_eq(areas.items[i].range.start, starts[i]);
	ck_assert_int_eq(areas.items[2].range.end, 0x7f0000400000);

	ck_assert_int_eq(pages_read_areas(&p, &tree, true, &scratch, &areas), 0);
	ck_assert_int_eq(areas.n, 2);
	ck_assert_int_eq(areas.items[0].rss_kb, 2100);
	ck_assert_int_eq(areas.items[0].huge_kb, 2048);
	ck_assert_int_eq(areas.items[1].rss_kb, 8);
	ck_assert_int_eq(areas.items[1].huge_kb, 0);
	pages_close(&p);
	root_close(&tree);
}
END_TEST

/* Why this machine cannot run them, or NULL. */
static const char *unable(void)
{
	const struct reclaim_options options = { 0 };
	struct reclaim_result r;
	struct proc self;
	int err;

	if (geteuid() != 0)
		return "needs root";
	err = proc_read(&host, getpid(), &self);
	if (err == 0)
		err = reclaim_process(&host, self.pid, self.start, &options, &r);
	if (err == -EOPNOTSUPP)
		return "this kernel has no transparent huge pages";
	if (err == -ENOSYS || err == -EPERM || err == -EACCES)
		return "process_madvise(2) is not to be had";
	if (err == 0 && r.blind)
		return "ptrace_scope forbids to look into other processes";
	return NULL;
}

int main(void)
{
	Suite *s = suite_create("reclaim");
	const char *why = unable();
	TCase *c;
	int r;

	if (why) {
		(void)printf("1..1\nok 1 - reclaim # SKIP %s\n", why);
		return 0;
	}
	test_dir_make();
	c = new_case(s, "reclaim");
	tcase_add_test(c, empty_parts_come_back);
	tcase_add_test(c, full_ones_stay_huge);
	tcase_add_test(c, hidden_memory_comes_back);
	tcase_add_test(c, locked_memory_is_left);
	tcase_add_test(c, shared_memory_is_left);
	tcase_add_test(c, shared_hidden_memory_is_left);
	tcase_add_test(c, pinned_page_is_refused);
	tcase_add_test(c, progress_is_told);
	tcase_add_test(c, stops_when_told);
	tcase_add_test(c, process_that_ends_midway);
	tcase_add_test(c, process_that_becomes_another_program);
	tcase_add_test(c, another_process_is_not_touched);
	tcase_add_test(c, rate_is_kept);
	c = new_case(s, "pages");
	tcase_add_test(c, without_pagemap_scan);
	tcase_add_test(c, sample_is_the_same_for_a_seed);
	tcase_add_test(c, areas_are_private_and_anonymous);
	r = run_suite(s);
	arena_free(&scratch);
	test_dir_remove();
	return r;
}
