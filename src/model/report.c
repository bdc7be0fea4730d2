/* SPDX-License-Identifier: MIT */
/* What text and JSON have in common: the counts, and the line that says how it went. */
#include "model/report-parts.h"

/** proc_outcome_failed() - whether a process with this outcome keeps the host from compliance */
bool proc_outcome_failed(enum outcome o)
{
	return o != OUTCOME_OK && o != OUTCOME_CHANGED && o != OUTCOME_GONE &&
	       o != OUTCOME_NO_TARGET;
}

/* Whether `apply` leaves the running processes of a rule as they are. */
static bool leaves_alone(const struct plan *plan, uint32_t rule)
{
	enum apply_mode apply = rule < plan->rules.n ? plan->rules.items[rule].rule->apply :
						       APPLY_UNSET;

	return apply == APPLY_START || apply == APPLY_VERIFY;
}

/**
 * report_count() - how many settings and processes came to which outcome
 * @plan: the plan
 * @ret: the counts
 *
 * A process that has ended meanwhile, and a rule that matches nothing, are no failures.
 */
void report_count(const struct plan *plan, struct report_counts *ret)
{
	const struct plan_item *it;
	const struct plan_proc *p;
	const struct plan_rule *pr;
	const struct plan_unit *u;

	*ret = (struct report_counts){ .procs = plan->procs.n };
	array_foreach(it, &plan->items) {
		ret->by_outcome[it->outcome]++;
		ret->failed += plan_item_failed(it);
		ret->to_change += it->outcome == OUTCOME_DRIFTED;
	}
	array_foreach(p, &plan->procs) {
		ret->procs_by_outcome[p->outcome]++;
		ret->failed += proc_outcome_failed(p->outcome);
		if (p->outcome != OUTCOME_DRIFTED)
			continue;
		if (leaves_alone(plan, p->rule))
			ret->left++;
		else
			ret->to_change++;
	}
	array_foreach(u, &plan->units)
		ret->services += u->n > 0;
	array_foreach(pr, &plan->rules)
		ret->idle_rules += pr->matched == 0 && pr->lost == 0 && !pr->loses_to;
	ret->unknown = ret->by_outcome[OUTCOME_UNKNOWN] + ret->procs_by_outcome[OUTCOME_UNKNOWN];
}

/* In the order in which people want to read them. */
static const enum outcome told_order[] = {
	OUTCOME_CHANGED, OUTCOME_OK,	 OUTCOME_DRIFTED,     OUTCOME_REJECTED,
	OUTCOME_DENIED,	 OUTCOME_ABSENT, OUTCOME_UNSUPPORTED, OUTCOME_GONE,
	OUTCOME_UNKNOWN, OUTCOME_FAILED, OUTCOME_NO_TARGET,
};

/** list_outcomes() - "2 changed, 5 ok, 1 absent"; "" when there are none */
const char *list_outcomes(struct arena *a, const size_t *by_outcome)
{
	const char *out = "";

	for (size_t i = 0; i < ARRAY_SIZE(told_order) && out; i++)
		if (by_outcome[told_order[i]] > 0)
			out = arena_printf(a, "%s%s%zu %s", out, *out ? ", " : "",
					   by_outcome[told_order[i]], outcome_words[told_order[i]]);
	return out;
}

/* "5 settings ok", or "5 settings (4 ok, 1 drifted)". */
static const char *count_things(struct arena *a, const char *things, const size_t *by_outcome)
{
	const char *word = NULL, *list = list_outcomes(a, by_outcome);

	if (!things || !list)
		return NULL;
	for (size_t i = 0; i < OUTCOMES; i++) {
		if (by_outcome[i] == 0)
			continue;
		if (word)
			return arena_printf(a, "%s (%s)", things, list);
		word = outcome_words[i];
	}
	return arena_printf(a, "%s %s", things, word ? word : "");
}

/* "5 settings ok, 12 processes in 3 services ok, 1 service rule matches nothing" */
static const char *count_all(const struct plan *plan, const struct report_counts *c,
			     struct arena *a)
{
	const char *out = "", *what;

	if (plan->items.n > 0) {
		what = arena_printf(a, "%zu setting%s", plan->items.n,
				    plan->items.n == 1 ? "" : "s");
		out = count_things(a, what, c->by_outcome);
	}
	if (c->procs > 0) {
		what = arena_printf(a, "%s%s%zu process%s in %zu service%s", out ? out : "",
				    plan->items.n > 0 ? ", " : "", c->procs,
				    c->procs == 1 ? "" : "es", c->services,
				    c->services == 1 ? "" : "s");
		out = out ? count_things(a, what, c->procs_by_outcome) : NULL;
	}
	if (c->idle_rules > 0 && out)
		out = arena_printf(a, "%s%s%zu service rule%s nothing", out, *out ? ", " : "",
				   c->idle_rules, c->idle_rules == 1 ? " matches" : "s match");
	return out && !*out ? "no settings" : out;
}

static const char *result_of_check(const struct report *r, struct arena *a)
{
	const struct policy *p = r->policy;
	struct section **s;
	size_t settings = p->host.settings.n, rules = p->host.rules.n;

	if (r->diags->errors > 0)
		return arena_printf(a, "%s: %zu error%s",
				    r->exit_status == 1 ? "invalid" : "not checked",
				    r->diags->errors, r->diags->errors == 1 ? "" : "s");
	array_foreach(s, &p->roles) {
		settings += (*s)->settings.n;
		rules += (*s)->rules.n;
	}
	return arena_printf(a, "valid: %zu file%s, %zu role%s, %zu setting%s, %zu service rule%s",
			    p->files.n, p->files.n == 1 ? "" : "s", p->roles.n,
			    p->roles.n == 1 ? "" : "s", settings, settings == 1 ? "" : "s", rules,
			    rules == 1 ? "" : "s");
}

/* "gave back 1.2 GiB" */
static const char *given(struct arena *a, const struct reclaim_totals *t)
{
	return t->given_kb > 0 ? arena_printf(a, "gave back %s", size_text(a, t->given_kb)) :
				 "gave back nothing";
}

static const char *result_of_apply(const struct report *r, const struct report_counts *c,
				   const char *counts, struct arena *a)
{
	const char *out = arena_printf(a, "%s: %s; all values read back",
				       r->exit_status ? "not all applied" : "applied", counts);

	if (out && c->left > 0)
		out = arena_printf(a, "%s; %zu left alone by apply = start or verify", out,
				   c->left);
	if (out && r->reclaim && r->reclaim->procs.n > 0) {
		struct reclaim_totals t;

		reclaim_total(r->reclaim, &t);
		out = arena_printf(a, "%s; %s", out, given(a, &t));
	}
	return out;
}

static const char *result_of_plan(const struct report *r, struct arena *a)
{
	struct report_counts c;
	const char *counts;

	report_count(r->plan, &c);
	counts = count_all(r->plan, &c, a);
	if (!counts)
		return NULL;
	if (streq(r->verb, "plan"))
		return c.to_change ? arena_printf(a, "%zu to change: %s", c.to_change, counts) :
				     arena_printf(a, "nothing to change: %s", counts);
	if (streq(r->verb, "apply"))
		return result_of_apply(r, &c, counts, a);
	if (!streq(r->verb, "restore"))
		return arena_printf(a, "%s: %s", c.failed ? "not in compliance" : "in compliance",
				    counts);
	if (r->plan->items.n + r->plan->procs.n == 0)
		return "nothing to restore: no apply in this boot";
	return arena_printf(a, "%s: %s; all values read back",
			    r->exit_status ? "not all restored" : "restored", counts);
}

/* "RSS 1.3 GiB -> 120.0 MiB", behind what was said before; nothing when it is not known. */
static const char *step(struct arena *a, const char *before, const char *what, int64_t from,
			int64_t to)
{
	if (from < 0 || to < 0 || !before)
		return before;
	return arena_printf(a, "%s%s%s %s -> %s", before, *before ? ", " : "", what,
			    size_text(a, from), size_text(a, to));
}

static const char *result_of_reclaim(const struct reclaim_report *r, struct arena *a)
{
	struct reclaim_totals t;
	const char *out, *steps;

	reclaim_total(r, &t);
	if (r->procs.n == 0)
		return "nothing to give back: no process";
	if (r->dry_run)
		return arena_printf(a,
				    "measured: %s in huge pages, about %s of that empty; "
				    "%s hidden; nothing was changed",
				    size_text(a, t.huge_before_kb), size_text(a, t.empty_kb),
				    size_text(a, t.hidden_before_kb));
	steps = step(a, "", "RSS", t.rss_before_kb, t.rss_after_kb);
	steps = step(a, steps, "charged", t.current_before_kb, t.current_after_kb);
	if (!steps)
		return NULL;
	out = arena_printf(a, "%s%s%s%s", r->interrupted ? "interrupted: " : "", given(a, &t),
			   *steps ? ": " : "", steps);
	if (out && t.failed > 0)
		out = arena_printf(a, "%s; %zu of %zu processes not looked after", out, t.failed,
				   r->procs.n);
	return out;
}

/**
 * report_result() - the one line that says how it went
 * @r: the report
 * @a: where the line will live
 *
 * Return: the line, or NULL when out of memory.
 */
const char *report_result(const struct report *r, struct arena *a)
{
	size_t n;

	if (streq(r->verb, "check"))
		return result_of_check(r, a);
	if (streq(r->verb, "doctor")) {
		n = r->diags->errors + r->diags->warnings;
		return n ? arena_printf(a, "%zu finding%s", n, n == 1 ? "" : "s") :
			   "nothing found that fights the policy";
	}
	if (streq(r->verb, "reclaim"))
		return r->exit_status == 2 || !r->reclaim ? "trouble: nothing was changed" :
							    result_of_reclaim(r->reclaim, a);
	if (r->exit_status == 2 || !r->plan)
		return streq(r->verb, "apply") || streq(r->verb, "restore") ?
			       "trouble: nothing was changed" :
			       "trouble: the policy could not be held against this host";
	return result_of_plan(r, a);
}
