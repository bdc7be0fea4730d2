/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_VERBS_H
#define THPD_APP_VERBS_H

#include "app/host.h"
#include "model/report.h"

int verb_check(struct host *h, const struct report_style *style);
int verb_apply(struct host *h, const struct report_style *style);
int verb_compare(struct host *h, const struct report_style *style);
int verb_status(struct host *h, const struct report_style *style);
int verb_restore(struct host *h, const struct report_style *style);
int verb_doctor(struct host *h, const struct report_style *style);
int verb_reclaim(struct host *h, const struct report_style *style);
int verb_exec(const struct cli *cli);

int say(const struct host *h, const struct report *r, const struct report_style *style);
int trouble(const struct host *h, int error, const char *what);
void find_stale_dropins(const struct host *h, struct diags *d);

#endif
