/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_DROPINS_H
#define THPD_APP_DROPINS_H

#include "app/host.h"
#include "plan/resolve-dropins.h"

#define MEMORY_THP_SINCE 260 /* the systemd that has MemoryTHP=, systemd.exec(5) */

int host_dropins(const struct host *h, int systemd, struct dropins *ret);
int host_dropins_stale(const struct host *h, int systemd, struct arena *a, const char **ret);

#endif
