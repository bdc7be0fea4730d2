/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_RECLAIM_H
#define THPD_ENGINE_RECLAIM_H

#include <signal.h>

#include "sys/root.h"

/* How far a run has come; called often, from the thread that works. */
struct reclaim_progress {
	uint64_t done, total; /* bytes of huge pages, and of those that are partly mapped */
	uint64_t freed;	      /* bytes by which RSS went down so far */
};

struct reclaim_options {
	uint64_t max_rate;		   /* bytes of huge pages split per second; 0: no limit */
	uint32_t sample;		   /* base pages to sample before; 0: the default */
	bool all;			   /* split huge pages that look full, too */
	const volatile sig_atomic_t *stop; /* set by a signal handler: return soon; may be NULL */
	void (*progress)(const struct reclaim_progress *p, void *data); /* may be NULL */
	void *data;
};

/* Of one process; kB, -1: not known. */
struct reclaim_result {
	int64_t rss_before_kb, rss_after_kb;
	int64_t huge_before_kb, huge_after_kb;	   /* private anonymous memory in huge pages */
	int64_t hidden_before_kb, hidden_after_kb; /* held by it in partly mapped huge pages */
	int64_t empty_kb;			   /* of huge_before_kb, estimated from a sample */
	/* Of the huge pages: */
	uint64_t splits;  /* were asked to split */
	uint64_t refused; /* of these, are huge still: pinned, in use just then, or made anew */
	uint64_t full;	  /* left whole, for no empty part was seen in them (see blind) */
	uint64_t shared;  /* cannot be split now: shared with another process, as by fork(2) */
	uint64_t locked;  /* cannot be split: locked in memory by the process */
	bool frees_empty; /* this kernel frees zero-filled parts when it splits: Linux 6.12 */
	bool blind;	  /* it is forbidden to look for empty parts: Yama's ptrace_scope 3 */
	bool interrupted; /* by reclaim_options.stop */
};

int reclaim_measure(const struct root *root, int32_t pid, uint64_t start, uint32_t sample,
		    struct reclaim_result *ret);
int reclaim_process(const struct root *root, int32_t pid, uint64_t start,
		    const struct reclaim_options *options, struct reclaim_result *ret);

#endif
