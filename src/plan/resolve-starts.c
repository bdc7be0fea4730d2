/* SPDX-License-Identifier: MIT */
/* rules x programs of units -> who gets which flag as it is started. Pure, as all of the plan. */
#include "plan/resolve-starts.h"

#include <limits.h>

#include "base/hash.h"
#include "base/unit-name.h"
#include "plan/match-names.h"
#include "plan/match.h"

#define NONE UINT32_MAX
#define COMM_LEN 15 /* TASK_COMM_LEN without the zero, linux/sched.h */

/** resolve_start_wanted() - whether a rule, when it wins, is to be kept at starts, too */
bool resolve_start_wanted(const struct plan_rule *pr)
{
	return pr->rule->start != START_NO && pr->rule->apply != APPLY_VERIFY &&
	       pr->mode != THP_MODE_INHERIT && thp_mode_flag(pr->mode) != THP_WANT_NOTHING &&
	       /* A mode that this kernel cannot do and that falls back to nothing. */
	       (pr->outcome != OUTCOME_UNSUPPORTED || pr->mode != THP_MODE_MADVISE);
}

/* The patterns of a rule: those that it names, or its title. */
static const char *const *unit_patterns(const struct rule *rule, size_t *ret_n)
{
	*ret_n = rule->unit.n ? rule->unit.n : 1;
	return rule->unit.n ? rule->unit.items : &rule->title;
}

/**
 * resolve_start_patterns() - which units' programs are to be asked for
 * @plan: of resolve_found()
 * @a: where the list will live; its strings are the policy's
 * @ret: unit patterns of the rules that want something at starts
 *
 * What only a rule without such a wish matches need not be asked for.
 *
 * Return: 0; -ENOMEM.
 */
int resolve_start_patterns(const struct plan *plan, struct arena *a, strlist *ret)
{
	const struct plan_rule *pr;
	strlist list = { 0 };

	array_foreach(pr, &plan->rules) {
		size_t n;
		const char *const *units = unit_patterns(pr->rule, &n);

		if (!resolve_start_wanted(pr))
			continue;
		for (size_t i = 0; i < n; i++) {
			const char **slot = array_add(a, &list);

			if (!slot)
				return -ENOMEM;
			*slot = units[i];
		}
	}
	*ret = list;
	return 0;
}

/**
 * resolve_start_rules() - rules that name a unit, or a slice that it is in
 * @p: of match_patterns()
 * @unit: its name
 * @slice: the slice that it is in; NULL or "-.slice": none
 * @a: where the list lives
 * @list: the rules are appended, in no order, some more than once
 *
 * Return: 0; -ENOMEM.
 */
int resolve_start_rules(const struct patterns *p, const char *unit, const char *slice,
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

static bool matches(const struct rule *rule, const struct start_program *sp)
{
	const char *slash = strrchr(sp->called, '/');
	char comm[COMM_LEN + 1];

	(void)snprintf(comm, sizeof(comm), "%s", slash ? slash + 1 : sp->called);
	return match_rule(rule, comm, sp->path, sp->user ? sp->user : "root");
}

/* Of the rules that name the unit, the last one that matches the program. */
static uint32_t find_winner(const struct plan *plan, const valuelist *rules,
			    const struct start_program *sp)
{
	uint32_t winner = NONE;
	const uint32_t *rule;

	array_foreach(rule, rules)
		if ((winner == NONE || *rule > winner) &&
		    matches(plan->rules.items[*rule].rule, sp))
			winner = *rule;
	return winner;
}

/* The rules that a unit's programs are held against. */
struct candidates {
	valuelist all;	/* that name the unit, or each instance of a template */
	valuelist some; /* that name one or the other of the instances */
};

static bool same_start(const struct plan_rule *a, const struct plan_rule *b)
{
	bool wanted = resolve_start_wanted(a);

	return wanted == resolve_start_wanted(b) &&
	       (!wanted || (a->mode == b->mode && a->rule->start == b->rule->start));
}

/*
 * Whether what one rule says is so for all instances. Which user an instance has, is told only when
 * it is there.
 */
static bool holds_for_all(const struct plan *plan, const struct candidates *rules, uint32_t winner,
			  const struct start_program *sp)
{
	const struct plan_rule *pr = &plan->rules.items[winner];
	const uint32_t *rule;

	array_foreach(rule, &rules->some) {
		const struct plan_rule *other = &plan->rules.items[*rule];

		if (*rule > winner && !same_start(pr, other) &&
		    (other->rule->user.n > 0 || matches(other->rule, sp)))
			return false;
	}
	return true;
}

static int add_entry(const struct plan *plan, const struct candidates *rules,
		     const struct start_program *sp, struct start_table *t)
{
	uint32_t winner = find_winner(plan, &rules->all, sp);
	const struct plan_rule *pr;
	struct start_entry *e;

	if (winner == NONE || !resolve_start_wanted(&plan->rules.items[winner]) ||
	    !holds_for_all(plan, rules, winner, sp))
		return 0;
	pr = &plan->rules.items[winner];
	/* What systemd does by itself, before the exec, needs nobody to wait for it. */
	if (sp->thp && streq(sp->thp, thp_mode_words[pr->mode]))
		return 0;
	e = array_add(&t->arena, &t->entries);
	if (!e)
		return -ENOMEM;
	*e = (struct start_entry){
		.path = arena_strdup(&t->arena, sp->path),
		.unit = arena_strdup(&t->arena, sp->unit),
		.flag = thp_mode_flag(pr->mode),
		.gate = pr->rule->start == START_GATE,
		.rule = winner,
	};
	return e->path && e->unit ? 0 : -ENOMEM;
}

/*
 * A rule may ask for a program that the unit starts in a roundabout way: a script that in the end
 * executes it. Where its `exe` is a plain path, that is known without the script.
 */
static int add_named_programs(const struct plan *plan, const struct candidates *rules,
			      const struct start_program *sp, struct start_table *t)
{
	const uint32_t *rule;
	const char **exe;

	array_foreach(rule, &rules->all)
		array_foreach(exe, &plan->rules.items[*rule].rule->exe) {
			struct start_program named = *sp;
			int r;

			if (**exe != '/' || !pattern_is_literal(*exe))
				continue;
			named.called = named.path = *exe;
			r = add_entry(plan, rules, &named, t);
			if (r < 0)
				return r;
		}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct start_entry *x = a, *y = b;
	int r = strcmp(x->path, y->path);

	return r ? r : strcmp(x->unit, y->unit);
}

static int compare_entries(const void *a, const void *b)
{
	const struct start_entry *x = a, *y = b;
	int r = compare_names(x, y);

	if (r == 0) /* the winner first */
		r = (x->rule < y->rule) - (x->rule > y->rule);
	return r;
}

static void sort_entries(struct start_table *t)
{
	struct start_entry *items = t->entries.items;
	size_t n = 0;

	if (t->entries.n > 1)
		qsort(items, t->entries.n, sizeof(*items), compare_entries);
	for (size_t i = 0; i < t->entries.n; i++)
		if (n == 0 || !streq(items[n - 1].path, items[i].path) ||
		    !streq(items[n - 1].unit, items[i].unit))
			items[n++] = items[i];
	t->entries.n = n;
}

/* Whether an instance gets what its template has for all that are not named. */
static bool is_in_template(const struct start_table *t, const struct start_entry *e)
{
	char name[UNIT_NAME_MAX + 1];
	const struct start_entry key = { .path = e->path, .unit = name }, *found;

	if (!unit_name_is_instance(e->unit))
		return false;
	(void)snprintf(name, sizeof(name), "%.*s%s", (int)(strchr(e->unit, '@') + 1 - e->unit),
		       e->unit, strrchr(e->unit, '.'));
	found = bsearch(&key, t->entries.items, t->entries.n, sizeof(key), compare_names);
	return found && found->flag == e->flag && found->gate == e->gate;
}

/* So that the table is the same whether such an instance is loaded or not. */
static int leave_to_templates(struct start_table *t)
{
	struct start_entry *items = arena_alloc(&t->arena, (t->entries.n + 1) * sizeof(*items));
	const struct start_entry *e;
	size_t n = 0;

	if (!items)
		return -ENOMEM;
	array_foreach(e, &t->entries)
		if (!is_in_template(t, e))
			items[n++] = *e;
	t->entries.items = items;
	t->entries.n = t->entries.cap = n;
	return 0;
}

static bool is_instance(const char *pattern, const struct names *names)
{
	return pattern_is_literal(pattern) && strlen(pattern) > names->head_len + names->tail_len &&
	       memcmp(pattern, names->head, names->head_len) == 0 && endswith(pattern, names->tail);
}

static int add_value(struct arena *a, valuelist *list, uint32_t value)
{
	uint32_t *slot = array_add(a, list);

	if (!slot)
		return -ENOMEM;
	*slot = value;
	return 0;
}

/* The rules that name each instance of a template, and those that name some. */
static int find_for_template(struct patterns *p, const struct plan *plan, const struct names *names,
			     struct candidates *ret)
{
	const struct pattern_glob *g;
	int r = 0;

	array_foreach(g, &p->globs) {
		const struct rule *rule = plan->rules.items[g->value].rule;

		if (r < 0 || !names_touched(g, names))
			continue;
		if (rule->user.n == 0 && names_covered(g->pattern, names, &p->arena))
			r = add_value(&p->arena, &ret->all, g->value);
		else
			r = add_value(&p->arena, &ret->some, g->value);
	}
	for (uint32_t i = 0; i < plan->rules.n && r == 0; i++) {
		size_t n;
		const char *const *units = unit_patterns(plan->rules.items[i].rule, &n);

		for (size_t u = 0; u < n && r == 0; u++)
			if (is_instance(units[u], names))
				r = add_value(&p->arena, &ret->some, i);
	}
	return r;
}

/* The rules for the programs of a unit, or of all instances of a template. */
static int find_candidates(struct patterns *p, const struct plan *plan,
			   const struct start_program *sp, struct candidates *ret)
{
	bool template = unit_name_is_template(sp->unit);
	struct names names;
	int r;

	ret->all.n = ret->some.n = 0;
	r = resolve_start_rules(p, template ? "" : sp->unit, sp->slice, &p->arena, &ret->all);
	if (r < 0 || !template || !names_of_place(sp->unit, &p->arena, &names))
		return r;
	return names.head ? find_for_template(p, plan, &names, ret) : -ENOMEM;
}

/**
 * resolve_starts() - the table of starts
 * @plan: of resolve_found()
 * @programs: what the units start; those of one unit in one piece
 * @n: number of programs
 * @ret: the table; its strings are its own; free with start_table_free()
 *
 * A program gets the rule that match_procs() would give to the process that it becomes: its `exe`
 * is the file, its `comm` the first 15 bytes of the name that the unit calls it by. Of a program
 * that is a script, neither is the interpreter's. A template stands for those of its instances that
 * are not in the list; it has an entry where the rules are the same for each of them, and then an
 * instance has one only where it gets something else. Where systemd has the same mode for the unit,
 * there is no entry. A rule with `start = no`, `apply = verify` or `thp = inherit` may win, and
 * then there is no entry.
 *
 * Return: 0; -ENOMEM.
 */
int resolve_starts(const struct plan *plan, const struct start_program *programs, size_t n,
		   struct start_table *ret)
{
	_cleanup_start_table_ struct start_table t = { 0 };
	_cleanup_patterns_ struct patterns p = { 0 };
	int r = match_patterns(plan, &p);
	struct candidates rules = { 0 };

	for (size_t i = 0; i < n && r == 0; i++) {
		if (i == 0 || !streq(programs[i].unit, programs[i - 1].unit)) {
			r = find_candidates(&p, plan, &programs[i], &rules);
			if (r == 0)
				r = add_named_programs(plan, &rules, &programs[i], &t);
		}
		if (r == 0 && programs[i].path)
			r = add_entry(plan, &rules, &programs[i], &t);
	}
	if (r < 0)
		return r;
	sort_entries(&t);
	r = leave_to_templates(&t);
	if (r < 0)
		return r;
	*ret = t;
	t = (struct start_table){ 0 };
	return 0;
}

/** start_table_hash() - tells tables from each other by what they say */
uint64_t start_table_hash(const struct start_table *t)
{
	const struct start_entry *e;
	uint64_t h = HASH_BEGIN;

	array_foreach(e, &t->entries) {
		const int what[] = { e->flag, e->gate };

		h = hash_bytes(h, e->path, strlen(e->path) + 1);
		h = hash_bytes(h, e->unit, strlen(e->unit) + 1);
		h = hash_bytes(h, what, sizeof(what));
	}
	return h;
}

/** start_table_free() - frees a table and its strings */
void start_table_free(struct start_table *t)
{
	arena_free(&t->arena);
	*t = (struct start_table){ 0 };
}
