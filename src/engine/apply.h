/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_APPLY_H
#define THPD_ENGINE_APPLY_H

#include "model/plan.h"
#include "sys/root.h"

enum outcome outcome_of_error(int error);
int apply_settings(const struct root *root, int dirfd, struct plan *plan);

#endif
