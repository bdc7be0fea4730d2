/* SPDX-License-Identifier: MIT */
/*
 * Gives back what huge pages waste, while their process goes on. Two diseases: huge pages that are
 * mostly empty, and huge pages that the process gave back in part, which the kernel keeps whole.
 * One cure: the kernel is asked to split them, one at a time.
 */
#include "engine/reclaim.h"

#include <time.h>

#include "base/clock.h"
#include "base/parse.h"
#include "sys/pages.h"
#include "sys/paths.h"
#include "sys/proc.h"

#define DEFAULT_SAMPLE 512U
#define SLICE 32U /* huge pages between two reports of progress: 64 MiB */

#define DEBT_NS 20000000U /* how far behind its rate a run may be and catch up */

struct reclaim {
	const struct root *root;
	const struct reclaim_options *options;
	uint64_t start;
	struct pages pages;
	struct arena arena;
	page_ranges huge;
	page_addresses asked, partly;
	uint64_t total, done, next_ns;
	struct pages_turn turn;
	struct reclaim_result result;
};

static bool stopped(const struct reclaim *c)
{
	return c->options->stop && *c->options->stop;
}

/* Waits until the rate allows another huge page. */
static void pace(struct reclaim *c)
{
	uint64_t now = monotonic_ns();
	struct timespec t;

	if (c->options->max_rate == 0)
		return;
	/* The work is part of the time; but no burst makes up for a long delay. */
	if (c->next_ns + DEBT_NS < now)
		c->next_ns = now;
	c->next_ns += (uint64_t)((double)c->pages.huge * 1e9 / (double)c->options->max_rate);
	t.tv_sec = (time_t)(c->next_ns / 1000000000U);
	t.tv_nsec = (long)(c->next_ns % 1000000000U);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		if (stopped(c))
			return;
}

static int read_rss(const struct reclaim *c, int64_t *ret)
{
	struct proc proc;
	int r = proc_read(c->root, c->pages.pid, &proc);

	if (r < 0)
		return r;
	/* Exited and not waited for: its memory is gone. */
	if (proc.start != c->start || proc.rss_kb < 0)
		return -ESRCH;
	*ret = proc.rss_kb;
	return 0;
}

/* One more huge page is done. */
static int advance(struct reclaim *c)
{
	struct reclaim_progress p = { .done = c->done + c->pages.huge, .total = c->total };
	int64_t rss;
	int r;

	pages_take_turns(&c->turn);
	c->done = p.done;
	if (!c->options->progress || (p.done / c->pages.huge % SLICE != 0 && p.done < p.total))
		return 0;
	r = read_rss(c, &rss);
	if (r < 0)
		return r;
	if (rss < c->result.rss_before_kb)
		p.freed = (uint64_t)(c->result.rss_before_kb - rss) * 1024;
	c->options->progress(&p, c->options->data);
	return 0;
}

/*
 * RSS is what the kernel counts (/proc/PID/status), not smaps_rollup, for which it walks through
 * all page tables, with the mmap lock held for each mapping: 10 ms for a GiB in small pages.
 */
static int look(struct reclaim *c, int64_t *rss_kb, int64_t *huge_kb, int64_t *hidden_kb)
{
	uint64_t huge, hidden;
	int r = read_rss(c, rss_kb);

	if (r == 0)
		r = pages_find_huge(&c->pages, c->root, &c->arena, &c->huge, &huge);
	if (r < 0)
		return r;
	*huge_kb = (int64_t)(huge / 1024);
	r = pages_find_mapped(&c->pages, c->root, c->options->stop, &c->arena, &c->partly, &hidden);
	if (r >= 0)
		*hidden_kb = (int64_t)(hidden / 1024);
	return r == -EPERM || r == -EINTR ? 0 : r;
}

static int estimate_empty(struct reclaim *c, uint32_t n)
{
	struct reclaim_result *res = &c->result;
	uint64_t seed = c->start ^ (uint64_t)c->pages.pid;
	struct pages_sample sample;
	int r;

	if (!c->pages.scan || res->blind)
		return 0; /* it is not known where to look, or forbidden */
	r = pages_sample(&c->pages, &c->huge, n > 0 ? n : DEFAULT_SAMPLE, seed, &sample);
	if (r < 0)
		return r;
	if (sample.looked_at > 0)
		res->empty_kb = (int64_t)((double)res->huge_before_kb * (double)sample.empty /
					  (double)sample.looked_at);
	else if (res->huge_before_kb == 0)
		res->empty_kb = 0;
	return 0;
}

/* Linux 6.12, mm/huge_memory.c: "mm: remap unused subpages to shared zeropage when splitting". */
static bool frees_empty(const struct root *root)
{
	unsigned int major, minor;
	char release[64];

	if (root_read(root, PATH_OSRELEASE, release, sizeof(release)) < 0 ||
	    sscanf(release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 12);
}

static int begin(struct reclaim *c, int32_t pid)
{
	struct reclaim_result *res = &c->result;
	uint64_t huge;
	char size[32];
	int r;

	*res = (struct reclaim_result){ -1, -1, -1, -1, -1, -1, .empty_kb = -1 };
	res->frees_empty = frees_empty(c->root);
	if (root_read(c->root, PATH_THP "/hpage_pmd_size", size, sizeof(size)) < 0 ||
	    parse_uint(strip(size), 1ULL << 40, &huge) < 0 || huge == 0)
		return -EOPNOTSUPP;
	r = pages_open(c->root, pid, c->start, huge, &c->pages);
	if (r < 0)
		return r;
	res->blind = c->pages.mem < 0;
	r = look(c, &res->rss_before_kb, &res->huge_before_kb, &res->hidden_before_kb);
	if (r == 0)
		r = estimate_empty(c, c->options->sample);
	return r;
}

static void end(struct reclaim *c)
{
	pages_close(&c->pages);
	arena_free(&c->arena);
}

/* Has one huge page split. What is locked, or not there any more, is no failure. */
static int split(struct reclaim *c, uint64_t address)
{
	int r = pages_split(&c->pages, address);

	if (r == -EINVAL)
		c->result.locked++;
	if (r == -EINVAL || r == -ENOMEM)
		return 0;
	if (r < 0)
		return r;
	pace(c);
	return 1;
}

/*
 * One huge page: looks for empty parts, and has it split if it has any. The part that is named is
 * an empty one where possible, so that no page in use becomes a candidate for paging out.
 */
static int split_if_worth(struct reclaim *c, uint64_t huge)
{
	uint64_t address = huge, *asked;
	int r = pages_is_shared(&c->pages, huge);

	if (r == 1)
		c->result.shared++;
	if (r != 0)
		return r < 0 ? r : 0;
	if (c->result.blind && !c->options->all) {
		c->result.full++;
		return 0;
	}
	if (c->pages.scan && !c->result.blind) {
		r = pages_probe(&c->pages, huge, huge ^ c->start, &address);
		if (r == 0 && !c->options->all) {
			c->result.full++;
			return 0;
		}
	}
	if (r >= 0)
		r = split(c, address);
	if (r <= 0)
		return r;
	asked = array_add(&c->arena, &c->asked);
	if (!asked)
		return -ENOMEM;
	*asked = huge;
	c->result.splits++;
	return 0;
}

static int split_huge(struct reclaim *c)
{
	const struct page_range *range;

	array_foreach(range, &c->huge) {
		for (uint64_t at = range->start; at < range->end; at += c->pages.huge) {
			int r;

			if (stopped(c))
				return 0;
			r = split_if_worth(c, at);
			if (r == 0)
				r = advance(c);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int split_partly_mapped(struct reclaim *c)
{
	const uint64_t *address;

	array_foreach(address, &c->partly) {
		int r;

		if (stopped(c))
			return 0;
		r = split(c, *address);
		if (r >= 0)
			r = advance(c);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Of the huge pages that were asked to split, keeps those that are huge still; lists ascend. */
static void keep_refused(struct reclaim *c)
{
	size_t left = 0, range = 0;

	for (size_t i = 0; i < c->asked.n; i++) {
		while (range < c->huge.n && c->huge.items[range].end <= c->asked.items[i])
			range++;
		if (range < c->huge.n && c->huge.items[range].start <= c->asked.items[i])
			c->asked.items[left++] = c->asked.items[i];
	}
	c->asked.n = left;
}

/* What has not split may have been pinned or locked for a moment only: it is asked once more. */
static int look_again(struct reclaim *c)
{
	struct reclaim_result *res = &c->result;
	bool again = c->pages.scan && !res->interrupted;

	for (;;) {
		int r = look(c, &res->rss_after_kb, &res->huge_after_kb, &res->hidden_after_kb);

		if (r < 0)
			return r;
		keep_refused(c);
		if (!again || c->asked.n == 0)
			return 0;
		for (size_t i = 0; r >= 0 && i < c->asked.n && !stopped(c); i++)
			r = split(c, c->asked.items[i]);
		if (r < 0)
			return r;
		again = false;
	}
}

/* Kernels that do not tell which pages are huge tell how many. */
static uint64_t count_refused(const struct reclaim *c)
{
	const struct reclaim_result *res = &c->result;
	uint64_t left = (uint64_t)res->huge_after_kb * 1024 / c->pages.huge;
	uint64_t known = res->locked + res->shared;

	if (c->pages.scan)
		return c->asked.n;
	left = left > known ? left - known : 0;
	return left < res->splits ? left : res->splits;
}

static uint64_t total(const struct reclaim *c)
{
	uint64_t bytes = c->partly.n * c->pages.huge;
	const struct page_range *range;

	array_foreach(range, &c->huge)
		bytes += range->end - range->start;
	return bytes;
}

/**
 * reclaim_measure() - what a process has in huge pages, and how much of that is wasted
 * @root: the host; the running one
 * @pid: which process
 * @start: when it started, as proc_read() tells
 * @sample: base pages to sample, 0 for 512: then the empty share is right within 4.3 points in 95
 *          of 100 cases, and costs 1 to 2 ms whatever the size of the process
 * @ret: what was found, in the fields that end in _before_kb and empty_kb
 *
 * The rest costs 1 ms for a GiB in small pages, and what pages_find_mapped() says.
 *
 * Return: 0; -ESRCH when the process has ended; -EPERM, -EACCES; -EOPNOTSUPP on kernels without
 * THP; -ENOSYS before Linux 5.10; another negative errno.
 */
int reclaim_measure(const struct root *root, int32_t pid, uint64_t start, uint32_t sample,
		    struct reclaim_result *ret)
{
	const struct reclaim_options options = { .sample = sample };
	struct reclaim c = {
		.root = root, .options = &options, .start = start, .pages = PAGES_CLOSED
	};
	int r = begin(&c, pid);

	if (r == 0)
		*ret = c.result;
	end(&c);
	return r;
}

/**
 * reclaim_process() - gives back what the huge pages of a process waste
 * @root: the host; the running one
 * @pid: which process
 * @start: when it started, as proc_read() tells
 * @options: how
 * @ret: what it was before, what was done, what it is now; all of it read from the kernel
 *
 * Contents never change and nothing is paged out; it may stop at any point, and what is split stays
 * split.
 *
 * Return: 0, also when interrupted; -ESRCH when the process has ended, at whatever point; else as
 * reclaim_measure().
 */
int reclaim_process(const struct root *root, int32_t pid, uint64_t start,
		    const struct reclaim_options *options, struct reclaim_result *ret)
{
	struct reclaim c = {
		.root = root, .options = options, .start = start, .pages = PAGES_CLOSED
	};
	int r = begin(&c, pid);

	/* A page that is mapped as a huge one holds nothing that older kernels would free. */
	if (!c.result.frees_empty && !options->all)
		c.huge.n = 0;
	if (r == 0) {
		c.total = total(&c);
		r = split_huge(&c);
	}
	if (r >= 0 && !stopped(&c))
		r = split_partly_mapped(&c);
	if (r >= 0) {
		c.result.interrupted = stopped(&c);
		r = look_again(&c);
	}
	if (r >= 0) {
		c.result.refused = count_refused(&c);
		*ret = c.result;
		r = 0;
	}
	end(&c);
	return r;
}
