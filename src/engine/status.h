/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_STATUS_H
#define THPD_ENGINE_STATUS_H

#include "model/report.h"
#include "sys/root.h"

int status_collect(const struct root *root, int dirfd, struct host_status *ret);

#endif
