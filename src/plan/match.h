/* SPDX-License-Identifier: MIT */
#ifndef THPD_PLAN_MATCH_H
#define THPD_PLAN_MATCH_H

#include "base/patterns.h"
#include "model/facts.h"
#include "model/plan.h"

/* What the rules need to know of each process. */
struct match_needs {
	bool exe, user;
};

int match_patterns(const struct plan *plan, struct patterns *p);
bool match_rule(const struct rule *r, const char *comm, const char *exe, const char *user);
int match_units(const struct plan *plan, struct facts *f, struct match_needs *ret);
int match_procs(const struct facts *f, struct plan *plan);

#endif
