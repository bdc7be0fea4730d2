/* SPDX-License-Identifier: MIT */
/* The processes of a plan as rows of a table: one for each unit and rule. */
#include "model/report-parts.h"

#include <fnmatch.h>

/** flag_word() - a process's flag, found or wanted, as a word; NULL: none that is known */
const char *flag_word(int flag)
{
	switch (flag) {
	case THP_WANT_CLEAR:
		return "clear";
	case THP_WANT_DISABLE:
		return "disable";
	case THP_WANT_EXCEPT_ADVISED:
		return "except_advised";
	default:
		return NULL;
	}
}

/** outcome_severity() - how bad an outcome is: of several processes the worst one counts */
unsigned int outcome_severity(enum outcome o)
{
	static const enum outcome mild_first[] = {
		OUTCOME_NO_TARGET, OUTCOME_GONE,     OUTCOME_OK,      OUTCOME_CHANGED,
		OUTCOME_ABSENT,	   OUTCOME_DRIFTED,  OUTCOME_UNKNOWN, OUTCOME_UNSUPPORTED,
		OUTCOME_DENIED,	   OUTCOME_REJECTED,
	};
	unsigned int i = 0;

	while (i < ARRAY_SIZE(mild_first) && mild_first[i] != o)
		i++;
	return i;
}

/* By rule, unit and pid; processes without a rule come last. */
static int compare_procs(const void *a, const void *b)
{
	const struct plan_proc *x = *(const struct plan_proc *const *)a;
	const struct plan_proc *y = *(const struct plan_proc *const *)b;

	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return x->fact->pid < y->fact->pid ? -1 : x->fact->pid > y->fact->pid;
}

/** add_known() - adds a figure to a sum; either may be -1, not known */
void add_known(int64_t *sum, int64_t kb)
{
	if (kb >= 0)
		*sum = (*sum < 0 ? 0 : *sum) + kb;
}

static bool fits(const strlist *patterns, const char *name)
{
	const char **s;

	array_foreach(s, patterns)
		if (fnmatch(*s, name, 0) == 0)
			return true;
	return false;
}

/* Whether the reader asked for it: a rule that matches nothing goes by the units it names. */
static bool wanted_row(const struct report *r, const struct service_row *row)
{
	const struct rule *rule = row->rule ? row->rule->rule : NULL;
	const char **s;

	if (r->only_failed && !proc_outcome_failed(row->outcome))
		return false;
	if (!r->only_units || r->only_units->n == 0)
		return true;
	if (row->unit)
		return fits(r->only_units, row->unit->fact->name);
	if (!rule || rule->unit.n == 0)
		return rule && fits(r->only_units, rule->title);
	array_foreach(s, &rule->unit)
		if (fits(r->only_units, *s))
			return true;
	return false;
}

/** row_mode() - the mode of the processes in a row */
enum thp_mode row_mode(const struct service_row *row)
{
	return row->rule ? row->rule->mode : row->procs[0]->mode;
}

/** row_dropin() - the mode that systemd sets as the unit starts; UNSET: none, or not looked for */
enum thp_mode row_dropin(const struct service_row *row)
{
	return row->unit ? row->unit->dropin : row->rule ? row->rule->dropin : THP_MODE_UNSET;
}

/* What is to be said of a row; @lost: also, how many processes go by a later rule. */
static const char *note_of(struct arena *a, const struct service_row *row, bool lost)
{
	const struct plan_rule *pr = row->rule;
	const char *note = pr && pr->note ? pr->note : "";
	const char *gap = *note ? "; " : "";

	if (pr && pr->loses_to)
		return arena_printf(a, "%s%sloses to %s", note, gap,
				    place_text(a, pr->loses_to->pos));
	if (pr && pr->lost > 0 && lost)
		return arena_printf(a, "%s%s%zu%s process%s a later rule", note, gap, pr->lost,
				    row->n > 0 ? " more" : "",
				    pr->lost == 1 ? " goes by" : "es go by");
	return note;
}

/* A row for @n processes, which have unit and rule in common; for a rule without any when 0. */
static int add_row(const struct report *r, struct arena *a, service_rows *rows,
		   const struct plan_rule *rule, const struct plan_proc **procs, size_t n)
{
	struct service_row *row = array_add(a, rows);

	if (!row)
		return -ENOMEM;
	*row = (struct service_row){ .rule = rule,
				     .procs = procs,
				     .n = n,
				     .outcome = OUTCOME_NO_TARGET,
				     .rss_kb = -1,
				     .anon_huge_kb = -1,
				     .empty_kb = -1 };
	if (n > 0)
		row->unit = &r->plan->units.items[procs[0]->unit];
	else if (rule->mode == THP_MODE_MADVISE && rule->outcome == OUTCOME_UNSUPPORTED)
		row->outcome = OUTCOME_UNSUPPORTED;
	else if (r->facts && r->facts->units_error && r->facts->units_error != -ENOENT)
		row->outcome = OUTCOME_UNKNOWN;
	for (size_t i = 0; i < n; i++) {
		const struct proc_fact *fact = procs[i]->fact;

		row->by_outcome[procs[i]->outcome]++;
		if (outcome_severity(procs[i]->outcome) > outcome_severity(row->outcome))
			row->outcome = procs[i]->outcome;
		add_known(&row->rss_kb, fact->rss_kb);
		add_known(&row->anon_huge_kb, fact->anon_huge_kb);
		add_known(&row->empty_kb, fact->empty_kb);
	}
	row->shown = wanted_row(r, row);
	/* Of the rows of one rule, the first one says it. */
	row->note = note_of(a, row,
			    streq(r->verb, "plan") && (rows->n == 1 || row[-1].rule != rule));
	return row->note ? 0 : -ENOMEM;
}

/**
 * service_rows_make() - groups the processes of a plan by rule and unit
 * @r: the report, with a plan
 * @a: where the rows will live
 * @ret: zero-initialised; gets at least one row for every rule, in the order of the rules, and
 *	behind these the processes that no rule is about
 *
 * Return: 0 or -ENOMEM.
 */
int service_rows_make(const struct report *r, struct arena *a, service_rows *ret)
{
	const struct plan *plan = r->plan;
	size_t n = plan->procs.n, i = 0;
	const struct plan_proc **procs = arena_alloc(a, (n + 1) * sizeof(*procs)), *p;

	if (!procs)
		return -ENOMEM;
	array_foreach(p, &plan->procs)
		procs[p_i] = p;
	qsort(procs, n, sizeof(*procs), compare_procs);
	for (size_t rule = 0; rule <= plan->rules.n; rule++) {
		bool none = rule == plan->rules.n;
		const struct plan_rule *pr = none ? NULL : &plan->rules.items[rule];
		size_t before = i;

		while (i < n && (none || procs[i]->rule == rule)) {
			size_t first = i++;

			while (i < n && procs[i]->unit == procs[first]->unit &&
			       procs[i]->rule == procs[first]->rule)
				i++;
			if (add_row(r, a, ret, pr, procs + first, i - first) < 0)
				return -ENOMEM;
		}
		if (i == before && pr && add_row(r, a, ret, pr, NULL, 0) < 0)
			return -ENOMEM;
	}
	return 0;
}
