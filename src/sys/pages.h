/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_PAGES_H
#define THPD_SYS_PAGES_H

#include <signal.h>

#include "sys/root.h"

struct page_range {
	uint64_t start, end; /* bytes, in the address space of the process */
};

typedef ARRAY(struct page_range) page_ranges;
typedef ARRAY(uint64_t) page_addresses;

/* A process whose pages are looked at. If its pid is reused, the descriptors are still its own. */
struct pages {
	int32_t pid;
	int pidfd;
	int dir, pagemap, mem; /* /proc/PID, and files in it; mem may be forbidden: -1 */
	bool scan;	       /* the kernel has PAGEMAP_SCAN, Linux 6.7 */
	uint64_t page, huge;   /* bytes in a base page, and in a PMD-sized one */
};

#define PAGES_CLOSED ((struct pages){ .pidfd = -1, .dir = -1, .pagemap = -1, .mem = -1 })

/* Since when we take the locks of a process again and again; see pages_take_turns(). */
struct pages_turn {
	uint64_t began_ns;
};

/* Of a sample of huge pages. */
struct pages_sample {
	uint64_t looked_at; /* base pages */
	uint64_t empty;	    /* of these, zero-filled */
};

/* How many base pages pages_probe() looks at in a huge page, at most; see there. */
#define PAGES_PROBE 16U

int pages_open(const struct root *root, int32_t pid, uint64_t start, uint64_t huge,
	       struct pages *ret);
void pages_close(struct pages *p);
int pages_find_huge(const struct pages *p, const struct root *root, struct arena *a,
		    page_ranges *ret, uint64_t *ret_bytes);
int pages_find_mapped(const struct pages *p, const struct root *root,
		      const volatile sig_atomic_t *stop, struct arena *a, page_addresses *ret,
		      uint64_t *ret_hidden);
int pages_sample(const struct pages *p, const page_ranges *huge, uint32_t n, uint64_t seed,
		 struct pages_sample *ret);
int pages_probe(const struct pages *p, uint64_t huge, uint64_t seed, uint64_t *ret);
int pages_is_shared(const struct pages *p, uint64_t address);
void pages_take_turns(struct pages_turn *turn);
int pages_split(const struct pages *p, uint64_t address);

#define _cleanup_pages_ _cleanup_(pages_close)

#endif
