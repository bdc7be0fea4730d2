/* SPDX-License-Identifier: MIT */
/* The steps that the verbs have in common: policy, role, plan. */
#include "app/host.h"

#include "engine/collect.h"
#include "plan/resolve.h"
#include "policy/policy-check.h"
#include "policy/policy-load.h"
#include "sys/knob.h"

/**
 * host_open() - begins with a host
 * @cli: the command line; must outlive the host
 * @ret: the host; close with host_close()
 *
 * Return: 0, or negative errno when --root cannot be used.
 */
int host_open(const struct cli *cli, struct host *ret)
{
	int r = 0;

	*ret = (struct host){
		.cli = cli, .root = ROOT_LIVE, .by = &privileged_self, .knobs = -ENODATA
	};
	ret->paths = (struct policy_paths){ cli->policy.items, cli->policy.n };
	policy_init(&ret->policy);
	if (cli->root)
		r = root_open_tree(cli->root, &ret->root);
	return r;
}

/* Forgets what is there; what is wanted is kept. */
static void forget_state(struct host *h)
{
	h->knobs = close_fd(h->knobs);
	units_free(&h->units);
	h->reclaim = (struct reclaim_report){ 0 };
	plan_free(&h->plan);
	facts_free(&h->facts);
}

/** host_forget() - forgets what is known, to begin anew with the same host */
void host_forget(struct host *h)
{
	forget_state(h);
	h->role = (struct role_choice){ 0 };
	policy_free(&h->policy);
	diags_free(&h->diags);
	arena_free(&h->sources.arena);
	h->sources = (struct policy_sources){ 0 };
}

/** host_close() - frees everything the host holds */
void host_close(struct host *h)
{
	host_forget(h);
	root_close(&h->root);
}

/**
 * host_load_files() - reads and parses the files of @paths into @p; 0, faults or not, or -ENOMEM
 */
int host_load_files(struct host *h, const struct policy_paths *paths, struct policy *p,
		    struct diags *d)
{
	struct policy_source *s;
	int r;

	h->sources.list.n = 0;
	r = policy_files_find(&h->root, paths, &h->sources, d);
	if (r < 0)
		return r;
	array_foreach(s, &h->sources.list) {
		size_t from = d->list.n;

		r = policy_load(p, s->path, s->text, s->len, d);
		if (r < 0)
			return r;
		diags_sort(d, from);
	}
	return d->oom ? -ENOMEM : 0;
}

/**
 * host_load_policy() - the policy, as far as it does not hang on the role
 * @h: the host
 *
 * Return: 0, with faults in h->diags; -ENOMEM.
 */
int host_load_policy(struct host *h)
{
	return host_load_files(h, &h->paths, &h->policy, &h->diags);
}

/* Who names a role must name one of the policy or of the library. */
static int check_named(struct host *h, const struct policy *p, const char *role, const char *what,
		       struct pos pos, struct diags *d)
{
	struct policy_source src;
	size_t errors = d->errors;
	int r;

	if (!role || policy_role(p, role))
		return 0;
	if (!role_name_valid(role)) {
		diag_add(d, SEVERITY_ERROR, pos.file, pos.line,
			 "%s'%s' cannot name a role; expected letters, digits, _ . @ -", what,
			 role);
		return 0;
	}
	r = policy_files_library(&h->root, &h->paths, role, &h->sources, &src, d);
	if (r == 0 && d->errors == errors)
		diag_add(d, SEVERITY_ERROR, pos.file, pos.line,
			 "%sthere is no role '%s'; expected one that the policy or the role "
			 "library has",
			 what, role);
	return r < 0 ? r : 0;
}

/**
 * host_load_library() - brings a role's file from the library under what a policy says itself
 * @h: the host, for the library
 * @role: a valid role name
 * @p: the policy
 * @d: gets faults of the file
 *
 * Return: 0, with or without such a file, faults or not; -ENOMEM.
 */
int host_load_library(struct host *h, const char *role, struct policy *p, struct diags *d)
{
	struct policy_source src;
	int r = policy_files_library(&h->root, &h->paths, role, &h->sources, &src, d);

	return r <= 0 ? r : policy_load_library(p, role, src.path, src.text, src.len, d);
}

/*
 * A role may complete what the library says in the role of its name, which is only then looked at.
 */
static int check_role(struct host *h, struct policy *p, const struct section *role, struct diags *d)
{
	_cleanup_diags_ struct diags alone = { 0 };
	int r;

	policy_check_section(role, &alone);
	if (alone.errors == 0)
		return 0;
	r = host_load_library(h, role->name, p, d);
	if (r == 0)
		policy_check_section(role, d);
	return r;
}

/**
 * host_check_policy() - what only the whole policy shows, the role library included
 * @h: the host, for the library
 * @p: the policy
 * @d: gets the errors
 *
 * Return: 0, faults or not; -ENOMEM.
 */
int host_check_policy(struct host *h, struct policy *p, struct diags *d)
{
	int r = 0;

	policy_check_section(&p->host, d);
	for (size_t i = 0; r == 0 && i < p->roles.n; i++)
		r = check_role(h, p, p->roles.items[i], d);
	if (r == 0)
		r = check_named(h, p, p->host_role, "host_role: ", p->host_role_pos, d);
	if (r == 0)
		r = check_named(h, p, h->cli->role, "", (struct pos){ .file = "--role" }, d);
	return r;
}

/* The role's part from the library, if the role is one. */
static int load_role(struct host *h, const struct role_choice *role)
{
	if (role_name_valid(role->name))
		return host_load_library(h, role->name, &h->policy, &h->diags);
	/* The option is checked with the policy. */
	if (role->source != ROLE_OPTION)
		diag_add(&h->diags, SEVERITY_ERROR, role->where, role->line,
			 "'%s' cannot name a role; expected letters, digits, _ . @ -", role->name);
	return 0;
}

/* The role outlives the facts that named it. */
static int keep_role(struct host *h, const struct role_choice *role)
{
	struct arena *a = &h->policy.arena;

	h->role = *role;
	if (role->name)
		h->role.name = arena_strdup(a, role->name);
	if (role->where)
		h->role.where = arena_strdup(a, role->where);
	if (role->pattern)
		h->role.pattern = arena_strdup(a, role->pattern);
	return (role->name && !h->role.name) || (role->where && !h->role.where) ||
			       (role->pattern && !h->role.pattern) ?
		       -ENOMEM :
		       0;
}

/**
 * host_resolve() - the role of the host, and what the policy wants of it
 * @h: the host, its policy loaded without a fault
 *
 * Return: 0, with faults in h->diags and findings in h->plan; negative errno.
 */
int host_resolve(struct host *h)
{
	struct role_choice role;
	int r = collect_host(&h->root, &h->facts);

	if (r == 0 && !h->cli->role)
		r = collect_role(&h->root, h->root.live ? getenv("CREDENTIALS_DIRECTORY") : NULL,
				 &h->facts, &h->diags);
	if (r < 0)
		return r;
	resolve_role(&h->policy, &h->facts, h->cli->role, &role);
	if (role.name)
		r = load_role(h, &role);
	if (r == 0)
		r = host_check_policy(h, &h->policy, &h->diags);
	if (r == 0 && h->diags.errors == 0)
		r = keep_role(h, &role);
	return r < 0 || h->diags.errors ? r : resolve_wanted(&h->policy, &h->role, &h->plan);
}

/**
 * host_again() - begins a new look at a host whose policy is known
 * @h: the host, resolved before
 *
 * What was planned and read before is forgotten; no policy file is read.
 *
 * Return: 0; negative errno.
 */
int host_again(struct host *h)
{
	int r;

	forget_state(h);
	r = collect_host(&h->root, &h->facts);
	return r < 0 ? r : resolve_wanted(&h->policy, &h->role, &h->plan);
}

/**
 * host_read() - what the kernel holds just now, beside what is wanted
 * @h: the host, resolved
 *
 * Return: 0 or -ENOMEM.
 */
int host_read(struct host *h)
{
	int r;

	h->knobs = knob_open(&h->root);
	r = collect_knobs(&h->root, h->knobs, &h->plan, &h->facts);
	return r < 0 ? r : resolve_found(&h->policy, &h->facts, &h->plan);
}
