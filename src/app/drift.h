/* SPDX-License-Identifier: MIT */
/*
 * Undoes foreign writes to the settings, in a thread of its own; or only tells of them.
 *
 * What it did is told through a descriptor: poll drift_fd() for reading, then drift_next() until
 * there is nothing more. Whoever else writes settings holds drift_lock() while he does: what the
 * thread then finds is right, and nothing is told. All functions are for one other thread.
 */
#ifndef THPD_APP_DRIFT_H
#define THPD_APP_DRIFT_H

#include "engine/fight.h"
#include "model/plan.h"
#include "sys/root.h"

#define DRIFT_TEXT 64U

struct drift_key {
	const char *key; /* path below transparent_hugepage */
	const char *wanted;
};

/*
 * One setting that was not what it should be.
 *
 *	outcome  fight	what
 *	changed  calm	repaired at once
 *	drifted  calm	on report only: left as it was found
 *	drifted	 calm	on repair: written, and another writer was there again before it was read
 *			back; the next event tells how that ended
 *	rejected, denied, failed, gone, unknown
 *		 calm	could not be repaired; left to the next cycle, or until another setting is
 *			repaired that may have stood in its way
 *	drifted  begins	too many foreign writes: it is not repaired for a while. To be told once
 *	any	 on	the fight goes on: for the counters, not for the journal
 *	ok	 over	no foreign write for a while. To be told once
 */
struct drift_event {
	uint32_t key_index; /* in the list of drift_set() */
	uint32_t serial;    /* of that list, as drift_set() has told */
	char key[DRIFT_TEXT];
	char wanted[DRIFT_TEXT];
	char found[DRIFT_TEXT];
	char now[DRIFT_TEXT]; /* read back; "": it was not written */
	int32_t outcome;      /* enum outcome */
	int32_t error;	      /* the errno behind it, positive, or 0 */
	int32_t fight;	      /* enum fight_news */
	bool written;	   /* somebody has just written; else it was looked at for another reason */
	uint64_t woken_ns; /* CLOCK_MONOTONIC */
	uint64_t latency_ns; /* from being woken until it was read back; 0: it was not */
	uint32_t lost;	     /* events before this one that there was no room for */
};

/* How often it was woken and what it did; to see that it does not work for nothing. */
struct drift_counts {
	uint64_t wakes, looks, writes;
};

struct drift;

int drift_start(const struct root *root, const struct fight_limits *limits, struct drift **ret);
void drift_stop(struct drift *d);
int drift_fd(const struct drift *d);
int drift_set(struct drift *d, const struct drift_key *keys, size_t n, bool repair,
	      uint32_t *ret_serial);
int drift_next(struct drift *d, struct drift_event *ret);
void drift_lock(struct drift *d);
void drift_unlock(struct drift *d);
size_t drift_fights(struct drift *d);
bool drift_rests(struct drift *d, const char *key);
void drift_count(struct drift *d, struct drift_counts *ret);

static inline void drift_stopp(struct drift **d)
{
	drift_stop(*d);
}

#define _cleanup_drift_ _cleanup_(drift_stopp)

#endif
