/* SPDX-License-Identifier: MIT */
/*
 * What the daemon leaves for others to read, after each cycle and whenever what it says of itself
 * has changed. Errors are returned, for the caller to log once. Nothing is taken away at the end:
 * `status` tells from the process that the daemon is not running any more.
 */
#ifndef THPD_APP_PUBLISH_H
#define THPD_APP_PUBLISH_H

#include "model/report.h"
#include "sys/root.h"

int publish_report(const struct root *root, const struct report *r);
int publish_report_again(const struct root *root, const struct report *r);
int publish_metrics(const struct root *root, const struct report *r, const struct policy *p);

#endif
