/* SPDX-License-Identifier: MIT */
/* rules x programs of units -> who gets which flag as it is started. Pure, as all of the plan. */
#include "plan/resolve-starts.h"

#include <limits.h>

#include "base/hash.h"
#include "base/unit-name.h"
#include "plan/match.h"
#include "plan/start-rules.h"

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
		const char *unit, **slot;

		if (!resolve_start_wanted(pr))
			continue;
		for (size_t i = 0; (unit = rule_unit(pr->rule, i)); i++) {
			slot = array_add(a, &list);
			if (!slot)
				return -ENOMEM;
			*slot = unit;
		}
	}
	*ret = list;
	return 0;
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
static bool holds_for_all(const struct plan *plan, const struct start_rules *rules, uint32_t winner,
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

/* One of a template's instances that is to be let alone: so the template can say nothing. */
static int add_exception(const struct start_program *sp, struct start_table *t)
{
	struct start_entry *e = array_add(&t->arena, &t->entries);

	if (!e)
		return -ENOMEM;
	*e = (struct start_entry){ .path = arena_strdup(&t->arena, sp->path),
				   .unit = arena_strdup(&t->arena, sp->unit),
				   .flag = THP_WANT_NOTHING };
	return e->path && e->unit ? 0 : -ENOMEM;
}

static int add_entry(const struct plan *plan, const struct start_rules *rules,
		     const struct start_program *sp, struct start_table *t)
{
	uint32_t winner = find_winner(plan, &rules->all, sp);
	const struct plan_rule *pr;
	struct start_entry *e;

	if (winner == NONE || !resolve_start_wanted(&plan->rules.items[winner]) ||
	    !holds_for_all(plan, rules, winner, sp))
		return unit_name_is_instance(sp->unit) ? add_exception(sp, t) : 0;
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
static int add_named_programs(const struct plan *plan, const struct start_rules *rules,
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

	/* The winner first; what is to be let alone by another name of the same file, last. */
	if (r == 0)
		r = (x->flag == THP_WANT_NOTHING) - (y->flag == THP_WANT_NOTHING);
	return r ? r : (x->rule < y->rule) - (x->rule > y->rule);
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

/* What an instance's template has for the same program; NULL: nothing. */
static struct start_entry *find_template(const struct start_table *t, const struct start_entry *e)
{
	char name[UNIT_NAME_MAX + 1];
	const struct start_entry key = { .path = e->path, .unit = name };

	(void)snprintf(name, sizeof(name), "%s", e->unit);
	if (!unit_name_is_instance(name) || !unit_name_broaden(name))
		return NULL;
	return bsearch(&key, t->entries.items, t->entries.n, sizeof(key), compare_names);
}

/*
 * Leaves to a template what it has for an instance, too, so that the table is the same whether that
 * is loaded or not; and takes from it what is not for all.
 */
static int settle_templates(struct start_table *t)
{
	struct start_entry *items, *e, *template;
	size_t n = 0;

	if (t->entries.n == 0)
		return 0;
	items = arena_alloc(&t->arena, t->entries.n * sizeof(*items));
	if (!items)
		return -ENOMEM;
	array_foreach(e, &t->entries) {
		template = e->flag == THP_WANT_NOTHING ? find_template(t, e) : NULL;
		if (template)
			template->flag = THP_WANT_NOTHING;
	}
	array_foreach(e, &t->entries) {
		template = find_template(t, e);
		if (e->flag != THP_WANT_NOTHING &&
		    (!template || template->flag != e->flag || template->gate != e->gate))
			items[n++] = *e;
	}
	t->entries.items = items;
	t->entries.n = t->entries.cap = n;
	return 0;
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
 * are not in the list; it has an entry where the rules are the same for each of them, those in the
 * list included, unless they get another flag: these have one of their own. Where systemd has the
 * same mode for the unit, there is no entry. A rule with `start = no`, `apply = verify` or
 * `thp = inherit` may win, and then there is no entry.
 *
 * Return: 0; -ENOMEM.
 */
int resolve_starts(const struct plan *plan, const struct start_program *programs, size_t n,
		   struct start_table *ret)
{
	_cleanup_start_table_ struct start_table t = { 0 };
	_cleanup_patterns_ struct patterns p = { 0 };
	int r = match_patterns(plan, &p);
	struct start_rules rules = { 0 };

	for (size_t i = 0; i < n && r == 0; i++) {
		if (i == 0 || !streq(programs[i].unit, programs[i - 1].unit)) {
			r = start_rules_find(&p, plan, &programs[i], &rules);
			if (r == 0)
				r = add_named_programs(plan, &rules, &programs[i], &t);
		}
		if (r == 0 && programs[i].path)
			r = add_entry(plan, &rules, &programs[i], &t);
	}
	if (r < 0)
		return r;
	sort_entries(&t);
	r = settle_templates(&t);
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
		const char *mode = e->gate ? "gate" : "watch";

		h = hash_string(h, e->path);
		h = hash_string(h, e->unit);
		h = hash_string(h, mode);
		h = hash_bytes(h, &e->flag, sizeof(e->flag));
	}
	return h;
}

/** start_table_free() - frees a table and its strings */
void start_table_free(struct start_table *t)
{
	arena_free(&t->arena);
	*t = (struct start_table){ 0 };
}
