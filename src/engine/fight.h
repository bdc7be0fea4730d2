/* SPDX-License-Identifier: MIT */
/*
 * Somebody else wants another value for a setting: how long may one go on writing against him?
 *
 * A struct fight is what is remembered of one setting; zero-initialise to start. Times are
 * microseconds of any clock that only goes forward, and are passed in.
 *
 *	value found wrong -> fight_found(): CALM repair it; BEGINS, ON do not: rest
 *	value found right -> fight_right(): true: rest all the same
 *	rest: stop watching until fight_due(), then fight_rested(), watch again, look, and repair
 *	fight_due() without rest -> fight_over(): true once, when the fight is over
 */
#ifndef THPD_ENGINE_FIGHT_H
#define THPD_ENGINE_FIGHT_H

#include "base/util.h"

#define FIGHT_REPAIRS_MAX 7U

struct fight_limits {
	uint32_t repairs; /* within the window are no fight; at most FIGHT_REPAIRS_MAX, 0: any */
	uint64_t window_us;
	uint64_t first_us; /* the first rest; each further one is twice as long */
	uint64_t longest_us;
	uint64_t quiet_us; /* without a foreign write: the fight is over */
	uint32_t looks;	   /* within looks_us that found the value right; 0: any */
	uint64_t looks_us;
	uint64_t respite_us; /* the rest after so many looks */
};

extern const struct fight_limits fight_limits;

enum fight_news {
	FIGHT_CALM,
	FIGHT_BEGINS, /* told once */
	FIGHT_ON,
	FIGHT_OVER, /* told once */
};

struct fight {
	uint64_t repairs[FIGHT_REPAIRS_MAX]; /* when; a ring */
	uint32_t next, n;
	uint64_t rest_us; /* the length of the last rest; 0: no fight */
	uint64_t until;	  /* while it rests: the end of the rest; in a fight: when it is over */
	bool resting;
	uint64_t looks_since;
	uint32_t looks;
};

enum fight_news fight_found(struct fight *f, const struct fight_limits *limits, uint64_t now);
bool fight_right(struct fight *f, const struct fight_limits *limits, uint64_t now);
void fight_rested(struct fight *f, const struct fight_limits *limits, uint64_t now);
bool fight_over(struct fight *f, uint64_t now);
uint64_t fight_due(const struct fight *f);

#endif
