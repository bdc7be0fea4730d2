/* SPDX-License-Identifier: MIT */
/* Which rules are about a unit, a template, a slice. Pure, as all of the plan. */
#include "plan/start-rules.h"

#include <limits.h>

#include "base/unit-name.h"
#include "plan/match-names.h"

/** rule_unit() - the pattern for units with this number of a rule; NULL: it has no more */
const char *rule_unit(const struct rule *r, size_t i)
{
	if (r->unit.n)
		return i < r->unit.n ? r->unit.items[i] : NULL;
	return i == 0 ? r->title : NULL;
}

/** start_rules_add() - appends a number; 0 or -ENOMEM */
int start_rules_add(struct arena *a, valuelist *list, uint32_t value)
{
	uint32_t *slot = array_add(a, list);

	if (!slot)
		return -ENOMEM;
	*slot = value;
	return 0;
}

/**
 * start_rules_of_unit() - rules that name a unit, or a slice that it is in
 * @p: of match_patterns()
 * @unit: its name
 * @slice: the slice that it is in; NULL or "-.slice": none
 * @a: where the list lives
 * @list: the rules are appended, in no order, some more than once
 *
 * Return: 0; -ENOMEM.
 */
int start_rules_of_unit(const struct patterns *p, const char *unit, const char *slice,
			struct arena *a, valuelist *list)
{
	int r = patterns_find(p, unit, a, list);
	char name[NAME_MAX + 1];

	if (r < 0 || !slice || streq(slice, "-.slice") ||
	    snprintf(name, sizeof(name), "%s", slice) >= (int)sizeof(name))
		return r;
	do
		r = patterns_find(p, name, a, list);
	while (r == 0 && slice_parent(name));
	return r;
}

/**
 * start_rules_of_slices() - rules that may name a slice
 * @plan: of resolve_found()
 * @p: of match_patterns()
 * @a: where the list lives
 * @list: the rules are appended, in no order, some more than once
 *
 * Return: 0; -ENOMEM.
 */
int start_rules_of_slices(const struct plan *plan, const struct patterns *p, struct arena *a,
			  valuelist *list)
{
	static const struct names slices = { "", ".slice", 0, sizeof(".slice") - 1 };
	const struct pattern_glob *g;
	const struct plan_rule *pr;
	const char *name;
	int r = 0;

	array_foreach(pr, &plan->rules)
		for (size_t i = 0; (name = rule_unit(pr->rule, i)); i++)
			if (r == 0 && endswith(name, ".slice") && pattern_is_literal(name))
				r = start_rules_add(a, list, (uint32_t)pr_i);
	array_foreach(g, &p->globs)
		if (r == 0 && names_touched(g, &slices))
			r = start_rules_add(a, list, g->value);
	return r;
}

static bool is_instance(const char *pattern, const struct names *names)
{
	return pattern_is_literal(pattern) && strlen(pattern) > names->head_len + names->tail_len &&
	       memcmp(pattern, names->head, names->head_len) == 0 && endswith(pattern, names->tail);
}

/* Those that name each instance of a template, and those that name some. */
static int find_for_template(struct patterns *p, const struct plan *plan, const struct names *names,
			     struct start_rules *ret)
{
	const struct pattern_glob *g;
	const struct plan_rule *pr;
	const char *unit;
	int r = 0;

	array_foreach(g, &p->globs)
		if (r == 0 && names_touched(g, names))
			r = start_rules_add(&p->arena,
					    names_covered(g->pattern, names, &p->arena) ?
						    &ret->all :
						    &ret->some,
					    g->value);
	array_foreach(pr, &plan->rules)
		for (size_t i = 0; r == 0 && (unit = rule_unit(pr->rule, i)); i++)
			if (is_instance(unit, names))
				r = start_rules_add(&p->arena, &ret->some, (uint32_t)pr_i);
	/* An instance may have another slice than the one that was asked for. */
	return r < 0 ? r : start_rules_of_slices(plan, p, &p->arena, &ret->some);
}

/* Which user an instance has, is told only when it is there. */
static int sort_out_users(struct patterns *p, const struct plan *plan, struct start_rules *ret)
{
	const uint32_t *rule;
	size_t n = 0;
	int r = 0;

	array_foreach(rule, &ret->all)
		if (plan->rules.items[*rule].rule->user.n == 0)
			ret->all.items[n++] = *rule;
		else if (r == 0)
			r = start_rules_add(&p->arena, &ret->some, *rule);
	ret->all.n = n;
	return r;
}

/**
 * start_rules_find() - the rules for the programs of a unit, or of all instances of a template
 * @p: of match_patterns(); the lists live there, too
 * @plan: of resolve_found()
 * @sp: a program of the unit
 * @ret: the rules, in no order, some more than once; its lists are used again
 *
 * Return: 0; -ENOMEM.
 */
int start_rules_find(struct patterns *p, const struct plan *plan, const struct start_program *sp,
		     struct start_rules *ret)
{
	bool template = unit_name_is_template(sp->unit);
	struct names names;
	int r;

	ret->all.n = ret->some.n = 0;
	r = start_rules_of_unit(p, template ? "" : sp->unit, sp->slice, &p->arena, &ret->all);
	if (r < 0 || !template || !names_of_place(sp->unit, &p->arena, &names))
		return r;
	r = names.head ? find_for_template(p, plan, &names, ret) : -ENOMEM;
	return r < 0 ? r : sort_out_users(p, plan, ret);
}
