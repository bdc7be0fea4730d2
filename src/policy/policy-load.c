/* SPDX-License-Identifier: MIT */
/*
 * From text to policy with libconfuse; the only file that includes confuse.h.
 *
 * Each section is taken over and dropped from libconfuse's tree in the moment it closes: libconfuse
 * compares every new title with all earlier ones, which would make many rules quadratic.
 */
#include "policy/policy-load.h"

#include <confuse.h>

#include "base/parse.h"
#include "policy/policy-check.h"
#include "policy/policy-scan.h"

struct load {
	struct policy *policy;
	struct diags *diags;
	const char *file; /* in the policy's arena */
	const struct policy_scan *scan;
	size_t sections;			 /* closed so far */
	uint32_t key_line[POLICY_KEYS_MAX];	 /* of the section that is open */
	unsigned int list_seen[POLICY_KEYS_MAX]; /* values looked at already */
	const char *only_role;			 /* a library file may hold nothing but this */
	bool role_seen;
	ARRAY(struct setting) leaf; /* settings of a closed leaf, for its parent */
	ARRAY(struct rule) rules;   /* the same for rules */
	struct strmap titles;
	struct arena arena;
	int error;
};

/*
 * libconfuse hands no pointer of ours to its callbacks, and its lexer is one per process anyway:
 * the load under way in this thread is found here, and only for as long as it takes.
 */
static _Thread_local struct load *current;

static enum context context_of(const cfg_t *cfg)
{
	const struct policy_key *k;

	if (streq(cfg->name, "root"))
		return CONTEXT_TOP;
	k = policy_key_elsewhere(cfg->name, strlen(cfg->name));
	return k ? k->opens : CONTEXT_TOP;
}

static void out_of_memory(struct load *l)
{
	l->error = -ENOMEM;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap) _printf_(2, 0);
static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	diag_vadd(current->diags, SEVERITY_ERROR, current->file, (uint32_t)cfg->line, fmt, ap);
}

/* A list reports each of its values and, once more, its end. */
static void on_list_value(struct load *l, cfg_opt_t *opt, const struct policy_key *k, uint32_t line)
{
	size_t i = policy_key_index(k);
	unsigned int n = cfg_opt_size(opt);

	if (n == l->list_seen[i])
		return;
	l->list_seen[i] = n;
	if (n == 1)
		l->key_line[i] = line;
	(void)policy_check_value(k, cfg_opt_getnstr(opt, n - 1), l->file, line, l->diags);
}

/* Called for each value: remembers its line, which nothing knows later. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct policy_key *k = policy_key_find(context_of(cfg), opt->name, strlen(opt->name));

	if (!k)
		return 0;
	if (k->kind == KEY_LIST)
		on_list_value(current, opt, k, (uint32_t)cfg->line);
	else
		current->key_line[policy_key_index(k)] = (uint32_t)cfg->line;
	return 0;
}

static struct pos pos_at(const struct load *l, uint32_t line)
{
	return (struct pos){ .file = l->file, .line = line };
}

/* The value of a scalar, checked; NULL when it is unset or (reported) wrong. */
static const char *take_scalar(struct load *l, cfg_opt_t *opt, const struct policy_key *k,
			       struct pos *ret_pos)
{
	const char *v = opt->nvalues > 0 ? cfg_opt_getnstr(opt, 0) : NULL;

	if (!v)
		return NULL;
	*ret_pos = pos_at(l, l->key_line[policy_key_index(k)]);
	return policy_check_value(k, v, l->file, ret_pos->line, l->diags) ? v : NULL;
}

static void take_list(struct load *l, cfg_opt_t *opt, strlist *to)
{
	for (unsigned int i = 0; i < cfg_opt_size(opt); i++) {
		const char *v = arena_strdup(&l->policy->arena, cfg_opt_getnstr(opt, i)), **slot;

		slot = array_add(&l->policy->arena, to);
		if (!v || !slot)
			return out_of_memory(l);
		*slot = v;
	}
}

/* Takes the keys that stand for kernel files directly in @cfg, with @dir before their names. */
static void take_settings(struct load *l, cfg_t *cfg, enum context c, const char *dir)
{
	for (cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
		const struct policy_key *k = policy_key_find(c, opt->name, strlen(opt->name));
		struct setting *s;
		struct pos pos;
		const char *v;

		if (!k || (k->kind != KEY_WORD && k->kind != KEY_NUMBER))
			continue;
		v = take_scalar(l, opt, k, &pos);
		if (!v)
			continue;
		s = array_add(&l->arena, &l->leaf);
		if (!s)
			return out_of_memory(l);
		s->key = arena_printf(&l->arena, "%s%s", dir, k->name);
		s->value = arena_strdup(&l->arena, v);
		s->pos = pos;
		if (!s->key || !s->value)
			return out_of_memory(l);
	}
}

static void take_rule(struct load *l, cfg_t *cfg, struct pos pos)
{
	struct rule *r = array_add(&l->arena, &l->rules);

	if (!r)
		return out_of_memory(l);
	r->title = arena_strdup(&l->arena, cfg_title(cfg));
	r->pos = pos;
	if (!r->title)
		return out_of_memory(l);
	for (cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
		const struct policy_key *k = policy_key_find(CONTEXT_SERVICE, opt->name,
							     strlen(opt->name));
		struct pos at;
		const char *v;
		unsigned int w;

		if (!k || opt->nvalues == 0)
			continue;
		if (k->kind == KEY_LIST) {
			take_list(l, opt,
				  streq(k->name, "unit") ? &r->unit :
				  streq(k->name, "exe")	 ? &r->exe :
				  streq(k->name, "user") ? &r->user :
							   &r->comm);
			continue;
		}
		v = take_scalar(l, opt, k, &at);
		if (!v)
			continue;
		w = (unsigned int)word_index(k->words, v);
		rule_set(r, k->words, w);
	}
}

/* Gives a closed host or role what it and its leaves said. */
static void fill_section(struct load *l, cfg_t *cfg, struct pos pos)
{
	const char *title = cfg_title(cfg);
	struct section *s, one = { 0 };
	const struct policy_key *hosts_key = policy_key_find(CONTEXT_ROLE, "hosts", 5);
	cfg_opt_t *hosts;

	take_settings(l, cfg, title ? CONTEXT_ROLE : CONTEXT_HOST, "");
	s = policy_section(l->policy, title, pos);
	if (!s)
		return out_of_memory(l);
	hosts = title ? cfg_getopt(cfg, "hosts") : NULL;
	one.hosts_pos = pos_at(l, l->key_line[policy_key_index(hosts_key)]);
	if (hosts)
		take_list(l, hosts, &one.hosts);
	one.settings.items = l->leaf.items;
	one.settings.n = l->leaf.n;
	one.rules.items = l->rules.items;
	one.rules.n = l->rules.n;
	if (policy_merge_role(l->policy, s, &one) < 0)
		out_of_memory(l);
	l->leaf.n = 0;
	l->rules.n = 0;
}

/* Called when a section closes; @opt belongs to @parent and holds just this one. */
static int on_section(cfg_t *parent, cfg_opt_t *opt)
{
	struct load *l = current;
	cfg_t *cfg = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	const struct policy_key *k = policy_key_find(context_of(parent), opt->name,
						     strlen(opt->name));
	const char *title = cfg_title(cfg);
	uint32_t line = l->sections < l->scan->section_lines.n ?
				l->scan->section_lines.items[l->sections] :
				0;
	_cleanup_free_ char *dir = NULL;

	l->sections++;
	/* A role has a title; host and the top level have different sections. */
	if (title && policy_check_title(k, title, l->file, line, l->diags) &&
	    policy_check_unique(&l->titles, &l->arena, parent->title ? parent->title : "",
				opt->name, title, pos_at(l, line), l->diags) < 0)
		out_of_memory(l);
	switch (k->opens) {
	case CONTEXT_KHUGEPAGED:
		take_settings(l, cfg, k->opens, "khugepaged/");
		break;
	case CONTEXT_ANON:
		if (asprintf(&dir, "hugepages-%s/", title) < 0)
			return -1;
		take_settings(l, cfg, k->opens, dir);
		break;
	case CONTEXT_SERVICE:
		take_rule(l, cfg, pos_at(l, line));
		break;
	default:
		l->role_seen |= title && l->only_role && streq(title, l->only_role);
		if (l->only_role && (!title || !streq(title, l->only_role)))
			diag_add(l->diags, SEVERITY_ERROR, l->file, line,
				 "%s%s%s; a file of the role library holds only role '%s'",
				 opt->name, title ? " " : "", title ? title : "", l->only_role);
		fill_section(l, cfg, pos_at(l, line));
	}
	memset(l->list_seen, 0, sizeof(l->list_seen));
	(void)cfg_opt_rmnsec(opt, cfg_opt_size(opt) - 1);
	return l->error ? -1 : 0;
}

/* The keys of the top level that are no sections. */
static void take_top(struct load *l, cfg_t *cfg)
{
	for (cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
		const struct policy_key *k = policy_key_find(CONTEXT_TOP, opt->name,
							     strlen(opt->name));
		struct pos pos;
		const char *v;

		if (!k || k->kind == KEY_SECTION || k->kind == KEY_TITLED)
			continue;
		v = take_scalar(l, opt, k, &pos);
		if (!v)
			continue;
		if (l->only_role)
			diag_add(l->diags, SEVERITY_ERROR, l->file, pos.line,
				 "%s; a file of the role library holds only role '%s'", k->name,
				 l->only_role);
		if (policy_set(l->policy, k->name, v, pos) < 0)
			return out_of_memory(l);
	}
}

/*
 * Writes libconfuse's table for one place; @sub has a table for each section that may open there.
 */
static void make_opts(cfg_opt_t *opts, enum context c, cfg_opt_t *const sub[])
{
	size_t n = 0;

	for (size_t i = 0; i < policy_keys_n; i++) {
		const struct policy_key *k = &policy_keys[i];
		cfg_opt_t *o = &opts[n];

		if (!(k->contexts & c))
			continue;
		*o = (cfg_opt_t){ .name = k->name,
				  .type = CFGT_STR,
				  .flags = CFGF_NODEFAULT,
				  .validcb = on_value };
		if (k->kind == KEY_LIST)
			o->flags |= CFGF_LIST;
		if (k->opens) {
			o->type = CFGT_SEC;
			o->flags = CFGF_MULTI | (k->kind == KEY_TITLED ? CFGF_TITLE : 0);
			o->subopts = sub[__builtin_ctz(k->opens)];
			o->validcb = on_section;
		}
		n++;
	}
	opts[n] = (cfg_opt_t)CFG_END();
}

static int parse(struct load *l, const char *text, size_t len)
{
	cfg_opt_t top[9], host[9], role[10], khugepaged[8], anon[3], service[10];
	cfg_opt_t *const sub[] = { top, host, role, khugepaged, anon, service };
	cfg_t *cfg;
	FILE *f;

	make_opts(khugepaged, CONTEXT_KHUGEPAGED, sub);
	make_opts(anon, CONTEXT_ANON, sub);
	make_opts(service, CONTEXT_SERVICE, sub);
	make_opts(host, CONTEXT_HOST, sub);
	make_opts(role, CONTEXT_ROLE, sub);
	make_opts(top, CONTEXT_TOP, sub);

	f = fmemopen((void *)text, len, "r");
	if (!f)
		return -errno;
	cfg = cfg_init(top, CFGF_NONE);
	if (!cfg) {
		(void)fclose(f);
		return -ENOMEM;
	}
	(void)cfg_set_error_function(cfg, on_error);
	current = l;
	if (cfg_parse_fp(cfg, f) == CFG_SUCCESS)
		take_top(l, cfg);
	else if (!l->error && l->diags->errors == 0)
		diag_add(l->diags, SEVERITY_ERROR, l->file, 0, "cannot be parsed");
	current = NULL;
	cfg_free(cfg);
	(void)fclose(f);
	return l->error;
}

static int load(struct policy *p, const char *role, const char *file, const char *text, size_t len,
		struct diags *d)
{
	_cleanup_scan_ struct policy_scan scan = { 0 };
	struct load l = { .policy = p, .diags = d, .scan = &scan, .only_role = role };
	_cleanup_free_ char *copy = malloc(len + 1);
	size_t errors = d->errors;
	const char **slot;
	int r;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	l.file = arena_strdup(&p->arena, file);
	slot = array_add(&p->arena, &p->files);
	if (!l.file || !slot)
		return -ENOMEM;
	*slot = l.file;
	r = policy_scan(&scan, l.file, copy, &len, d);
	if (r < 0 || scan.unparsable)
		return r;
	copy[len] = '\n';
	r = parse(&l, copy, len + 1);
	if (r == 0 && role && !l.role_seen && d->errors == errors)
		diag_add(d, SEVERITY_ERROR, file, 0, "holds no role '%s'", role);
	arena_free(&l.arena);
	return r;
}

/**
 * policy_load() - adds one file to a policy
 * @p: the policy so far; what the file says overrides it key by key
 * @file: name for messages and for the places that the policy remembers; copied
 * @text: the contents, need not be terminated
 * @len: bytes of @text
 * @d: gets every fault that was found; with one, @p is not to be used any more
 *
 * libconfuse keeps its lexer's state in the process: one call at a time.
 *
 * Return: 0, faults or not; -ENOMEM or another negative errno when it could not be done.
 */
int policy_load(struct policy *p, const char *file, const char *text, size_t len, struct diags *d)
{
	return load(p, NULL, file, text, len, d);
}

/**
 * policy_load_library() - adds a file of the role library, below what the policy says itself
 * @p: the policy
 * @role: the role that the file is for; it may hold nothing else
 * @file, @text, @len, @d: as for policy_load(), and so is what it returns
 */
int policy_load_library(struct policy *p, const char *role, const char *file, const char *text,
			size_t len, struct diags *d)
{
	struct section own = { 0 }, *s = policy_role(p, role);
	int r;

	if (s) {
		own = *s;
		*s = (struct section){ .name = own.name, .pos = own.pos };
	}
	r = load(p, role, file, text, len, d);
	s = policy_role(p, role);
	return r < 0 || !s ? r : policy_merge_role(p, s, &own);
}
