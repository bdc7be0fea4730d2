/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_DROPINS_H
#define THPD_ENGINE_DROPINS_H

#include "model/dropins.h"
#include "model/plan.h"
#include "sys/root.h"

int dropins_write(const struct root *root, const char *dir, const struct dropins *d);
void dropins_look(const struct root *root, struct plan *plan);
bool dropins_masked(const struct root *root);
int dropins_stale(const struct root *root, const struct dropins *want, struct arena *a,
		  const char **ret);

#endif
