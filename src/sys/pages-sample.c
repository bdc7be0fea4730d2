/* SPDX-License-Identifier: MIT */
/*
 * How much of huge pages is empty, by reading a part of them. That stops nobody; it sets accessed
 * bits.
 *
 * Read through /proc/PID/mem, not with process_vm_readv(2), which is a little faster: that pins
 * pages, and to pin a page that is shared with a child the kernel makes a copy of it and maps the
 * whole huge page by small ones (mm/internal.h, gup_must_unshare()). A look must change nothing.
 */
#include "sys/pages.h"

#define PAGE_MAX 65536U /* bytes; the largest base page of any architecture with huge pages */

/* splitmix64: good enough to choose pages, and the same for the same seed. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15U;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
	return x ^ (x >> 31);
}

/* Whether a base page is zero-filled: 1 or 0; -EIO where nothing can be read, -ESRCH at the end. */
static int is_empty(const struct pages *p, uint64_t address)
{
	unsigned char page[PAGE_MAX];
	ssize_t n;

	if (p->mem < 0)
		return -EACCES;
	n = pread(p->mem, page, p->page, (off_t)address);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ESRCH;
	if (n < (ssize_t)p->page)
		return -EIO;
	return page[0] == 0 && memcmp(page, page + 1, p->page - 1) == 0;
}

/* Where the huge page with this number is, counted over all ranges. */
static uint64_t nth_huge(const struct pages *p, const page_ranges *huge, uint64_t n)
{
	const struct page_range *range;

	array_foreach(range, huge) {
		uint64_t pages = (range->end - range->start) / p->huge;

		if (n < pages)
			return range->start + n * p->huge;
		n -= pages;
	}
	return 0; /* not reached: the caller counts the same */
}

/**
 * pages_sample() - estimates how much of huge pages is empty
 * @p: the process
 * @huge: what pages_find_huge() found
 * @n: how many base pages to look at
 * @seed: decides which ones
 * @ret: what they were; those that cannot be read are not counted
 *
 * A simple random sample: the standard error of the share is at most 0.5 / sqrt(@n), 2.2 points for
 * 512. 2 us a page.
 *
 * Return: 0; -EACCES where it is forbidden; -ESRCH when the address space is gone; another negative
 * errno.
 */
int pages_sample(const struct pages *p, const page_ranges *huge, uint32_t n, uint64_t seed,
		 struct pages_sample *ret)
{
	struct pages_sample sample = { 0 };
	const struct page_range *range;
	uint64_t total = 0;

	array_foreach(range, huge)
		total += (range->end - range->start) / p->huge;
	for (; n > 0 && total > 0; n--) {
		uint64_t address = nth_huge(p, huge, next_random(&seed) % total);
		int r;

		address += next_random(&seed) % (p->huge / p->page) * p->page;
		r = is_empty(p, address);
		if (r == -EIO)
			continue;
		if (r < 0)
			return r;
		sample.looked_at++;
		sample.empty += (uint64_t)r;
	}
	*ret = sample;
	return 0;
}

/**
 * pages_probe() - looks for an empty base page in a huge page
 * @p: the process
 * @huge: address of the huge page
 * @seed: decides where to look
 * @ret: the address of an empty base page
 *
 * Up to PAGES_PROBE base pages are read, one at random in each of as many equal parts. Of huge
 * pages of which a share f is empty, (1 - f)^16 are taken for full: of half empty ones 1 in 65,000,
 * of those empty to a quarter 1 in 100; what is missed so is at most 2.2 % of their size, at f =
 * 1/17. A piece of 252 KiB that is empty is always seen, whatever is around it. A page that cannot
 * be read counts as full.
 *
 * 10 to 17 ms for a GiB of full huge pages, less for empty ones; to split them takes 150 to 400 ms,
 * to count all empty pages 60 to 90.
 *
 * Return: 1 when one was seen; 0 when none was; -EACCES where it is forbidden; -ESRCH when the
 * address space is gone; another negative errno.
 */
int pages_probe(const struct pages *p, uint64_t huge, uint64_t seed, uint64_t *ret)
{
	const uint64_t part = p->huge / p->page / PAGES_PROBE;

	for (uint64_t i = 0; i < PAGES_PROBE; i++) {
		uint64_t address = huge + (i * part + next_random(&seed) % part) * p->page;
		int r = is_empty(p, address);

		if (r == 1)
			*ret = address;
		if (r != 0 && r != -EIO)
			return r;
	}
	return 0;
}
