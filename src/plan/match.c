/* SPDX-License-Identifier: MIT */
/* Which processes a policy's rules are about. Pure, as all of the plan. */
#include "plan/match.h"

#include <fnmatch.h>

#define NONE UINT32_MAX

/**
 * match_patterns() - the unit patterns of all rules
 * @plan: of resolve_wanted()
 * @p: gets the patterns, each with the index of its rule in plan->rules
 *
 * Return: 0; -ENOMEM.
 */
int match_patterns(const struct plan *plan, struct patterns *p)
{
	const struct plan_rule *pr;
	int r = 0;

	array_foreach(pr, &plan->rules) {
		uint32_t rule = (uint32_t)(pr - plan->rules.items);
		const char **pattern;

		if (pr->rule->unit.n == 0)
			r = patterns_add(p, pr->rule->title, rule);
		array_foreach(pattern, &pr->rule->unit)
			if (r == 0)
				r = patterns_add(p, *pattern, rule);
		if (r < 0)
			return r;
	}
	return 0;
}

/**
 * match_units() - which units' processes are to be looked at
 * @plan: of resolve_wanted()
 * @f: gets `wanted` of every unit for which a rule names it, or a slice above it; a slice stands
 * before what is in it
 * @ret: what the rules ask of each process
 *
 * Return: 0; -ENOMEM.
 */
int match_units(const struct plan *plan, struct facts *f, struct match_needs *ret)
{
	_cleanup_patterns_ struct patterns p = { 0 };
	struct match_needs needs = { 0 };
	const struct plan_rule *pr;
	struct unit_fact *u;
	int r = match_patterns(plan, &p);

	if (r < 0)
		return r;
	array_foreach(pr, &plan->rules) {
		needs.exe |= pr->rule->exe.n > 0;
		needs.user |= pr->rule->user.n > 0;
	}
	array_foreach(u, &f->units)
		u->wanted = (u->parent != UNIT_NONE && f->units.items[u->parent].wanted) ||
			    patterns_match(&p, u->name);
	*ret = needs;
	return 0;
}

static int compare_rules(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* What is known of the unit that is looked at: units of one slice mostly come one after another. */
struct candidates {
	uint32_t unit, slice;
	valuelist above; /* rules that name a slice above it */
	valuelist rules; /* those, and the ones that name it: in order, each once */
};

static int find_candidates(struct patterns *p, const struct facts *f, uint32_t unit,
			   struct candidates *c)
{
	uint32_t slice = f->units.items[unit].parent, *rule;
	valuelist *list = &c->rules;
	size_t n = 0;
	int r = 0;

	if (c->slice != slice) {
		c->above.n = 0;
		for (uint32_t u = slice; u != UNIT_NONE && r == 0; u = f->units.items[u].parent)
			r = patterns_find(p, f->units.items[u].name, &p->arena, &c->above);
	}
	c->unit = unit;
	c->slice = slice;
	list->n = 0;
	array_foreach(rule, &c->above) {
		uint32_t *slot = r == 0 ? array_add(&p->arena, list) : NULL;

		if (!slot)
			return r < 0 ? r : -ENOMEM;
		*slot = *rule;
	}
	if (r == 0)
		r = patterns_find(p, f->units.items[unit].name, &p->arena, list);
	if (r < 0)
		return r;
	if (list->n > 1)
		qsort(list->items, list->n, sizeof(*list->items), compare_rules);
	for (size_t i = 0; i < list->n; i++)
		if (n == 0 || list->items[n - 1] != list->items[i])
			list->items[n++] = list->items[i];
	list->n = n;
	return 0;
}

static bool list_matches(const strlist *patterns, const char *s)
{
	const char **pattern;

	if (patterns->n == 0)
		return true;
	if (!s)
		return false;
	array_foreach(pattern, patterns)
		if (fnmatch(*pattern, s, 0) == 0)
			return true;
	return false;
}

/**
 * match_rule() - whether what narrows a rule leaves a process in
 * @r: a rule that names its unit
 * @comm: the name of the process
 * @exe: its program, or NULL: not known
 * @user: its user, or NULL: not known
 *
 * What is not known matches no pattern.
 */
bool match_rule(const struct rule *r, const char *comm, const char *exe, const char *user)
{
	return list_matches(&r->comm, comm) && list_matches(&r->exe, exe) &&
	       list_matches(&r->user, user);
}

static int add_proc(struct plan *plan, const struct facts *f, const struct proc_fact *fact,
		    uint32_t rule)
{
	const struct unit_fact *unit = &f->units.items[fact->unit];
	struct plan_proc *pp = array_add(&plan->arena, &plan->procs);
	struct plan_unit *u = plan->units.n ? &plan->units.items[plan->units.n - 1] : NULL;

	if (!pp)
		return -ENOMEM;
	if (!u || u->fact != unit) {
		u = array_add(&plan->arena, &plan->units);
		if (!u)
			return -ENOMEM;
		u->fact = unit;
		u->first = (uint32_t)plan->procs.n - 1;
	}
	u->n++;
	*pp = (struct plan_proc){
		.fact = fact,
		.unit = (uint32_t)plan->units.n - 1,
		.rule = rule,
		.mode = plan->rules.items[rule].mode,
		.outcome = OUTCOME_UNKNOWN,
		.found = fact->flag,
		.now = -1,
	};
	return 0;
}

/**
 * match_procs() - which rule each process gets
 * @f: facts, with the processes of the units that match_units() wanted, by unit
 * @plan: of resolve_wanted(); gets units and processes, and each rule its counts; points into @f
 *
 * Of several rules that match a process, the last one wins. Nobody's rule is for a process that is
 * exempt.
 *
 * Return: 0; -ENOMEM.
 */
int match_procs(const struct facts *f, struct plan *plan)
{
	_cleanup_patterns_ struct patterns p = { 0 };
	struct candidates c = { .unit = UNIT_NONE, .slice = UNIT_NONE };
	const struct proc_fact *fact;
	int r = match_patterns(plan, &p);

	if (r < 0)
		return r;
	array_foreach(fact, &f->procs) {
		uint32_t winner = NONE;

		if (fact->exempt)
			continue;
		if (fact->unit != c.unit) {
			r = find_candidates(&p, f, fact->unit, &c);
			if (r < 0)
				return r;
		}
		for (size_t i = c.rules.n; i-- > 0;) {
			struct plan_rule *pr = &plan->rules.items[c.rules.items[i]];

			if (!match_rule(pr->rule, fact->comm, fact->exe, fact->user))
				continue;
			if (winner != NONE) {
				pr->lost++;
				continue;
			}
			winner = c.rules.items[i];
			pr->matched++;
		}
		if (winner != NONE) {
			r = add_proc(plan, f, fact, winner);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
