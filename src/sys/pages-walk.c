/* SPDX-License-Identifier: MIT */
/*
 * Which memory of a process is private and anonymous, and which parts of that are huge or small.
 *
 * All of it takes the mmap lock of the process for reading, and for as long as a call lasts its own
 * mmap(2), munmap(2), brk(2) and fork(2) wait. /proc/PID/smaps and smaps_rollup hold it for a whole
 * mapping: 10 ms for each GiB in small pages. So kinds of pages are asked for in windows, with
 * pauses.
 */
#include "sys/pages-walk.h"

#include <sys/ioctl.h>
#include <time.h>

#include "base/clock.h"
#include "sys/lines.h"

/*
 * What one call looks at, at most, and how much of what it is to find. To pass over 1 GiB of small
 * pages when huge ones are looked for takes 1 ms; to find 64 MiB of small ones 0.3 ms; holes take
 * nothing.
 */
#define WINDOW (1ULL << 30)
#define FIND (64ULL << 20)

#define TURN_NS 300000U
#define PAUSE_NS 50000U /* and as much again for timer slack, prctl(2) */

/**
 * pages_take_turns() - leaves a process its locks for a moment, if we have been at them for long
 * @turn: when we began; zero at first
 *
 * To be called between any two calls that take the mmap lock. That each of them is short is not
 * enough: the kernel lets a reader that comes back at once pass a writer that waits, until that has
 * waited for 4 ms (kernel/locking/rwsem.c, rwsem_down_read_slowpath(), RWSEM_WAIT_TIMEOUT). Without
 * pauses, an mmap(2) of the process took 17 to 27 ms while its huge pages were split one by one,
 * and 20 to 90 ms while small pages were looked at.
 *
 * For the same reason, whoever calls this should not run at a lower priority than the process: it
 * might be set aside while it holds the lock.
 */
void pages_take_turns(struct pages_turn *turn)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t now = monotonic_ns();

	if (now - turn->began_ns < TURN_NS)
		return;
	/* At first, we have not begun yet. */
	if (turn->began_ns > 0) {
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		now += PAUSE_NS;
	}
	turn->began_ns = now;
}

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN _IOWR('f', 16, struct scan_arg)

/** pages_can_scan() - whether the kernel has PAGEMAP_SCAN, Linux 6.7 */
bool pages_can_scan(int pagemap)
{
	struct scan_arg arg = { .size = sizeof(arg) };

	return ioctl(pagemap, SCAN, &arg) >= 0;
}

static int scan_window(struct pages_walk *w)
{
	const uint64_t huge = w->pages->huge, window = huge > WINDOW ? huge : WINDOW;
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = w->at,
		.end = w->end - w->at > window ? w->at + window : w->end,
		.vec = (uintptr_t)w->found,
		.vec_len = ARRAY_SIZE(w->found),
		.max_pages = (huge > FIND ? huge : FIND) / w->pages->page,
		.category_mask = w->are | w->are_not,
		.category_inverted = w->are_not,
		.return_mask = w->are,
	};
	int n;

	pages_take_turns(&w->turn);
	do
		n = ioctl(w->pages->pagemap, SCAN, &arg);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	w->at = arg.walk_end;
	w->i = 0;
	w->n = (size_t)n;
	return 0;
}

/**
 * pages_next() - the next part of a range whose pages are of the kinds asked for
 * @w: the walk: pages, at, end, are and are_not are set by the caller, all else is zero
 * @ret: the part; one that crosses a window comes in two
 *
 * PAGE_IS_FILE is not asked for: the kernel would look at every small page's struct page, which
 * takes ten times as long (fs/proc/task_mmu.c, pagemap_page_category()).
 *
 * Return: 1; 0 at the end; -ESRCH when the address space is gone; another negative errno.
 */
int pages_next(struct pages_walk *w, struct page_range *ret)
{
	while (w->i == w->n) {
		int r;

		if (w->at >= w->end)
			return 0;
		r = scan_window(w);
		if (r < 0)
			return r;
	}
	ret->start = w->found[w->i].start;
	ret->end = w->found[w->i].end;
	w->i++;
	return 1;
}

/**
 * pages_read_pagemap() - what the kernel says of base pages that follow each other
 * @p: the process
 * @address: of the first
 * @ret: PM_* of each
 * @n: how many
 *
 * Return: of how many it told, less than @n at the end of the address space; -ESRCH when that is
 * gone; another negative errno.
 */
ssize_t pages_read_pagemap(const struct pages *p, uint64_t address, uint64_t *ret, size_t n)
{
	ssize_t got = pread(p->pagemap, ret, n * sizeof(*ret),
			    (off_t)(address / p->page * sizeof(*ret)));

	if (got < 0)
		return -errno;
	got /= (ssize_t)sizeof(*ret);
	return got > 0 ? got : -ESRCH;
}

/*
 * A line of /proc/PID/maps: START-END PERMS OFFSET DEV INODE [NAME]. Private, no file behind it,
 * and none of the kernel's own mappings ([vdso], [vvar], [vsyscall]).
 */
static bool parse_area(const char *line, struct page_range *ret)
{
	int name = 0;
	char perms[5];
	unsigned long long start, end, inode;

	if (sscanf(line, "%llx-%llx %4s %*s %*s %llu %n", &start, &end, perms, &inode, &name) < 4)
		return false;
	line += name;
	if (perms[3] != 'p' || inode != 0 ||
	    (*line == '[' && !startswith(line, "[anon") && !startswith(line, "[heap]") &&
	     !startswith(line, "[stack")))
		return false;
	*ret = (struct page_range){ start, end };
	return true;
}

/**
 * pages_read_areas() - the private anonymous memory of a process
 * @p: the process
 * @root: the host
 * @numbers: have the kernel count what is resident in it, and of that in huge pages; on kernels
 *           that have nothing better, see above
 * @a: where the areas will live
 * @ret: the areas, ascending
 *
 * Return: 0; -ESRCH when the process has ended; another negative errno.
 */
int pages_read_areas(const struct pages *p, const struct root *root, bool numbers, struct arena *a,
		     pages_areas *ret)
{
	_cleanup_close_ int fd = root_open_below(root, p->dir, numbers ? "smaps" : "maps",
						 O_RDONLY | O_NOCTTY);
	struct lines lines = { .fd = fd };
	struct pages_area *area = NULL;
	pages_areas areas = { 0 };
	char *line;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	while ((r = lines_next(&lines, &line)) > 0) {
		struct page_range range;

		/* Addresses are in lower case, the names of numbers begin in upper case. */
		if (*line >= 'A' && *line <= 'Z') {
			if (area && !line_number(line, "Rss:", &area->rss_kb))
				(void)line_number(line, "AnonHugePages:", &area->huge_kb);
			continue;
		}
		area = NULL;
		if (!parse_area(line, &range))
			continue;
		area = array_add(a, &areas);
		if (!area)
			return -ENOMEM;
		area->range = range;
	}
	if (r < 0)
		return r;
	*ret = areas;
	return 0;
}
