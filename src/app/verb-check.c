/* SPDX-License-Identifier: MIT */
#include "app/verbs.h"

#include "policy/policy-check.h"
#include "policy/policy-load.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool replaced(const struct policy_paths *files, const char *path)
{
	for (size_t i = 0; i < files->n; i++)
		if (streq(base_name(files->items[i]), base_name(path)))
			return true;
	return false;
}

/*
 * A file may rely on what is installed already: it may complete a rule, or name a role from another
 * file. So what does not hold by itself is tried again on top of the installed policy, without the
 * files that it is probably going to replace.
 */
static int check_on_top(struct host *h, const struct policy_paths *files, bool *ret_good)
{
	struct policy_sources installed = { 0 };
	_cleanup_policy_ struct policy p;
	_cleanup_diags_ struct diags d = { 0 };
	const struct policy_source *s;
	int r;

	policy_init(&p);
	r = policy_files_find(&h->root, &(struct policy_paths){ 0 }, &installed, &d);
	array_foreach(s, &installed.list)
		if (r == 0 && !replaced(files, s->path))
			r = policy_load(&p, s->path, s->text, s->len, &d);
	arena_free(&installed.arena);
	if (r == 0 && d.errors == 0)
		r = host_load_files(h, files, &p, &d);
	if (r == 0 && d.errors == 0)
		r = host_check_policy(h, &p, &d);
	*ret_good = d.errors == 0;
	return r;
}

/* Every file of the role library, each by itself on an empty policy. */
static int check_library(struct host *h, const char *const *roles, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_policy_ struct policy p;
		int r;

		policy_init(&p);
		if (!role_name_valid(roles[i])) {
			diag_add(&h->diags, SEVERITY_ERROR, "role library", 0,
				 "roles/%s.conf: expected a role's name before .conf", roles[i]);
			continue;
		}
		r = host_load_library(h, roles[i], &p, &h->diags);
		if (r == 0)
			r = policy_check(&p, &h->diags);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_files(struct host *h)
{
	struct policy_paths files = { (const char *const *)h->cli->args, 0 };
	_cleanup_diags_ struct diags cross = { 0 };
	bool good = false;
	const struct diag *it;
	int r;

	while (h->cli->args[files.n])
		files.n++;
	r = host_load_files(h, &files, &h->policy, &h->diags);
	if (r < 0 || h->diags.errors > 0)
		return r;
	r = host_check_policy(h, &h->policy, &cross);
	if (r < 0 || cross.errors == 0)
		return r;
	r = check_on_top(h, &files, &good);
	if (r < 0)
		return r;
	array_foreach(it, &cross.list) {
		if (good)
			diag_add(&h->diags, SEVERITY_WARNING, it->file, it->line,
				 "valid only on top of the policy installed here: %s", it->message);
		else
			diag_add(&h->diags, it->severity, it->file, it->line, "%s", it->message);
	}
	return 0;
}

/** verb_check() - whether the policy, or the files given, are valid */
int verb_check(struct host *h, const struct report_style *style)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct report rep = {
		.verb = "check", .root = h->root.path, .policy = &h->policy, .diags = &h->diags
	};
	const char **roles;
	int r;

	if (h->cli->args[0]) {
		r = check_files(h);
	} else {
		r = host_load_policy(h);
		if (r == 0 && h->diags.errors == 0)
			r = host_check_policy(h, &h->policy, &h->diags);
		if (r == 0)
			r = policy_files_roles(&h->root, &h->paths, &a, &roles, &rep.roles_n);
		if (r == 0) {
			rep.roles = roles;
			r = check_library(h, roles, rep.roles_n);
		}
	}
	if (r < 0)
		return trouble(h, r, "cannot check");
	rep.exit_status = h->diags.troubles ? EXIT_TROUBLE :
			  h->diags.errors   ? EXIT_NOT_ALL :
					      EXIT_GOOD;
	return say(h, &rep, style);
}
