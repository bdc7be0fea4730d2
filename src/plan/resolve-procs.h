/* SPDX-License-Identifier: MIT */
#ifndef THPD_PLAN_RESOLVE_PROCS_H
#define THPD_PLAN_RESOLVE_PROCS_H

#include "model/facts.h"
#include "model/plan.h"

void resolve_procs(struct plan *plan);
size_t resolve_again(const struct plan_proc *earlier, size_t n, struct plan *plan);

#endif
