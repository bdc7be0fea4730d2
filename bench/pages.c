/* SPDX-License-Identifier: MIT */
/*
 * What each step of giving back the huge pages of a process costs.
 *
 * Usage: pages PID [MIB_PER_SECOND [all]]
 *
 * Prints one "NAME VALUE" a line. Times are of single runs, in milliseconds; nothing is repeated,
 * for what is split is split.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/reclaim.h"
#include "sys/pages.h"
#include "sys/proc.h"

#define HUGE_BYTES (2ULL << 20)

static const struct root host = ROOT_LIVE;

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int probe_all(const struct pages *p, const page_ranges *ranges)
{
	const struct page_range *range;
	struct pages_turn turn = { 0 };
	uint64_t address, found = 0;

	array_foreach(range, ranges) {
		for (uint64_t at = range->start; at < range->end; at += HUGE_BYTES) {
			int r = pages_probe(p, at, at, &address);

			if (r < 0)
				return r;
			found += (uint64_t)r;
			pages_take_turns(&turn);
		}
	}
	(void)printf("worth_splitting %llu\n", (unsigned long long)found);
	return 0;
}

static int measure(int32_t pid, uint64_t start)
{
	_cleanup_arena_ struct arena a = { 0 };
	_cleanup_pages_ struct pages p = PAGES_CLOSED;
	page_addresses partly;
	page_ranges ranges = { 0 };
	struct pages_sample sample = { 0 };
	uint64_t huge = 0, hidden = 0;
	double t = now_ms();
	int r = pages_open(&host, pid, start, HUGE_BYTES, &p);

	if (r == 0)
		r = pages_find_huge(&p, &host, &a, &ranges, &huge);
	if (r < 0)
		return r;
	(void)printf("find_ms %.3f\nhuge_kb %llu\n", now_ms() - t, (unsigned long long)huge / 1024);
	t = now_ms();
	r = pages_find_mapped(&p, &host, NULL, &a, &partly, &hidden);
	if (r < 0)
		return r;
	(void)printf("find_hidden_ms %.3f\nhidden_kb %llu\n", now_ms() - t,
		     (unsigned long long)hidden / 1024);
	t = now_ms();
	r = pages_sample(&p, &ranges, 512, 1, &sample);
	if (r < 0)
		return r;
	(void)printf("sample_ms %.3f\nsample_looked_at %llu\nsample_empty %llu\n", now_ms() - t,
		     (unsigned long long)sample.looked_at, (unsigned long long)sample.empty);
	t = now_ms();
	r = probe_all(&p, &ranges);
	(void)printf("probe_ms %.3f\n", now_ms() - t);
	return r;
}

int main(int argc, char **argv)
{
	struct reclaim_options options = { 0 };
	struct reclaim_result res = { 0 };
	struct proc proc = { 0 };
	double t;
	int r;

	if (argc < 2 || argc > 4) {
		(void)fprintf(stderr, "usage: pages PID [MIB_PER_SECOND [all]]\n");
		return 2;
	}
	if (argc > 2)
		options.max_rate = strtoull(argv[2], NULL, 10) << 20;
	options.all = argc > 3;
	r = proc_read(&host, (int32_t)strtol(argv[1], NULL, 10), &proc);
	if (r == 0)
		r = measure(proc.pid, proc.start);
	t = now_ms();
	if (r == 0)
		r = reclaim_process(&host, proc.pid, proc.start, &options, &res);
	if (r < 0) {
		(void)fprintf(stderr, "pages: %s\n", strerror(-r));
		return 1;
	}
	(void)printf("reclaim_ms %.3f\nrss_before_kb %lld\nrss_after_kb %lld\nhuge_after_kb %lld\n"
		     "hidden_after_kb %lld\nsplits %llu\nrefused %llu\nfull %llu\n",
		     now_ms() - t, (long long)res.rss_before_kb, (long long)res.rss_after_kb,
		     (long long)res.huge_after_kb, (long long)res.hidden_after_kb,
		     (unsigned long long)res.splits, (unsigned long long)res.refused,
		     (unsigned long long)res.full);
	return 0;
}
