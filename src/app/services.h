/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_SERVICES_H
#define THPD_APP_SERVICES_H

#include "app/host.h"

int services_read(struct host *h);
int services_set(struct host *h);
bool services_gives_back(const struct host *h, const struct plan_proc *pp);
int services_reclaim(struct host *h);
int services_restore(struct host *h);

#endif
