/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_RECORDS_H
#define THPD_ENGINE_RECORDS_H

#include "model/facts.h"
#include "model/flags.h"
#include "model/plan.h"
#include "sys/paths.h"
#include "sys/root.h"

#define FLAGS_NAME "flags.json"
#define FLAGS_FILE PATH_STATE "/" FLAGS_NAME

int records_load(const struct root *root, struct flag_records *ret);
int records_save(const struct root *root, const struct flag_records *records);
void records_drop_ended(const struct root *root, struct flag_records *records);
int records_before(const struct root *root, const struct facts *f, struct plan *plan);
int records_started(const struct root *root, const struct flag_record *list, size_t n);
int records_after(const struct root *root, const struct plan *plan);
int records_outside(const struct root *root, const struct flag_records *records, struct facts *f);
int records_plan(const struct flag_records *records, const struct facts *f, struct plan *plan);
void records_limit(struct plan *plan);
int records_forget(const struct root *root, const struct plan *plan);

#endif
