/* SPDX-License-Identifier: MIT */
/* Drop-ins with MemoryTHP= for units: what systemd itself is told to do. Plain data. */
#ifndef THPD_MODEL_DROPINS_H
#define THPD_MODEL_DROPINS_H

#include "model/policy.h"

/*
 * Between the 10 to 40 of vendors and the 60 to 90 of administrators, systemd.unit(5): so what an
 * administrator says in a drop-in of his own is what holds.
 */
#define DROPIN_FILE "50-thpd.conf"

/* A unit that has a file on this host, or is enabled. */
struct dropin_unit {
	const char *name;
	const char *alias_of; /* the unit that is meant by this name; NULL: itself */
	bool masked;
	bool own_slice; /* it may be in another slice than the default one */
};

/* A drop-in that is to be written. */
struct dropin {
	/* The directory, without ".d": a unit, a template, a prefix ("a-.service"), a type. */
	const char *place;
	enum thp_mode mode;	 /* THP_MODE_UNSET: nothing, so that no wider one is for it */
	const struct rule *rule; /* that says so; NULL where none does */
};

struct dropins {
	struct arena arena;
	ARRAY(struct dropin) list; /* wider ones first */
};

#endif
