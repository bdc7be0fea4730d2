/* SPDX-License-Identifier: MIT */
/* What the thread of drift.c does with one setting; nothing here knows of threads. */
#ifndef THPD_APP_DRIFT_REPAIR_H
#define THPD_APP_DRIFT_REPAIR_H

#include "app/drift.h"
#include "base/clock.h"
#include "sys/driftwatch.h"

struct drift_item {
	const char *key, *wanted;
	struct fight fight;
	char told[DRIFT_TEXT]; /* on report only: the wrong value that was told last */
	bool written;	       /* heard, and not looked at yet */
	bool refused;	       /* by the kernel; tried again when another setting is repaired */
};

struct drift_state {
	struct root root;
	int dirfd; /* of knob_open() */
	struct fight_limits limits;
	struct driftwatch watch;
	struct arena arena; /* of the items */
	struct drift_item *items;
	size_t n;
	bool repair;
	uint32_t serial;
	uint64_t woken_ns;
	struct drift_counts counts;
	void (*tell)(void *data, const struct drift_event *e);
	void *data;
};

void drift_handle_writes(struct drift_state *s);
void drift_handle_time(struct drift_state *s);
void drift_look_at_all(struct drift_state *s);
uint64_t drift_due_us(const struct drift_state *s);

#endif
