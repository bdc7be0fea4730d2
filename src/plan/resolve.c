/* SPDX-License-Identifier: MIT */
/* policy x facts -> plan. Pure: no system call, no clock, the same answer for the same input. */
#include "plan/resolve.h"

#include <fnmatch.h>

#include "base/parse.h"

static bool hosts_match(const struct policy *p, const struct facts *f, struct role_choice *ret)
{
	struct section **s;

	array_foreach(s, &p->roles) {
		const char **pattern;

		array_foreach(pattern, &(*s)->hosts) {
			if (fnmatch(*pattern, f->hostname, 0) != 0)
				continue;
			*ret = (struct role_choice){ .name = (*s)->name,
						     .source = ROLE_HOSTS,
						     .where = (*s)->hosts_pos.file,
						     .line = (*s)->hosts_pos.line,
						     .pattern = *pattern };
			return true;
		}
	}
	return false;
}

/**
 * resolve_role() - which role this host has, and who says so
 * @p: the policy
 * @f: the facts about the host
 * @option: of --role, or NULL
 * @ret: the first source that answers; ROLE_NONE and no name when none does
 *
 * Whether a role of that name exists is not asked here.
 */
void resolve_role(const struct policy *p, const struct facts *f, const char *option,
		  struct role_choice *ret)
{
	const struct {
		struct role_word word;
		enum role_source source;
	} places[] = {
		{ { .word = option }, ROLE_OPTION },
		{ f->cmdline_role, ROLE_CMDLINE },
		{ f->credential_role, ROLE_CREDENTIAL },
		{ f->file_role, ROLE_FILE },
		{ { p->host_role, p->host_role_pos.file, p->host_role_pos.line }, ROLE_POLICY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (!places[i].word.word)
			continue;
		*ret = (struct role_choice){ .name = places[i].word.word,
					     .source = places[i].source,
					     .where = places[i].word.where,
					     .line = places[i].word.line };
		return;
	}
	if (!hosts_match(p, f, ret))
		*ret = (struct role_choice){ .source = ROLE_NONE };
}

/*
 * Where a key belongs in a table: the top level as documented, khugepaged, then sizes, small
 * first.
 */
static uint64_t key_rank(const char *key)
{
	static const char *const top[] = { "enabled",	    "defrag",		"shmem_enabled",
					   "use_zero_page", "shrink_underused", NULL };
	const char *size = startswith(key, "hugepages-");

	if (size)
		return UINT64_C(1000) + strtoull(size, NULL, 10);
	if (strchr(key, '/'))
		return 100;
	return (uint64_t)word_index(top, key);
}

static int compare_items(const void *a, const void *b)
{
	const struct plan_item *x = a, *y = b;
	uint64_t rx = key_rank(x->key), ry = key_rank(y->key);

	if (rx != ry)
		return rx < ry ? -1 : 1;
	return strcmp(x->key, y->key);
}

static int add_items(struct plan *plan, const struct section *s, struct strmap *seen)
{
	const struct setting *set;

	array_foreach(set, &s->settings) {
		struct plan_item *it;
		uint32_t i;

		if (strmap_get(seen, set->key, &i)) {
			it = &plan->items.items[i];
			it->overrides = it->pos;
		} else {
			it = array_add(&plan->arena, &plan->items);
			if (!it || strmap_put(seen, &plan->arena, set->key,
					      (uint32_t)plan->items.n - 1) < 0)
				return -ENOMEM;
		}
		it->key = set->key;
		it->wanted = set->value;
		it->pos = set->pos;
		it->outcome = OUTCOME_UNKNOWN;
	}
	return 0;
}

static int add_rules(struct plan *plan, const struct section *s)
{
	const struct rule *r;

	array_foreach(r, &s->rules) {
		struct plan_rule *pr = array_add(&plan->arena, &plan->rules);

		if (!pr)
			return -ENOMEM;
		*pr = (struct plan_rule){
			.rule = r, .section = s->name, .mode = r->thp, .outcome = OUTCOME_UNKNOWN
		};
	}
	return 0;
}

/* What a rule selects, as one string: two rules with the same string select the same processes. */
static const char *selector(struct arena *a, const struct rule *r)
{
	const strlist *lists[] = { &r->unit, &r->exe, &r->user, &r->comm };
	const char *out = r->unit.n ? "" : arena_printf(a, "%s\t", r->title);

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const char **s;

		array_foreach(s, lists[i])
			out = out ? arena_printf(a, "%s%s\t", out, *s) : NULL;
		out = out ? arena_printf(a, "%s\n", out) : NULL;
	}
	return out;
}

/* The last of several rules wins: finds those that can never win. */
static int find_losers(struct plan *plan)
{
	_cleanup_arena_ struct arena scratch = { 0 };
	struct strmap last = { 0 };

	for (size_t i = plan->rules.n; i-- > 0;) {
		struct plan_rule *pr = &plan->rules.items[i];
		const char *key = selector(&scratch, pr->rule);
		uint32_t winner;
		int r;

		if (!key)
			return -ENOMEM;
		if (strmap_get(&last, key, &winner)) {
			pr->loses_to = plan->rules.items[winner].rule;
			continue;
		}
		r = strmap_put(&last, &scratch, key, (uint32_t)i);
		if (r < 0)
			return r;
	}
	return 0;
}

/**
 * resolve_wanted() - what the policy wants of a host with this role
 * @p: the policy; the plan points into it
 * @role: of resolve_role()
 * @plan: zero-initialised; gets items (nothing known about them yet) and rules
 *
 * Return: 0, with an error in plan->findings when the role does not exist; -ENOMEM.
 */
int resolve_wanted(const struct policy *p, const struct role_choice *role, struct plan *plan)
{
	const struct section *s = role->name ? policy_role(p, role->name) : NULL;
	struct strmap seen = { 0 };
	int r;

	plan->role = *role;
	if (role->name && !s)
		diag_add(&plan->findings, SEVERITY_ERROR,
			 role->source == ROLE_OPTION ? "--role" : role->where, role->line,
			 "there is no role '%s'; expected one that the policy or the role library "
			 "has",
			 role->name);
	r = add_items(plan, &p->host, &seen);
	if (r == 0)
		r = add_rules(plan, &p->host);
	if (r == 0 && s)
		r = add_items(plan, s, &seen);
	if (r == 0 && s)
		r = add_rules(plan, s);
	if (r == 0)
		r = find_losers(plan);
	if (r == 0 && plan->items.n > 1)
		qsort(plan->items.items, plan->items.n, sizeof(*plan->items.items), compare_items);
	return r;
}

static enum severity missing_severity(enum missing m, enum severity unset)
{
	switch (m) {
	case MISSING_ERROR:
		return SEVERITY_ERROR;
	case MISSING_WARN:
		return SEVERITY_WARNING;
	case MISSING_IGNORE:
		return SEVERITY_NOTE;
	case MISSING_UNSET:
		break;
	}
	return unset;
}

/*
 * What this kernel has not got: a finding, fatal or not as `missing` says. A kernel without THP is
 * one finding for all.
 */
static void not_offered(struct plan *plan, struct plan_item *it, enum outcome outcome,
			enum severity severity, bool no_thp, const char *note)
{
	it->outcome = outcome;
	it->note = note;
	it->tolerated = severity != SEVERITY_ERROR;
	if (!note)
		plan->findings.oom = true;
	else if (severity != SEVERITY_NOTE && !no_thp)
		diag_add(&plan->findings, severity, it->pos.file, it->pos.line, "%s: %s", it->key,
			 note);
}

static bool offered(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = words; (s = strstr(s, word)); s += n)
		if ((s == words || s[-1] == ' ') && (s[n] == ' ' || !s[n]))
			return true;
	return false;
}

/* khugepaged takes as many PTEs as a PMD has (HPAGE_PMD_NR - 1), mm/khugepaged.c. */
static bool in_range(const struct facts *f, const struct plan_item *it)
{
	uint64_t v = 0;

	if (!startswith(it->key, "khugepaged/max_ptes_") || f->pmd_pages == 0)
		return true;
	return parse_uint(it->wanted, f->pmd_pages - 1, &v) == 0;
}

static void find_item(const struct policy *p, const struct facts *f, struct plan *plan,
		      struct plan_item *it)
{
	const struct knob_fact *k = facts_knob(f, it->key);
	int error = f->thp_error ? f->thp_error : k ? k->error : -ENODATA;

	if (error == -ENOENT) {
		not_offered(plan, it, OUTCOME_ABSENT,
			    missing_severity(p->missing, SEVERITY_WARNING), f->thp_error == -ENOENT,
			    "this kernel has no such file");
		return;
	}
	if (error < 0) {
		it->outcome = OUTCOME_UNKNOWN;
		it->error = -error;
		it->note = error == -ENODEV ? "no sysfs is mounted" :
					      arena_printf(&plan->arena, "cannot be read: %s",
							   strerror(-error));
		return;
	}
	it->found = k->value;
	if (k->words[0] && !offered(k->words, it->wanted))
		not_offered(plan, it, OUTCOME_REJECTED,
			    missing_severity(p->missing, SEVERITY_ERROR), false,
			    arena_printf(&plan->arena, "this kernel has no '%s'; it offers %s",
					 it->wanted, k->words));
	else if (!in_range(f, it))
		not_offered(plan, it, OUTCOME_REJECTED, SEVERITY_ERROR, false,
			    arena_printf(&plan->arena, "%s is more than this kernel's %llu",
					 it->wanted, (unsigned long long)f->pmd_pages - 1));
	else
		it->outcome = streq(it->wanted, k->value) ? OUTCOME_OK : OUTCOME_DRIFTED;
}

/* `enabled = never` does not stop everything, and makes `defrag` idle: worth a note, no failure. */
static void note_never(struct plan *plan)
{
	const struct plan_item *it, *defrag = NULL;
	bool never = false, some_size = false;

	array_foreach(it, &plan->items) {
		never |= streq(it->key, "enabled") && streq(it->wanted, "never");
		if (streq(it->key, "defrag"))
			defrag = it;
	}
	if (!never)
		return;
	array_foreach(it, &plan->items) {
		if (!startswith(it->key, "hugepages-") || !endswith(it->key, "/enabled") ||
		    streq(it->wanted, "never") || streq(it->wanted, "inherit"))
			continue;
		some_size = true;
		diag_add(&plan->findings, SEVERITY_NOTE, it->pos.file, it->pos.line,
			 "%s = %s still gives huge pages, although enabled = never", it->key,
			 it->wanted);
	}
	if (defrag && !some_size)
		diag_add(&plan->findings, SEVERITY_NOTE, defrag->pos.file, defrag->pos.line,
			 "defrag has no effect while enabled = never");
}

static void find_rule(const struct policy *p, const struct facts *f, struct plan *plan,
		      struct plan_rule *pr)
{
	enum fallback fallback = rule_fallback(p, pr->rule);

	if (pr->mode != THP_MODE_MADVISE || facts_except_advised(f))
		return;
	pr->outcome = OUTCOME_UNSUPPORTED;
	if (fallback == FALLBACK_UNSET) {
		pr->note = "needs Linux 6.18";
		diag_add(&plan->findings, SEVERITY_ERROR, pr->rule->pos.file, pr->rule->pos.line,
			 "service '%s': thp = madvise needs Linux 6.18, this is %s; expected "
			 "disable, or madvise_fallback = disable or inherit",
			 pr->rule->title, f->release);
		return;
	}
	pr->mode = fallback == FALLBACK_DISABLE ? THP_MODE_DISABLE : THP_MODE_INHERIT;
	pr->note = arena_printf(&plan->arena, "madvise needs Linux 6.18; falls back to %s",
				thp_mode_words[pr->mode]);
}

/**
 * resolve_found() - holds what is wanted against what is there
 * @p: the policy
 * @f: facts, with every key of the plan looked at
 * @plan: of resolve_wanted(); completed
 *
 * Return: 0; -ENOMEM.
 */
int resolve_found(const struct policy *p, const struct facts *f, struct plan *plan)
{
	struct plan_item *it;
	struct plan_rule *pr;

	if (f->thp_error == -ENOENT && plan->items.n > 0)
		diag_add(&plan->findings, missing_severity(p->missing, SEVERITY_WARNING), NULL, 0,
			 "this kernel has no transparent huge pages: nothing of the policy's %zu "
			 "settings can be set",
			 plan->items.n);
	array_foreach(it, &plan->items)
		find_item(p, f, plan, it);
	note_never(plan);
	array_foreach(pr, &plan->rules)
		find_rule(p, f, plan, pr);
	return plan->findings.oom ? -ENOMEM : 0;
}
