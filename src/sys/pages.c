/* SPDX-License-Identifier: MIT */
/* The huge pages of another process, and how to have the kernel split them. */
#include "sys/pages.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "sys/pages-walk.h"
#include "sys/paths.h"
#include "sys/proc.h"

#ifndef MADV_COLD
#define MADV_COLD 20 /* Linux 5.4 */
#endif

static int open_one(const struct root *root, int dir, const char *name)
{
	int fd = root_open_below(root, dir, name, O_RDONLY | O_NOCTTY);

	return fd == -ENOENT ? -ESRCH : fd;
}

static int open_all(const struct root *root, uint64_t start, struct pages *p)
{
	char path[sizeof(PATH_PROC) + 16];
	struct proc proc;
	int r;

	(void)snprintf(path, sizeof(path), PATH_PROC "/%d", (int)p->pid);
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0)
		return -errno;
	p->dir = root_open(root, path, O_PATH | O_DIRECTORY);
	if (p->dir < 0)
		return p->dir == -ENOENT ? -ESRCH : p->dir;
	p->pagemap = open_one(root, p->dir, "pagemap");
	if (p->pagemap < 0)
		return p->pagemap;
	p->mem = open_one(root, p->dir, "mem");
	/* Alone of these, it takes the right to attach: nobody has it under ptrace_scope 3. */
	if (p->mem < 0 && p->mem != -EACCES && p->mem != -EPERM)
		return p->mem;
	/* Last: who has the pid now had it all the time. */
	r = proc_read(root, p->pid, &proc);
	if (r < 0)
		return r;
	return proc.start == start ? 0 : -ESRCH;
}

/**
 * pages_open() - takes hold of a process
 * @root: the host; the running one
 * @pid: which
 * @start: when it started, as proc_read() tells; with @pid, what names a process
 * @huge: bytes in a PMD-sized huge page
 * @ret: the handle; close with pages_close()
 *
 * Contents can be looked at only where ptrace_scope and the like allow it, see struct pages.
 *
 * Return: 0; -ESRCH when it has ended, or the pid is another's by now; -EOPNOTSUPP for a tree;
 * -EACCES or -EPERM; -ENOSYS before Linux 5.10; another negative errno.
 */
int pages_open(const struct root *root, int32_t pid, uint64_t start, uint64_t huge,
	       struct pages *ret)
{
	struct pages p = PAGES_CLOSED;
	int r;

	if (!root->live)
		return -EOPNOTSUPP;
	p.pid = pid;
	p.huge = huge;
	p.page = (uint64_t)sysconf(_SC_PAGESIZE);
	r = open_all(root, start, &p);
	if (r < 0) {
		pages_close(&p);
		return r;
	}
	p.scan = pages_can_scan(p.pagemap);
	*ret = p;
	return 0;
}

/** pages_close() - lets go of the process */
void pages_close(struct pages *p)
{
	p->dir = close_fd(p->dir);
	p->pidfd = close_fd(p->pidfd);
	p->pagemap = close_fd(p->pagemap);
	p->mem = close_fd(p->mem);
}

static int add_range(struct arena *a, page_ranges *ranges, struct page_range range)
{
	struct page_range *last = ranges->n > 0 ? &ranges->items[ranges->n - 1] : NULL;

	if (last && last->end == range.start) {
		last->end = range.end;
		return 0;
	}
	last = array_add(a, ranges);
	if (!last)
		return -ENOMEM;
	*last = range;
	return 0;
}

static int find_in_area(const struct pages *p, const struct pages_area *area, struct arena *a,
			page_ranges *ranges, uint64_t *bytes)
{
	struct page_range in = {
		(area->range.start + p->huge - 1) & ~(p->huge - 1),
		area->range.end & ~(p->huge - 1),
	}, range;
	struct pages_walk walk = {
		.pages = p, .at = in.start, .end = in.end, .are = PAGES_HUGE, .are_not = PAGES_ZERO
	};
	int r;

	if (in.start >= in.end)
		return 0;
	if (!p->scan) {
		*bytes += (uint64_t)area->huge_kb * 1024;
		return area->huge_kb > 0 ? add_range(a, ranges, in) : 0;
	}
	while ((r = pages_next(&walk, &range)) > 0) {
		*bytes += range.end - range.start;
		r = add_range(a, ranges, range);
		if (r < 0)
			return r;
	}
	return r;
}

/**
 * pages_find_huge() - where private anonymous memory is mapped by PMD-sized huge pages
 * @p: the process
 * @root: the host
 * @a: where the ranges will live
 * @ret: the ranges, ascending, in whole huge pages
 * @ret_bytes: how much that is; may be NULL
 *
 * Asks PAGEMAP_SCAN (Documentation/admin-guide/mm/pagemap.rst): 0.05 ms for a GiB in huge pages, 1
 * ms in small ones. Before Linux 6.7, the ranges are whole mappings of which /proc/PID/smaps says
 * that parts are huge, and only @ret_bytes is exact.
 *
 * Return: 0; -ESRCH when the process has ended; another negative errno.
 */
int pages_find_huge(const struct pages *p, const struct root *root, struct arena *a,
		    page_ranges *ret, uint64_t *ret_bytes)
{
	_cleanup_arena_ struct arena scratch = { 0 };
	pages_areas areas;
	const struct pages_area *area;
	page_ranges ranges = { 0 };
	uint64_t bytes = 0;
	int r = pages_read_areas(p, root, !p->scan, &scratch, &areas);

	if (r < 0)
		return r;
	array_foreach(area, &areas) {
		r = find_in_area(p, area, a, &ranges, &bytes);
		if (r < 0)
			return r;
	}
	*ret = ranges;
	if (ret_bytes)
		*ret_bytes = bytes;
	return 0;
}

/**
 * pages_is_shared() - whether another process has mapped a page too
 * @p: the process
 * @address: of the page
 *
 * Return: 1 or 0; 0 also for one that is not mapped; -ESRCH when the address space is gone; another
 * negative errno.
 */
int pages_is_shared(const struct pages *p, uint64_t address)
{
	uint64_t entry;
	ssize_t n = pages_read_pagemap(p, address, &entry, 1);

	if (n < 0)
		return (int)n;
	return entry & PM_PRESENT && !(entry & PM_MMAP_EXCLUSIVE);
}

/**
 * pages_split() - has the kernel split the huge page that a base page belongs to
 * @p: the process
 * @address: of a base page; of a huge page that is mapped as such, any
 *
 * MADV_COLD for a part of a huge page splits it, and on Linux 6.12 and later the split maps those
 * of its base pages that are zero-filled to the shared zero page, and frees them (mm/madvise.c,
 * madvise_cold_or_pageout_pte_range(); mm/migrate.c, try_to_map_unused_to_zeropage()). What is not
 * mapped any more is freed by any kernel. No contents change, nothing is paged out; the one base
 * page that is named becomes the first candidate for it, should memory get short, if it is not
 * empty.
 *
 * A success says that the kernel was asked: it silently leaves alone what is shared with another
 * process (see pages_is_shared()), pinned (direct I/O, RDMA, io_uring buffers), or locked just
 * then.
 *
 * One page a call: a split takes 0.3 ms for a huge page in use and 0.5 to 0.8 ms for an empty one,
 * and an mmap(2) of the process waits as long, for the kernel holds the lock over all ranges of one
 * call. The longest that an mmap(2) and a munmap(2) took together was 1.3 to 2.1 ms with one page a
 * call, 5 to 10 with 4, 12 to 26 with 16, 90 to 120 with 128, 330 to 370 with 512; a GiB takes the
 * same time with all of them. Page faults elsewhere do not wait (Linux 6.4 and later); one in the
 * huge page that is being split does.
 *
 * Return: 0; -EINVAL for memory that is locked (mlock(2)) or not anonymous; -ENOMEM when nothing is
 * mapped there any more; -ESRCH when the process has ended; -EPERM; another negative errno.
 */
int pages_split(const struct pages *p, uint64_t address)
{
	struct iovec one = { .iov_base = (void *)(uintptr_t)address, .iov_len = p->page };
	long r;

	do
		r = syscall(SYS_process_madvise, p->pidfd, &one, 1UL, MADV_COLD, 0U);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}
