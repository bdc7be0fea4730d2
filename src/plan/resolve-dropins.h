/* SPDX-License-Identifier: MIT */
#ifndef THPD_PLAN_RESOLVE_DROPINS_H
#define THPD_PLAN_RESOLVE_DROPINS_H

#include "model/dropins.h"
#include "model/plan.h"

bool resolve_dropins_slices(const struct plan *plan);
int resolve_dropins(const struct plan *plan, const struct dropin_unit *units, size_t n,
		    struct dropins *ret);
void dropins_free(struct dropins *d);

#define _cleanup_dropins_ _cleanup_(dropins_free)

#endif
