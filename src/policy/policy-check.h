/* SPDX-License-Identifier: MIT */
#ifndef THPD_POLICY_POLICY_CHECK_H
#define THPD_POLICY_POLICY_CHECK_H

#include "model/diag.h"
#include "model/policy.h"
#include "policy/policy-keys.h"

bool policy_check_value(const struct policy_key *k, const char *value, const char *file,
			uint32_t line, struct diags *d);
bool policy_check_title(const struct policy_key *k, const char *title, const char *file,
			uint32_t line, struct diags *d);
int policy_check_unique(struct strmap *seen, struct arena *a, const char *parent, const char *kind,
			const char *title, struct pos pos, struct diags *d);
int policy_check(const struct policy *p, struct diags *d);
void policy_check_section(const struct section *s, struct diags *d);
bool role_name_valid(const char *name);

#endif
