/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_COLLECT_H
#define THPD_ENGINE_COLLECT_H

#include "model/facts.h"
#include "model/plan.h"
#include "sys/root.h"

int collect_host(const struct root *root, struct facts *f);
int collect_role(const struct root *root, const char *credentials, struct facts *f,
		 struct diags *d);
int collect_knobs(const struct root *root, int dirfd, const struct plan *plan, struct facts *f);

#endif
