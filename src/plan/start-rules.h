/* SPDX-License-Identifier: MIT */
#ifndef THPD_PLAN_START_RULES_H
#define THPD_PLAN_START_RULES_H

#include "base/patterns.h"
#include "model/plan.h"
#include "model/starts.h"

/* The rules that a unit's programs are held against, by number. */
struct start_rules {
	valuelist all;	/* that name the unit, or each instance of a template */
	valuelist some; /* that name one or the other of the instances, or may */
};

const char *rule_unit(const struct rule *r, size_t i);
int start_rules_add(struct arena *a, valuelist *list, uint32_t value);
int start_rules_of_unit(const struct patterns *p, const char *unit, const char *slice,
			struct arena *a, valuelist *list);
int start_rules_of_slices(const struct plan *plan, const struct patterns *p, struct arena *a,
			  valuelist *list);
int start_rules_find(struct patterns *p, const struct plan *plan, const struct start_program *sp,
		     struct start_rules *ret);

#endif
