/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_DOCTOR_H
#define THPD_ENGINE_DOCTOR_H

#include "model/facts.h"
#include "model/plan.h"
#include "sys/root.h"

int doctor_run(const struct root *root, const struct facts *f, const struct plan *plan,
	       struct diags *d);
int doctor_files(const struct root *root, struct diags *d);

#endif
