/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_REPORT_H
#define THPD_MODEL_REPORT_H

#include "model/daemon.h"
#include "model/facts.h"
#include "model/plan.h"

#define REPORT_SCHEMA "thpd.report/1"

/* Figures that `status` shows beside the settings; negative: not known. */
struct host_status {
	int64_t anon_huge_kb, shmem_huge_kb, mem_total_kb;
	int64_t pages_collapsed, full_scans;
	int64_t originals; /* settings saved from before the first apply of this boot */
};

/* A process with a flag that no rule names: it has it from an ancestor, or has set it itself. */
struct carried_flag {
	int32_t pid;
	const char *comm;
	const char *unit; /* NULL: in none */
	int flag;	  /* enum thp_flag; -1: one, but which is not known */
	int32_t carrier;  /* the oldest ancestor that has it, too; 0: none */
	const char *carrier_comm;
};

typedef ARRAY(struct carried_flag) carried_flags;

/* What splitting a huge page does to the zero-filled pages in it; Linux frees them from 6.12. */
enum pages_mode { PAGES_UNKNOWN, PAGES_ZERO_FREED, PAGES_ZERO_KEPT };

extern const char *const pages_mode_words[];

/* A process whose huge pages were looked after; kB, -1: not known. */
struct reclaim_proc {
	int32_t pid;
	const char *comm;
	const char *unit; /* NULL: not known */
	int64_t rss_before_kb, rss_after_kb;
	int64_t huge_before_kb, huge_after_kb;
	int64_t hidden_before_kb, hidden_after_kb; /* in huge pages that it has mapped in part */
	int64_t empty_kb;			   /* estimated before anything was done */
	uint64_t splits;			   /* huge pages that were asked to split */
	/* Huge pages that are still whole: */
	uint64_t refused; /* asked to split, and did not */
	uint64_t full;	  /* no empty part was seen in them */
	uint64_t shared;  /* with another process */
	uint64_t locked;  /* in memory, by the process */
	enum outcome outcome;
	int error; /* the errno behind it, positive, or 0 */
	const char *note;
};

/* What a unit is charged with, and what of that nobody has mapped; kB, -1: not known. */
struct reclaim_unit {
	const char *name;
	int64_t current_before_kb, current_after_kb;
	int64_t hidden_before_kb, hidden_after_kb;
};

struct reclaim_report {
	ARRAY(struct reclaim_proc) procs;
	ARRAY(struct reclaim_unit) units;
	enum pages_mode pages_mode;
	bool dry_run;	  /* measured only: what is after counts for nothing */
	bool interrupted; /* not all was looked after */
};

/* Sums over what is known both before and after; -1: of none. */
struct reclaim_totals {
	int64_t rss_before_kb, rss_after_kb;
	int64_t huge_before_kb, huge_after_kb;
	int64_t current_before_kb, current_after_kb;
	int64_t hidden_before_kb, hidden_after_kb; /* of units; where not known, of processes */
	int64_t empty_kb;
	int64_t given_kb; /* back to the host: less charged; where not known, less RSS and hidden */
	uint64_t splits, refused, full, shared, locked;
	size_t failed; /* processes that were not looked after */
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
	const carried_flags *carried;
	const struct reclaim_report *reclaim;
	const struct daemon_view *daemon; /* of the daemon itself, or of `status` */
	const char *const *roles;	  /* in the library, for `check` */
	size_t roles_n;
	/* Which units are shown; all of them count. */
	const strlist *only_units; /* patterns; NULL or empty: any */
	bool only_failed;
};

struct report_counts {
	size_t by_outcome[OUTCOMES];	   /* settings */
	size_t procs_by_outcome[OUTCOMES]; /* processes of services */
	size_t procs, services;		   /* services that have processes */
	size_t idle_rules;		   /* match no process */
	size_t to_change;		   /* settings and processes that `apply` would change */
	size_t unknown;			   /* settings and processes */
	size_t left;   /* drifted, but apply = start or verify leaves them alone */
	size_t failed; /* what keeps the host from being in compliance */
};

struct report_style {
	bool colour;
	bool colour_errors; /* the same for what goes to standard error */
	bool quiet;
	bool verbose;
};

const char *flag_word(int flag);
bool proc_outcome_failed(enum outcome o);
void report_count(const struct plan *plan, struct report_counts *ret);
const char *report_result(const struct report *r, struct arena *a);
void reclaim_total(const struct reclaim_report *r, struct reclaim_totals *ret);
void report_diags(const struct diags *d, const struct report_style *style, FILE *f);
int report_text(const struct report *r, const struct report_style *style, FILE *f);
int report_json(const struct report *r, FILE *f);
int report_json_again(const char *text, const struct daemon_view *v, FILE *f);
int report_metrics(const struct report *r, FILE *f);

#endif
