/* SPDX-License-Identifier: MIT */
/* How the pages of a process are found; for the files named pages*. */
#ifndef THPD_SYS_PAGES_WALK_H
#define THPD_SYS_PAGES_WALK_H

#include "sys/pages.h"

/* Private anonymous memory; the numbers are the kernel's, where it was asked for them. */
struct pages_area {
	struct page_range range;
	int64_t rss_kb, huge_kb;
};

typedef ARRAY(struct pages_area) pages_areas;

int pages_read_areas(const struct pages *p, const struct root *root, bool numbers, struct arena *a,
		     pages_areas *ret);

/* include/uapi/linux/fs.h, Linux 6.7; older headers do not have it. */
enum {
	PAGES_PRESENT = 1 << 3, /* PAGE_IS_PRESENT */
	PAGES_ZERO = 1 << 5,	/* PAGE_IS_PFNZERO */
	PAGES_HUGE = 1 << 6,	/* PAGE_IS_HUGE */
};

struct pages_region {
	uint64_t start, end, categories;
};

/* A walk over the parts of a range that are, and are not, of some kinds. */
struct pages_walk {
	const struct pages *pages;
	uint64_t at, end;      /* what is still to be asked for */
	uint64_t are, are_not; /* PAGES_* */
	struct pages_turn turn;
	size_t i, n;
	struct pages_region found[256];
};

/* What /proc/PID/pagemap says of a base page, fs/proc/task_mmu.c. */
#define PM_PFN ((1ULL << 55) - 1) /* zero for who lacks CAP_SYS_ADMIN */
#define PM_MMAP_EXCLUSIVE (1ULL << 56)
#define PM_PRESENT (1ULL << 63)

ssize_t pages_read_pagemap(const struct pages *p, uint64_t address, uint64_t *ret, size_t n);
int pages_next(struct pages_walk *w, struct page_range *ret);
bool pages_can_scan(int pagemap);

#endif
