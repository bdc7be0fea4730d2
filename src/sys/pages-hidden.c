/* SPDX-License-Identifier: MIT */
/*
 * Memory that huge pages hide. When a process gives back a part of a huge page (MADV_DONTNEED,
 * munmap), the kernel unmaps that part and keeps the huge page whole until memory is short: no RSS
 * shows it, its unit is charged for it.
 *
 * /proc/PID/pagemap says which page frames a process has mapped, /proc/kpageflags which of these
 * belong to a huge page (Documentation/admin-guide/mm/pagemap.rst).
 */
#include "sys/pages-walk.h"
#include "sys/paths.h"

#define KPAGEFLAGS "/proc/kpageflags"

/* include/uapi/linux/kernel-page-flags.h */
#define KPF_COMPOUND_HEAD (1ULL << 15)
#define KPF_COMPOUND_TAIL (1ULL << 16)
#define KPF_THP (1ULL << 22)

/* Reading entries of 1 TiB of address space takes 1.5 s, used or not; see look_at_area(). */
#define ENTRIES_MAX (4ULL << 40)

/* Consecutive base pages of one large folio that are mapped one after the other. */
struct piece {
	uint64_t head; /* page frame number of the folio's first page */
	uint64_t size; /* of the folio, in base pages */
	uint64_t mapped;
	uint64_t address;
};

struct finder {
	const struct pages *p;
	const volatile sig_atomic_t *stop;
	int flags; /* /proc/kpageflags */
	struct pages_turn turn;
	struct arena scratch;
	ARRAY(struct piece) pieces;
};

static uint64_t flags_of(const struct finder *f, uint64_t pfn)
{
	uint64_t flags;

	return pread(f->flags, &flags, sizeof(flags), (off_t)(pfn * sizeof(flags))) ==
			       sizeof(flags) ?
		       flags :
		       0;
}

/*
 * The large folio that a page frame is in. Its size is told nowhere, but it is a power of two and
 * the folio aligned to it: the nearest head at or below is its own, and the first of the places at
 * powers of two behind the head that is no tail is not in it any more.
 */
static bool find_folio(const struct finder *f, uint64_t pfn, struct piece *ret)
{
	const uint64_t max = f->p->huge / f->p->page;
	uint64_t flags = flags_of(f, pfn), head = pfn, size = 1;

	if (!(flags & KPF_THP))
		return false;
	for (uint64_t align = 1; !(flags & KPF_COMPOUND_HEAD); flags = flags_of(f, head)) {
		align *= 2;
		if (align > max)
			return false;
		head = pfn & ~(align - 1);
	}
	while (size < max && flags_of(f, head + size) & KPF_COMPOUND_TAIL)
		size *= 2;
	if (pfn >= head + size)
		return false; /* it changed while we looked */
	*ret = (struct piece){ .head = head, .size = size };
	return true;
}

/*
 * Base pages that follow each other in the address space and in memory, in one aligned huge page of
 * the latter. Large folios are looked for from the first on, and behind each other: of the sizes
 * below the PMD's, those that begin behind single pages are not found, for that would need a look
 * at each page.
 */
static int look_at_run(struct finder *f, uint64_t address, uint64_t pfn, uint64_t n)
{
	struct piece piece, *p;

	while (n > 0 && find_folio(f, pfn, &piece)) {
		uint64_t rest = piece.head + piece.size - pfn;

		piece.mapped = n < rest ? n : rest;
		piece.address = address;
		if (piece.mapped < piece.size) {
			p = array_add(&f->scratch, &f->pieces);
			if (!p)
				return -ENOMEM;
			*p = piece;
		}
		pfn += piece.mapped;
		address += piece.mapped * f->p->page;
		n -= piece.mapped;
	}
	return 0;
}

/* Pages that others have mapped too are left out: no huge page of theirs can be split now. */
static int look_at_entries(struct finder *f, uint64_t address, const uint64_t *entries, size_t n)
{
	const uint64_t per_huge = f->p->huge / f->p->page;

	for (size_t i = 0, next; i < n; i = next) {
		uint64_t pfn = entries[i] & PM_PFN;
		int r;

		next = i + 1;
		if (!(entries[i] & PM_PRESENT) || !(entries[i] & PM_MMAP_EXCLUSIVE))
			continue;
		if (pfn == 0)
			return -EPERM; /* the kernel does not tell us */
		while (next < n && (pfn + next - i) % per_huge != 0 &&
		       (entries[next] & PM_PFN) == pfn + next - i && entries[next] & PM_PRESENT &&
		       entries[next] & PM_MMAP_EXCLUSIVE)
			next++;
		r = look_at_run(f, address + i * f->p->page, pfn, next - i);
		if (r < 0)
			return r;
	}
	return 0;
}

static int look_at_range(struct finder *f, struct page_range range)
{
	uint64_t entries[512];

	for (uint64_t at = range.start; at < range.end;) {
		uint64_t left = (range.end - at) / f->p->page;
		ssize_t n;
		int r;

		pages_take_turns(&f->turn);
		n = pages_read_pagemap(f->p, at, entries,
				       left < ARRAY_SIZE(entries) ? left : ARRAY_SIZE(entries));
		r = n < 0 ? (int)n : look_at_entries(f, at, entries, (size_t)n);
		if (r < 0)
			return r;
		if (f->stop && *f->stop)
			return -EINTR;
		at += (uint64_t)n * f->p->page;
	}
	return 0;
}

static int look_at_area(struct finder *f, const struct pages_area *area)
{
	struct pages_walk walk = { .pages = f->p,
				   .at = area->range.start,
				   .end = area->range.end,
				   .are = PAGES_PRESENT,
				   .are_not = PAGES_HUGE | PAGES_ZERO };
	struct page_range range;
	int r;

	/* What is as large as that is a shadow or a reservation, hardly any of it in use. */
	if (!f->p->scan)
		return area->rss_kb > 0 && area->range.end - area->range.start < ENTRIES_MAX ?
			       look_at_range(f, area->range) :
			       0;
	while ((r = pages_next(&walk, &range)) > 0) {
		r = look_at_range(f, range);
		if (r < 0)
			return r;
	}
	return r;
}

static int compare_pieces(const void *a, const void *b)
{
	uint64_t x = ((const struct piece *)a)->head, y = ((const struct piece *)b)->head;

	return (x > y) - (x < y);
}

/* What of one folio is mapped may lie in several places; all of it may be, too. */
static int add_up(struct finder *f, struct arena *a, page_addresses *ret, uint64_t *ret_hidden)
{
	page_addresses addresses = { 0 };
	uint64_t hidden = 0;

	if (f->pieces.n > 1)
		qsort(f->pieces.items, f->pieces.n, sizeof(*f->pieces.items), compare_pieces);
	for (size_t i = 0, next; i < f->pieces.n; i = next) {
		const struct piece *p = &f->pieces.items[i];
		uint64_t mapped = 0, *address;

		for (next = i; next < f->pieces.n && f->pieces.items[next].head == p->head; next++)
			mapped += f->pieces.items[next].mapped;
		if (mapped >= p->size)
			continue;
		hidden += (p->size - mapped) * f->p->page;
		address = array_add(a, &addresses);
		if (!address)
			return -ENOMEM;
		*address = p->address;
	}
	*ret = addresses;
	*ret_hidden = hidden;
	return 0;
}

/*
 * Whether no anonymous huge page of any size is partly mapped on this host, as the kernel counts
 * since Linux 6.12 (Documentation/admin-guide/mm/transhuge.rst, nr_anon_partially_mapped).
 */
static bool none_anywhere(const struct root *root)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char **names;
	bool told = false;
	size_t n;

	if (root_list(root, PATH_THP, &a, &names, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		char path[256], text[32];

		if (!startswith(names[i], "hugepages-"))
			continue;
		(void)snprintf(path, sizeof(path), PATH_THP "/%s/stats/nr_anon_partially_mapped",
			       names[i]);
		if (root_read(root, path, text, sizeof(text)) <= 0 || !streq(text, "0\n"))
			return false;
		told = true;
	}
	return told;
}

/**
 * pages_find_mapped() - huge pages of which only a part is mapped, by small pages
 * @p: the process
 * @root: the host
 * @stop: set by a signal handler when it is to end at once; may be NULL
 * @a: where the addresses will live
 * @ret: for each, the address of a base page of it, for pages_split()
 * @ret_hidden: how many bytes they hold that are not mapped
 *
 * Exact for PMD-sized pages; huge pages that are wholly mapped by small ones (after an mprotect(2)
 * of a part) hide nothing, and are not named. With its pauses it takes 20 to 30 ms for a GiB in
 * small pages that lie in memory as they do in the address space, 100 ms where they are scattered;
 * huge pages cost nothing, and where the kernel counts none on the whole host it takes 0.3 ms.
 *
 * Return: 0; -ESRCH when the process has ended; -EINTR when stopped; -EPERM where the kernel does
 * not tell page frame numbers (CAP_SYS_ADMIN); another negative errno.
 */
int pages_find_mapped(const struct pages *p, const struct root *root,
		      const volatile sig_atomic_t *stop, struct arena *a, page_addresses *ret,
		      uint64_t *ret_hidden)
{
	struct finder f = { .p = p, .stop = stop };
	pages_areas areas;
	int r;

	if (none_anywhere(root)) {
		*ret = (page_addresses){ 0 };
		*ret_hidden = 0;
		return 0;
	}
	f.flags = root_open(root, KPAGEFLAGS, O_RDONLY);
	if (f.flags < 0)
		return f.flags == -EACCES ? -EPERM : f.flags;
	r = pages_read_areas(p, root, !p->scan, &f.scratch, &areas);
	for (size_t i = 0; r == 0 && i < areas.n; i++)
		r = look_at_area(&f, &areas.items[i]);
	if (r == 0)
		r = add_up(&f, a, ret, ret_hidden);
	arena_free(&f.scratch);
	close_fd(f.flags);
	return r;
}
