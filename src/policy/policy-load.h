/* SPDX-License-Identifier: MIT */
#ifndef THPD_POLICY_POLICY_LOAD_H
#define THPD_POLICY_POLICY_LOAD_H

#include "model/diag.h"
#include "model/policy.h"

int policy_load(struct policy *p, const char *file, const char *text, size_t len, struct diags *d);
int policy_load_library(struct policy *p, const char *role, const char *file, const char *text,
			size_t len, struct diags *d);

#endif
