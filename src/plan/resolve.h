/* SPDX-License-Identifier: MIT */
#ifndef THPD_PLAN_RESOLVE_H
#define THPD_PLAN_RESOLVE_H

#include "model/facts.h"
#include "model/plan.h"

void resolve_role(const struct policy *p, const struct facts *f, const char *option,
		  struct role_choice *ret);
int resolve_wanted(const struct policy *p, const struct role_choice *role, struct plan *plan);
int resolve_found(const struct policy *p, const struct facts *f, struct plan *plan);

#endif
