/* SPDX-License-Identifier: MIT */
/*
 * rules x unit files -> drop-ins with MemoryTHP=. Pure, as all of the plan.
 *
 * Who looks at a process that runs knows all about it. Here only names are known, and most of them
 * not yet: an instance, a transient unit, one that another generator makes. So a decision is made
 * for each place that systemd looks for drop-ins in: for all units of a type, for all whose names
 * begin alike, for all instances of a template, for one unit. It stands there if the last rule that
 * matches is the same for everything that is meant by the place, other than what a narrower place
 * is for; else there is no drop-in, and what starts is the daemon's.
 */
#include "plan/resolve-dropins.h"

#include "base/unit-name.h"
#include "plan/match-names.h"
#include "plan/match.h"
#include "plan/resolve-starts.h"
#include "plan/start-rules.h"

struct context {
	const struct plan *plan;
	const struct dropin_unit *units;
	size_t n;
	struct patterns p; /* of all rules, as for processes */
	struct strmap unit_index;
	ARRAY(uint32_t) aliases; /* units that are another one's other name */
	/* Rules that may name the slice of a unit, where it is not known which one that is. */
	valuelist slice_rules;
	ARRAY(const char *) places;
	struct strmap place_index, written;
	struct dropins *out;
};

/* What a rule has for starts; UNSET: it leaves them alone. */
static enum thp_mode gives(const struct plan_rule *pr)
{
	return resolve_start_wanted(pr) ? pr->mode : THP_MODE_UNSET;
}

/* Rules by number, those that are for all of a place before those that may be for some. */
#define FOR_ALL(rule) ((rule)*2 + 1)
#define FOR_SOME(rule) ((rule)*2)

static int compare_down(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y) - (x > y);
}

static int find_for_names(const struct context *c, const struct unit_type *type,
			  const struct names *names, struct arena *a, valuelist *ret)
{
	const struct pattern_glob *g;
	int r = 0;

	array_foreach(g, &c->p.globs) {
		if (r < 0 || !names_touched(g, names))
			continue;
		if (names_covered(g->pattern, names, a))
			r = start_rules_add(a, ret, FOR_ALL(g->value));
		else if (!names_are_place(g, type)) /* which decides for itself */
			r = start_rules_add(a, ret, FOR_SOME(g->value));
	}
	return r;
}

static int find_for_name(const struct context *c, const char *name, const char *slice,
			 struct arena *a, valuelist *ret)
{
	int r = start_rules_of_unit(&c->p, name, slice, a, ret);
	uint32_t *rule;

	array_foreach(rule, ret)
		*rule = FOR_ALL(*rule);
	return r;
}

static const struct dropin_unit *find_unit(const struct context *c, const char *name)
{
	uint32_t i;

	return name && strmap_get(&c->unit_index, name, &i) ? &c->units[i] : NULL;
}

/* The slice that a unit, or all instances of a template, will be in. NULL: that is not known. */
static const char *slice_of(const struct context *c, const char *place, struct arena *a)
{
	const struct dropin_unit *u = find_unit(c, place), *t = u;

	if (strchr(place, '@'))
		t = find_unit(c, unit_name_template(a, place));
	return t && !t->own_slice && !(u && u->own_slice) ? unit_name_default_slice(a, place) :
							    NULL;
}

/* The last rule that matches, where that is the same for all that is meant by the place. */
static const struct plan_rule *judge(const struct context *c, const valuelist *rules)
{
	const struct plan_rule *for_some = NULL;
	const uint32_t *value;

	array_foreach(value, rules) {
		const struct plan_rule *pr = &c->plan->rules.items[*value / 2];

		if (for_some && gives(for_some) != gives(pr))
			return NULL;
		if (*value % 2 && !rule_is_narrow(pr->rule)) /* NOLINT: values are of rules */
			return pr;
		for_some = pr;
	}
	return NULL;
}

static int decide(struct context *c, const char *place, const struct plan_rule **ret)
{
	_cleanup_arena_ struct arena a = { 0 };
	const struct unit_type *type;
	const char *slice = slice_of(c, place, &a);
	valuelist rules = { 0 };
	struct names names;
	uint32_t *rule;
	int r;

	type = names_of_place(place, &a, &names);
	if (type && !names.head)
		return -ENOMEM;
	/* The name of a template is no unit's: of it, only the slice counts. */
	r = find_for_name(c, type ? "" : place, slice, &a, &rules);
	if (r == 0 && type)
		r = find_for_names(c, type, &names, &a, &rules);
	array_foreach(rule, &c->slice_rules)
		if (r == 0 && !slice)
			r = start_rules_add(&a, &rules, FOR_SOME(*rule));
	if (r < 0)
		return r;
	if (rules.n > 1)
		qsort(rules.items, rules.n, sizeof(*rules.items), compare_down);
	*ret = judge(c, &rules);
	return 0;
}

/* What a wider place has for the units of @place; @types: also that for all of a type. */
static bool find_wider(const struct context *c, char *place, bool self, bool types,
		       enum thp_mode *ret)
{
	uint32_t i;

	while (self || unit_name_broaden(place)) {
		self = false;
		if (!types && !strchr(place, '.'))
			break;
		if (strmap_get(&c->written, place, &i)) {
			*ret = c->out->list.items[i].mode;
			return true;
		}
	}
	return false;
}

/* What is in force for the units of @place without a drop-in of their own. */
static enum thp_mode wider(const struct context *c, const char *place)
{
	char name[UNIT_NAME_MAX + 1];
	enum thp_mode mode = THP_MODE_UNSET;
	const uint32_t *i;

	(void)snprintf(name, sizeof(name), "%s", place);
	if (find_wider(c, name, false, false, &mode))
		return mode;
	/* systemd takes the drop-ins for a unit's other names, too, behind those for its own. */
	array_foreach(i, &c->aliases) {
		const struct dropin_unit *u = &c->units[*i];

		if (!streq(u->alias_of, place))
			continue;
		(void)snprintf(name, sizeof(name), "%s", u->name);
		if (find_wider(c, name, true, false, &mode))
			return mode;
	}
	(void)snprintf(name, sizeof(name), "%s", place);
	(void)find_wider(c, name, false, true, &mode);
	return mode;
}

static int write_place(struct context *c, const char *place)
{
	const struct plan_rule *pr = NULL;
	enum thp_mode mode;
	struct dropin *d;
	int r = decide(c, place, &pr);

	if (r < 0)
		return r;
	mode = pr ? gives(pr) : THP_MODE_UNSET;
	if (mode == wider(c, place))
		return 0;
	d = array_add(&c->out->arena, &c->out->list);
	if (!d)
		return -ENOMEM;
	*d = (struct dropin){ arena_strdup(&c->out->arena, place), mode, pr ? pr->rule : NULL };
	return d->place ? strmap_put(&c->written, &c->p.arena, d->place,
				     (uint32_t)c->out->list.n - 1) :
			  -ENOMEM;
}

/* Whether a name is a unit's own one, and the unit can be started. */
static bool is_own_name(const struct context *c, const char *name, struct arena *a)
{
	const struct dropin_unit *u = find_unit(c, name), *t;

	if (u || !unit_name_is_instance(name))
		return !u || (!u->alias_of && !u->masked);
	t = find_unit(c, unit_name_template(a, name));
	return !t || !t->alias_of;
}

static int add_place(struct context *c, const char *name)
{
	struct arena *a = &c->p.arena;
	const char **slot;
	int r;

	if (!name)
		return -ENOMEM;
	if (strmap_get(&c->place_index, name, NULL) ||
	    (strchr(name, '.') && (!unit_name_type(name) || !is_own_name(c, name, a))))
		return 0;
	slot = array_add(a, &c->places);
	r = slot ? strmap_put(&c->place_index, a, name, (uint32_t)c->places.n - 1) : -ENOMEM;
	if (r == 0)
		*slot = name;
	return r;
}

/* Places that rules mean, whether such units have files or not: they may come without. */
static int add_places_of_rules(struct context *c)
{
	const struct pattern_glob *g;
	const struct plan_rule *pr;
	const char *name;
	int r = 0;

	array_foreach(pr, &c->plan->rules)
		for (size_t i = 0; (name = rule_unit(pr->rule, i)); i++)
			if (r == 0 && pattern_is_literal(name) && unit_name_type(name) &&
			    !unit_name_is_template(name))
				r = add_place(c, name);
	array_foreach(g, &c->p.globs)
		for (unsigned int i = 0; i < UNIT_TYPES && r == 0; i++)
			if (names_are_place(g, &unit_types[i]))
				r = add_place(c,
					      arena_printf(&c->p.arena, "%.*s%s", (int)g->head_len,
							   g->pattern, unit_types[i].suffix));
	return r;
}

/* Wider ones first: the type, prefixes by length, templates, units. */
static int compare_places(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	const char *dot_x = strrchr(x, '.'), *dot_y = strrchr(y, '.');
	size_t n = dot_x && dot_x[-1] == '-' ? (size_t)(dot_x - x) : 1000;
	size_t m = dot_y && dot_y[-1] == '-' ? (size_t)(dot_y - y) : 1000;

	n = !dot_x ? 0 : n == 1000 && !unit_name_is_template(x) ? 2000 : n;
	m = !dot_y ? 0 : m == 1000 && !unit_name_is_template(y) ? 2000 : m;
	return n != m ? (n > m) - (n < m) : strcmp(x, y);
}

static int index_units(struct context *c)
{
	int r = 0;

	for (size_t i = 0; i < c->n && r == 0; i++) {
		r = strmap_put(&c->unit_index, &c->p.arena, c->units[i].name, (uint32_t)i);
		if (r == 0 && c->units[i].alias_of) {
			uint32_t *slot = array_add(&c->p.arena, &c->aliases);

			if (!slot)
				return -ENOMEM;
			*slot = (uint32_t)i;
		}
	}
	return r;
}

/**
 * resolve_dropins_slices() - whether it counts in which slices units will be
 * @plan: of resolve_found()
 */
bool resolve_dropins_slices(const struct plan *plan)
{
	_cleanup_patterns_ struct patterns p = { 0 };
	valuelist rules = { 0 };

	return match_patterns(plan, &p) < 0 ||
	       start_rules_of_slices(plan, &p, &p.arena, &rules) < 0 || rules.n > 0;
}

/**
 * resolve_dropins() - the drop-ins by which systemd itself does what the rules want of starts
 * @plan: of resolve_found()
 * @units: the units that have files on this host, or are enabled; each name once
 * @n: how many
 * @ret: what is to be written; its strings are its own, its rules the policy's; free with
 *	dropins_free()
 *
 * A rule that is narrowed by exe, user or comm, has `start = no`, `apply = verify` or `thp =
 * inherit`, or comes to nothing on this kernel may win, and then there is no drop-in; where a wider
 * one would be for the unit, one that says nothing. It is the same where it cannot be told by names
 * which rule is the last one to match: for a later rule may match some of the processes, or some of
 * the units that are not known, or the slice that the unit will be in, where its file names one.
 *
 * Return: 0; -ENOMEM.
 */
int resolve_dropins(const struct plan *plan, const struct dropin_unit *units, size_t n,
		    struct dropins *ret)
{
	_cleanup_dropins_ struct dropins out = { 0 };
	struct context c = { .plan = plan, .units = units, .n = n, .out = &out };
	const char **place;
	int r = match_patterns(plan, &c.p);

	if (r == 0)
		r = index_units(&c);
	if (r == 0)
		r = start_rules_of_slices(plan, &c.p, &c.p.arena, &c.slice_rules);
	for (unsigned int i = 0; i < UNIT_TYPES && r == 0; i++)
		r = add_place(&c, unit_types[i].suffix + 1);
	if (r == 0)
		r = add_places_of_rules(&c);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_place(&c, units[i].alias_of ? units[i].alias_of : units[i].name);
	if (r == 0 && c.places.n > 1)
		qsort(c.places.items, c.places.n, sizeof(*c.places.items), compare_places);
	array_foreach(place, &c.places)
		if (r == 0)
			r = write_place(&c, *place);
	patterns_free(&c.p);
	if (r < 0)
		return r;
	*ret = out;
	out = (struct dropins){ 0 };
	return 0;
}

/** dropins_free() - frees a list and its strings */
void dropins_free(struct dropins *d)
{
	arena_free(&d->arena);
	*d = (struct dropins){ 0 };
}
