/* SPDX-License-Identifier: MIT */
/*
 * Brings together what was found and who did it. One comes from the thread of drift.c, the other
 * from another process, in any order and some time apart.
 *
 * Zero-initialise to start. Times are CLOCK_MONOTONIC in nanoseconds and are passed in.
 */
#ifndef THPD_APP_DRIFT_WHO_H
#define THPD_APP_DRIFT_WHO_H

#include "app/drift.h"
#include "sys/writers.h"

#define DRIFT_WHO_WAIT_NS UINT64_C(50000000) /* so long an event waits for its writer */
#define DRIFT_WHO_EVENTS 32U
#define DRIFT_WHO_WRITERS 32U

struct drift_who {
	struct drift_event events[DRIFT_WHO_EVENTS]; /* oldest first */
	uint64_t since[DRIFT_WHO_EVENTS];
	size_t n;
	struct writer writers[DRIFT_WHO_WRITERS]; /* a ring; time 0: none */
	size_t next;
};

bool drift_who_full(const struct drift_who *w);
void drift_who_event(struct drift_who *w, const struct drift_event *e, uint64_t now);
void drift_who_writer(struct drift_who *w, const struct writer *x);
bool drift_who_next(struct drift_who *w, uint64_t now, struct drift_event *ret,
		    struct writer *ret_who);
uint64_t drift_who_due(const struct drift_who *w);
void drift_who_forget(struct drift_who *w);

#endif
