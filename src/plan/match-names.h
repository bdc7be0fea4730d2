/* SPDX-License-Identifier: MIT */
#ifndef THPD_PLAN_MATCH_NAMES_H
#define THPD_PLAN_MATCH_NAMES_H

#include "base/patterns.h"
#include "base/unit-name.h"

/* All names that begin and end so, with anything between. */
struct names {
	const char *head, *tail;
	size_t head_len, tail_len;
};

bool names_covered(const char *pattern, const struct names *names, struct arena *a);
bool names_touched(const struct pattern_glob *g, const struct names *names);
bool names_are_place(const struct pattern_glob *g, const struct unit_type *type);
const struct unit_type *names_of_place(const char *place, struct arena *a, struct names *ret);

#endif
