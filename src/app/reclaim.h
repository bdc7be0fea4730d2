/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_RECLAIM_H
#define THPD_APP_RECLAIM_H

#include "app/host.h"
#include "engine/reclaim.h"
#include "model/report.h"

int reclaim_add(struct host *h, const struct plan_proc *pp, const char *no,
		const struct reclaim_options *options, struct reclaim_report *report);
int reclaim_charge(struct host *h, bool after, struct reclaim_report *report);

#endif
