/* SPDX-License-Identifier: MIT */
/* What the daemon says of itself: in its report, its metrics, and for `status`. Plain data. */
#ifndef THPD_MODEL_DAEMON_H
#define THPD_MODEL_DAEMON_H

#include "base/util.h"

#include <stdint.h>

/* How a helper process, or the way to systemd, is just now. */
enum daemon_part {
	PART_UNUSED, /* nothing in the policy needs it */
	PART_OK,
	PART_LOST,   /* was there, or should be, and is not; tried again */
	PART_FAILED, /* its self-test says that it cannot work here */
};

extern const char *const daemon_part_words[];

struct daemon_status {
	int32_t pid;
	uint64_t start; /* of that process, in clock ticks after boot */
	/* Times in microseconds: of the day, and how long; 0: never. */
	uint64_t started_us;
	uint64_t cycle_us; /* the end of the last full cycle */
	uint64_t cycle_took_us;
	uint64_t policy_us;	   /* when the policy in force was loaded */
	uint64_t reload_failed_us; /* the last reload that was refused; 0 after one that was not */
	const char *reload_error;  /* its first fault, or NULL */
	uint32_t verify_interval;  /* seconds */
	bool on_drift_report;	   /* it only reports */
	/* Counted since it was started. */
	uint64_t cycles, reloads, reloads_failed;
	uint64_t foreign_writes;      /* seen that changed a value of the policy's */
	uint64_t settings_repaired;   /* at once or by a cycle */
	uint64_t settings_backed_off; /* keys that are not repaired just now, for somebody fights */
	uint64_t procs_set;	      /* by cycles: were running, or escaped */
	uint64_t starts_watched;      /* set as they started */
	uint64_t starts_gated;	      /* set before the first instruction */
	uint64_t starts_escaped;      /* were started after the daemon, and found by a cycle only */
	enum daemon_part bus, helper, starts;
};

/* Whether it runs, as far as its report and the process itself tell. */
enum daemon_state {
	DAEMON_NOT_RUNNING,
	DAEMON_RUNNING,
	DAEMON_LATE,	/* it runs, but its last cycle should not be the last any more */
	DAEMON_UNKNOWN, /* what it left cannot be trusted, or it is hidden */
};

extern const char *const daemon_state_words[];

/* What a report has of the daemon: its own, or what `status` found. */
struct daemon_view {
	enum daemon_state state;
	const struct daemon_status *status; /* what it said last; NULL: nothing to be trusted */
	const char *fault;		    /* why that is so; with DAEMON_UNKNOWN only */
	uint64_t now_us;		    /* time of the day, for how long ago that was */
};

#define DAEMON_PARTS 3

/* The parts by name, for tables; in a fixed order. */
struct daemon_part_state {
	const char *name, *what; /* "bus"; what it is to people */
	enum daemon_part state;
};

void daemon_parts(const struct daemon_status *s, struct daemon_part_state ret[DAEMON_PARTS]);
enum daemon_state daemon_state_of(const struct daemon_status *s, bool alive, uint64_t now_us);

#endif
