/* SPDX-License-Identifier: MIT */
/* What the files of the report share; nobody else includes it. */
#ifndef THPD_MODEL_REPORT_PARTS_H
#define THPD_MODEL_REPORT_PARTS_H

#include "model/report.h"
#include "model/table.h"

/* The processes of one unit that one rule is about. */
struct service_row {
	const struct plan_rule *rule;	/* NULL: no rule, as in `restore` */
	const struct plan_unit *unit;	/* NULL: the rule matches nothing */
	const struct plan_proc **procs; /* by pid */
	size_t n;
	size_t by_outcome[OUTCOMES];
	enum outcome outcome;			/* the worst of them */
	int64_t rss_kb, anon_huge_kb, empty_kb; /* sums; -1: not known of any */
	const char *note;			/* what is to be said of it */
	bool shown;				/* the reader asked for it */
};

typedef ARRAY(struct service_row) service_rows;

void add_known(int64_t *sum, int64_t kb);
unsigned int outcome_severity(enum outcome o);
int service_rows_make(const struct report *r, struct arena *a, service_rows *ret);
const char *list_outcomes(struct arena *a, const size_t *by_outcome);

const char *size_text(struct arena *a, int64_t kb);
const char *place_text(struct arena *a, struct pos pos);
const char *comm_text(struct arena *a, const char *comm);
const char *row_units(struct arena *a, const struct service_row *row, bool all);
const char *proc_line(struct arena *a, const struct plan_proc *p);
enum thp_mode row_mode(const struct service_row *row);
enum thp_mode row_dropin(const struct service_row *row);
enum colour outcome_colour(enum outcome o);
int print_services(const struct report *r, const struct report_style *style, FILE *f);
int print_status_services(const struct report *r, const struct report_style *style, FILE *f);
int print_carried(const struct report *r, const struct report_style *style, FILE *f);
int print_daemon(const struct daemon_view *v, const struct report_style *style, FILE *f);
int print_reclaim(const struct reclaim_report *r, const struct report_style *style, FILE *f);

#endif
