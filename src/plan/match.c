/* SPDX-License-Identifier: MIT */
/* Which processes a policy's rules are about. Pure, as all of the plan. */
#include "plan/match.h"

#include <fnmatch.h>

#define NONE UINT32_MAX

/* One rule among those with the same literal pattern. */
struct literal {
	uint32_t rule;
	uint32_t next; /* index in literals, or NONE: beyond them */
};

struct glob {
	const char *pattern;
	/* What stands before the first and behind the last special character, to say no quickly. */
	const char *tail;
	size_t head_len, tail_len;
	uint32_t rule;
};

/*
 * All unit patterns of all rules. Most name one unit: these are found in a map, and only real
 * patterns cost a comparison for each unit.
 */
struct patterns {
	struct arena arena;
	struct strmap index; /* first of the literals with this text */
	ARRAY(struct literal) literals;
	ARRAY(struct glob) globs;
};

typedef ARRAY(uint32_t) rulelist;

static void patterns_free(struct patterns *p)
{
	arena_free(&p->arena);
}

#define _cleanup_patterns_ _cleanup_(patterns_free)

static int add_pattern(struct patterns *p, const char *pattern, uint32_t rule)
{
	static const char special[] = "*?[]\\";
	size_t head = strcspn(pattern, special);
	struct literal *l;
	uint32_t first;

	if (pattern[head]) {
		struct glob *g = array_add(&p->arena, &p->globs);
		const char *tail = pattern + head;

		if (!g)
			return -ENOMEM;
		for (const char *c = tail; *c; c++)
			if (strchr(special, *c))
				tail = c + 1;
		*g = (struct glob){ pattern, tail, head, strlen(tail), rule };
		return 0;
	}
	l = array_add(&p->arena, &p->literals);
	if (!l)
		return -ENOMEM;
	*l = (struct literal){ rule, NONE };
	if (!strmap_get(&p->index, pattern, &first))
		return strmap_put(&p->index, &p->arena, pattern, (uint32_t)p->literals.n - 1);
	/* Second in the list: the map's value stays. */
	l->next = p->literals.items[first].next;
	p->literals.items[first].next = (uint32_t)p->literals.n - 1;
	return 0;
}

static int add_patterns(struct patterns *p, const struct plan *plan)
{
	const struct plan_rule *pr;
	int r = 0;

	array_foreach(pr, &plan->rules) {
		uint32_t rule = (uint32_t)(pr - plan->rules.items);
		const char **pattern;

		if (pr->rule->unit.n == 0)
			r = add_pattern(p, pr->rule->title, rule);
		array_foreach(pattern, &pr->rule->unit)
			if (r == 0)
				r = add_pattern(p, *pattern, rule);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool glob_matches(const struct glob *g, const char *name, size_t len)
{
	return len >= g->head_len && memcmp(name, g->pattern, g->head_len) == 0 &&
	       len >= g->tail_len && memcmp(name + len - g->tail_len, g->tail, g->tail_len) == 0 &&
	       fnmatch(g->pattern, name, 0) == 0;
}

static bool any_matches(const struct patterns *p, const char *name)
{
	size_t len = strlen(name);
	const struct glob *g;

	if (strmap_get(&p->index, name, NULL))
		return true;
	array_foreach(g, &p->globs)
		if (glob_matches(g, name, len))
			return true;
	return false;
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
	int r = add_patterns(&p, plan);

	if (r < 0)
		return r;
	array_foreach(pr, &plan->rules) {
		needs.exe |= pr->rule->exe.n > 0;
		needs.user |= pr->rule->user.n > 0;
	}
	array_foreach(u, &f->units)
		u->wanted = (u->parent != UNIT_NONE && f->units.items[u->parent].wanted) ||
			    any_matches(&p, u->name);
	*ret = needs;
	return 0;
}

static int compare_rules(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int add_rule(struct arena *a, rulelist *list, uint32_t rule)
{
	uint32_t *slot = array_add(a, list);

	if (!slot)
		return -ENOMEM;
	*slot = rule;
	return 0;
}

/* Appends the rules that name this very unit. */
static int add_rules(struct patterns *p, const char *name, rulelist *list)
{
	size_t len = strlen(name);
	const struct glob *g;
	uint32_t i = NONE;
	int r = 0;

	if (strmap_get(&p->index, name, &i))
		for (; i < p->literals.n && r == 0; i = p->literals.items[i].next)
			r = add_rule(&p->arena, list, p->literals.items[i].rule);
	array_foreach(g, &p->globs)
		if (r == 0 && glob_matches(g, name, len))
			r = add_rule(&p->arena, list, g->rule);
	return r;
}

/* What is known of the unit that is looked at: units of one slice mostly come one after another. */
struct candidates {
	uint32_t unit, slice;
	rulelist above; /* rules that name a slice above it */
	rulelist rules; /* those, and the ones that name it: in order, each once */
};

static int find_candidates(struct patterns *p, const struct facts *f, uint32_t unit,
			   struct candidates *c)
{
	uint32_t slice = f->units.items[unit].parent, *rule;
	rulelist *list = &c->rules;
	size_t n = 0;
	int r = 0;

	if (c->slice != slice) {
		c->above.n = 0;
		for (uint32_t u = slice; u != UNIT_NONE && r == 0; u = f->units.items[u].parent)
			r = add_rules(p, f->units.items[u].name, &c->above);
	}
	c->unit = unit;
	c->slice = slice;
	list->n = 0;
	array_foreach(rule, &c->above)
		if (r == 0)
			r = add_rule(&p->arena, list, *rule);
	if (r == 0)
		r = add_rules(p, f->units.items[unit].name, list);
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

static bool rule_matches(const struct rule *r, const struct proc_fact *p)
{
	return list_matches(&r->comm, p->comm) && list_matches(&r->exe, p->exe) &&
	       list_matches(&r->user, p->user);
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
	int r = add_patterns(&p, plan);

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

			if (!rule_matches(pr->rule, fact))
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
