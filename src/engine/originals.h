/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_ORIGINALS_H
#define THPD_ENGINE_ORIGINALS_H

#include "model/originals.h"
#include "model/plan.h"
#include "sys/paths.h"
#include "sys/root.h"

#define STATE_DIR PATH_STATE
#define ORIGINALS_NAME "original.json"
#define ORIGINALS_FILE STATE_DIR "/" ORIGINALS_NAME

int state_try_lock(const struct root *root);
int state_lock(const struct root *root, bool *ret_waited);
int originals_load(const struct root *root, struct originals *ret);
int originals_save_plan(const struct root *root, const struct plan *plan);
int originals_forget(const struct root *root);

#endif
