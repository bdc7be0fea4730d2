/* SPDX-License-Identifier: MIT */
/* What text and JSON have in common. */
#include "model/report.h"

/** report_count() - how many settings came to which outcome */
void report_count(const struct plan *plan, struct report_counts *ret)
{
	const struct plan_item *it;

	*ret = (struct report_counts){ 0 };
	array_foreach(it, &plan->items) {
		ret->by_outcome[it->outcome]++;
		ret->failed += plan_item_failed(it);
	}
}

/* "2 changed, 5 ok, 1 absent" */
static const char *count_outcomes(const struct report_counts *c, struct arena *a)
{
	static const enum outcome order[] = {
		OUTCOME_CHANGED, OUTCOME_OK,	 OUTCOME_DRIFTED,     OUTCOME_REJECTED,
		OUTCOME_DENIED,	 OUTCOME_ABSENT, OUTCOME_UNSUPPORTED, OUTCOME_GONE,
		OUTCOME_UNKNOWN, OUTCOME_FAILED, OUTCOME_NO_TARGET,
	};
	const char *out = "";

	for (size_t i = 0; i < ARRAY_SIZE(order) && out; i++)
		if (c->by_outcome[order[i]] > 0)
			out = arena_printf(a, "%s%s%zu %s", out, *out ? ", " : "",
					   c->by_outcome[order[i]], outcome_words[order[i]]);
	return out && *out ? out : "no settings";
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

static const char *result_of_plan(const struct report *r, const struct report_counts *c,
				  struct arena *a)
{
	size_t drifted = c->by_outcome[OUTCOME_DRIFTED];

	if (streq(r->verb, "plan")) {
		struct report_counts rest = *c;

		rest.by_outcome[OUTCOME_DRIFTED] = 0;
		if (!drifted)
			return arena_printf(a, "nothing to change: %s", count_outcomes(c, a));
		return arena_printf(a, "%zu to change%s%s", drifted,
				    drifted < r->plan->items.n ? ", " : "",
				    drifted < r->plan->items.n ? count_outcomes(&rest, a) : "");
	}
	if (streq(r->verb, "apply"))
		return arena_printf(a, "%s: %s; all values read back",
				    c->failed ? "not all applied" : "applied",
				    count_outcomes(c, a));
	if (streq(r->verb, "restore")) {
		if (r->plan->items.n == 0)
			return "nothing to restore: no apply in this boot";
		return arena_printf(a, "%s: %s; all values read back",
				    c->failed ? "not all restored" : "restored",
				    count_outcomes(c, a));
	}
	return arena_printf(a, "%s: %s", c->failed ? "not in compliance" : "in compliance",
			    count_outcomes(c, a));
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
	struct report_counts c;
	const char *result;
	size_t n;

	if (streq(r->verb, "check"))
		return result_of_check(r, a);
	if (streq(r->verb, "doctor")) {
		n = r->diags->errors + r->diags->warnings;
		return n ? arena_printf(a, "%zu finding%s", n, n == 1 ? "" : "s") :
			   "nothing found that fights the policy";
	}
	if (r->exit_status == 2 || !r->plan)
		return streq(r->verb, "apply") || streq(r->verb, "restore") ?
			       "trouble: nothing was changed" :
			       "trouble: the policy could not be held against this host";
	report_count(r->plan, &c);
	result = result_of_plan(r, &c, a);
	n = r->plan->rules.n;
	if (!result || n == 0 || streq(r->verb, "plan"))
		return result;
	/* What was not looked at must not pass for being in order. */
	return arena_printf(a, "%s; %zu service rule%s not acted on: this version sets hosts",
			    result, n, n == 1 ? "" : "s");
}
