/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_REPORT_H
#define THPD_MODEL_REPORT_H

#include "model/facts.h"
#include "model/plan.h"

#define REPORT_SCHEMA "thpd.report/1"

/* Figures that `status` shows beside the settings; negative: not known. */
struct host_status {
	int64_t anon_huge_kb, shmem_huge_kb, mem_total_kb;
	int64_t pages_collapsed, full_scans;
	int64_t originals; /* settings saved from before the first apply of this boot */
};

/* Everything that one run has to say; plain pointers to what others own, NULL where it has none. */
struct report {
	const char *verb;
	int exit_status;
	const char *root; /* "" for the running host */
	const struct facts *facts;
	const struct policy *policy;
	const struct plan *plan;
	const struct diags *diags,
		*findings; /* of the policy, and of holding it against the host */
	const struct host_status *status;
	const char *const *roles; /* in the library, for `check` */
	size_t roles_n;
};

struct report_counts {
	size_t by_outcome[OUTCOMES];
	size_t failed; /* what keeps the host from being in compliance */
};

struct report_style {
	bool colour;
	bool colour_errors; /* the same for what goes to standard error */
	bool quiet;
	bool verbose;
};

void report_count(const struct plan *plan, struct report_counts *ret);
const char *report_result(const struct report *r, struct arena *a);
void report_diags(const struct diags *d, const struct report_style *style, FILE *f);
int report_text(const struct report *r, const struct report_style *style, FILE *f);
int report_json(const struct report *r, FILE *f);

#endif
