/* SPDX-License-Identifier: MIT */
#ifndef THPD_POLICY_POLICY_SCAN_H
#define THPD_POLICY_POLICY_SCAN_H

#include "model/diag.h"

/* What a first reading of a file found out. Lines are in the order in which sections close. */
struct policy_scan {
	struct arena arena;
	ARRAY(uint32_t) section_lines;
	bool unparsable; /* the structure is broken: the parser would only repeat it, less well */
};

int policy_scan(struct policy_scan *s, const char *file, char *text, size_t *len, struct diags *d);
void policy_scan_free(struct policy_scan *s);

#define _cleanup_scan_ _cleanup_(policy_scan_free)

#endif
