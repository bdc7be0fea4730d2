/* SPDX-License-Identifier: MIT */
#ifndef THPD_PLAN_RESOLVE_STARTS_H
#define THPD_PLAN_RESOLVE_STARTS_H

#include "base/patterns.h"
#include "model/plan.h"
#include "model/starts.h"

bool resolve_start_wanted(const struct plan_rule *pr);
int resolve_start_patterns(const struct plan *plan, struct arena *a, strlist *ret);
int resolve_starts(const struct plan *plan, const struct start_program *programs, size_t n,
		   struct start_table *ret);
uint64_t start_table_hash(const struct start_table *t);
void start_table_free(struct start_table *t);

#define _cleanup_start_table_ _cleanup_(start_table_free)

#endif
