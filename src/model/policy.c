/* SPDX-License-Identifier: MIT */
#include "model/policy.h"

#include "base/parse.h"

const char *const thp_mode_words[] = { "", "inherit", "disable", "madvise", "system", NULL };
const char *const fallback_words[] = { "", "disable", "inherit", NULL };
const char *const reclaim_words[] = { "", "no", "once", "yes", NULL };
const char *const apply_words[] = { "", "all", "start", "verify", NULL };
const char *const start_words[] = { "", "watch", "gate", "no", NULL };
const char *const missing_words[] = { "", "error", "warn", "ignore", NULL };
const char *const on_drift_words[] = { "", "reapply", "report", NULL };

/** policy_init() - an empty policy with the defaults; free it with policy_free() */
void policy_init(struct policy *p)
{
	*p = (struct policy){
		.verify_interval = VERIFY_INTERVAL_DEFAULT,
		.on_drift = ON_DRIFT_REAPPLY,
	};
}

/** policy_free() - frees the policy and every string in it */
void policy_free(struct policy *p)
{
	arena_free(&p->arena);
	policy_init(p);
}

/**
 * policy_set() - gives a key of the top level a value that was found valid
 * @p: the policy
 * @name: the key
 * @value: its value; copied
 * @pos: where the policy says so
 *
 * Return: 0; -ENOMEM; -EINVAL when there is no such key or value.
 */
int policy_set(struct policy *p, const char *name, const char *value, struct pos pos)
{
	uint64_t n = 0;
	int r = 0;

	if (streq(name, "verify_interval")) {
		r = parse_uint(value, UINT32_MAX, &n);
		p->verify_interval = r < 0 ? p->verify_interval : (uint32_t)n;
		return r;
	}
	if (streq(name, "metrics_file")) {
		p->metrics_file = arena_strdup(&p->arena, value);
		return p->metrics_file ? 0 : -ENOMEM;
	}
	if (streq(name, "host_role")) {
		p->host_role = arena_strdup(&p->arena, value);
		p->host_role_pos = pos;
		return p->host_role ? 0 : -ENOMEM;
	}
	if (streq(name, "on_drift") && (r = word_index(on_drift_words, value)) > 0)
		p->on_drift = (enum on_drift)r;
	else if (streq(name, "missing") && (r = word_index(missing_words, value)) > 0)
		p->missing = (enum missing)r;
	else if (streq(name, "madvise_fallback") && (r = word_index(fallback_words, value)) > 0)
		p->fallback = (enum fallback)r;
	return r > 0 ? 0 : -EINVAL;
}

/** policy_role() - the role of that name, or NULL */
struct section *policy_role(const struct policy *p, const char *name)
{
	uint32_t i;

	return strmap_get(&p->role_index, name, &i) ? p->roles.items[i] : NULL;
}

/**
 * policy_section() - the section of that name, made if it is new
 * @p: the policy
 * @name: a role's name (copied), or NULL for host
 * @pos: where it is named now
 *
 * Return: the section, or NULL when out of memory.
 */
struct section *policy_section(struct policy *p, const char *name, struct pos pos)
{
	struct section *s, **slot;

	if (!name) {
		p->host.pos = pos;
		return &p->host;
	}
	s = policy_role(p, name);
	if (s)
		return s;
	s = arena_alloc(&p->arena, sizeof(*s));
	if (!s)
		return NULL;
	s->name = arena_strdup(&p->arena, name);
	s->pos = pos;
	if (!s->name || strmap_put(&p->role_index, &p->arena, s->name, (uint32_t)p->roles.n) < 0)
		return NULL;
	slot = array_add(&p->arena, &p->roles);
	if (!slot)
		return NULL;
	return *slot = s;
}

/**
 * section_set() - gives a kernel file a value; a later call for the same key overrides
 * @p: the policy that owns the memory
 * @s: one of its sections
 * @key: path below transparent_hugepage; copied
 * @value: what it should hold; copied
 * @pos: where the policy says so
 *
 * Return: 0 or -ENOMEM.
 */
int section_set(struct policy *p, struct section *s, const char *key, const char *value,
		struct pos pos)
{
	struct setting *it;
	uint32_t i;

	value = arena_strdup(&p->arena, value);
	if (!value)
		return -ENOMEM;
	if (strmap_get(&s->setting_index, key, &i)) {
		s->settings.items[i].value = value;
		s->settings.items[i].pos = pos;
		return 0;
	}
	key = arena_strdup(&p->arena, key);
	it = key ? array_add(&p->arena, &s->settings) : NULL;
	if (!it)
		return -ENOMEM;
	*it = (struct setting){ .key = key, .value = value, .pos = pos };
	return strmap_put(&s->setting_index, &p->arena, key, (uint32_t)s->settings.n - 1);
}

/**
 * section_rule() - the service rule of that title, made if it is new
 *
 * A rule keeps the place where it was first named, for the last of several matching rules wins.
 * The pointer is good until the next rule is made in this section.
 *
 * Return: the rule, or NULL when out of memory.
 */
struct rule *section_rule(struct policy *p, struct section *s, const char *title, struct pos pos)
{
	struct rule *r;
	uint32_t i;

	if (strmap_get(&s->rule_index, title, &i)) {
		r = &s->rules.items[i];
	} else {
		title = arena_strdup(&p->arena, title);
		r = title ? array_add(&p->arena, &s->rules) : NULL;
		if (!r)
			return NULL;
		r->title = title;
		if (strmap_put(&s->rule_index, &p->arena, title, (uint32_t)s->rules.n - 1) < 0)
			return NULL;
	}
	r->pos = pos;
	return r;
}

static void merge_list(strlist *to, const strlist *over)
{
	if (over->n > 0)
		*to = *over;
}

/**
 * policy_merge_role() - lays one section over another, key by key
 * @p: the policy that owns both
 * @s: the section below, changed
 * @over: the section above, which wins; lists are shared, not copied
 *
 * Return: 0 or -ENOMEM.
 */
int policy_merge_role(struct policy *p, struct section *s, const struct section *over)
{
	struct setting *it;
	struct rule *o;
	int r;

	if (over->hosts.n > 0) {
		s->hosts = over->hosts;
		s->hosts_pos = over->hosts_pos;
	}
	array_foreach(it, &over->settings) {
		r = section_set(p, s, it->key, it->value, it->pos);
		if (r < 0)
			return r;
	}
	array_foreach(o, &over->rules) {
		struct rule *t = section_rule(p, s, o->title, o->pos);

		if (!t)
			return -ENOMEM;
		merge_list(&t->unit, &o->unit);
		merge_list(&t->exe, &o->exe);
		merge_list(&t->user, &o->user);
		merge_list(&t->comm, &o->comm);
		t->thp = o->thp ? o->thp : t->thp;
		t->reclaim = o->reclaim ? o->reclaim : t->reclaim;
		t->apply = o->apply ? o->apply : t->apply;
		t->start = o->start ? o->start : t->start;
		t->fallback = o->fallback ? o->fallback : t->fallback;
	}
	return 0;
}

/** rule_set() - gives a rule the word of index @w in @words, which is one of the lists above */
void rule_set(struct rule *r, const char *const *words, unsigned int w)
{
	if (words == thp_mode_words)
		r->thp = w;
	else if (words == reclaim_words)
		r->reclaim = w;
	else if (words == apply_words)
		r->apply = w;
	else if (words == start_words)
		r->start = w;
	else if (words == fallback_words)
		r->fallback = w;
}

/** rule_fallback() - what `madvise` means for this rule on a kernel without it */
enum fallback rule_fallback(const struct policy *p, const struct rule *r)
{
	return r->fallback ? r->fallback : p->fallback;
}

/** rule_is_narrow() - whether a rule is for some of the processes of its units only */
bool rule_is_narrow(const struct rule *r)
{
	return r->exe.n > 0 || r->user.n > 0 || r->comm.n > 0;
}
