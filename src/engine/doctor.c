/* SPDX-License-Identifier: MIT */
/* What will fight the policy, or keep it from being carried out. */
#include "engine/doctor.h"

#include "base/parse.h"
#include "sys/paths.h"

static const struct plan_item *wanted(const struct plan *plan, const char *key)
{
	const struct plan_item *it;

	array_foreach(it, &plan->items)
		if (streq(it->key, key))
			return it;
	return NULL;
}

/* Parameters of Documentation/admin-guide/mm/transhuge.rst, and the file that each one presets. */
static void look_at_cmdline(const struct root *root, const struct plan *plan, struct diags *d)
{
	static const struct {
		const char *parameter, *key;
	} known[] = {
		{ "transparent_hugepage=", "enabled" },
		{ "transparent_hugepage_shmem=", "shmem_enabled" },
		{ "transparent_hugepage_tmpfs=", NULL },
		{ "thp_anon=", NULL },
		{ "thp_shmem=", NULL },
	};
	_cleanup_arena_ struct arena a = { 0 };
	char *text, *word, *save = NULL;

	if (root_read_file(root, PATH_CMDLINE, &a, 65536, &text, NULL, NULL) < 0)
		return;
	for (word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
		for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
			const char *value = startswith(word, known[i].parameter);
			const struct plan_item *it;

			if (!value)
				continue;
			it = known[i].key ? wanted(plan, known[i].key) : NULL;
			if (it && streq(it->wanted, value))
				continue;
			diag_add(d, SEVERITY_WARNING, PATH_CMDLINE, 0,
				 "%s sets THP at boot%s%s; tuned leaves THP alone because of it, "
				 "and it holds until the policy is applied",
				 word, it ? ", while the policy wants " : "", it ? it->wanted : "");
		}
}

static bool has_rules(const struct plan *plan)
{
	const struct plan_rule *pr;

	array_foreach(pr, &plan->rules)
		if (pr->mode != THP_MODE_INHERIT)
			return true;
	return false;
}

static void look_at_limits(const struct root *root, const struct plan *plan, struct diags *d)
{
	char buf[128];

	if (root_read(root, PATH_YAMA, buf, sizeof(buf)) >= 0 && streq(strip(buf), "3"))
		diag_add(d, has_rules(plan) ? SEVERITY_WARNING : SEVERITY_NOTE, PATH_YAMA, 0,
			 "Yama forbids ptrace until the next boot: running services cannot be set; "
			 "start them with ExecStart=thpctl exec");
	if (root_read(root, PATH_LOCKDOWN, buf, sizeof(buf)) >= 0 &&
	    strstr(buf, "[confidentiality]"))
		diag_add(d, SEVERITY_WARNING, PATH_LOCKDOWN, 0,
			 "the kernel is locked down for confidentiality: memory of other processes "
			 "may be out of reach");
}

static void look_at_kernel(const struct root *root, const struct facts *f, const struct plan *plan,
			   struct diags *d)
{
	int fd;

	/* With settings to make, the plan has said so already. */
	if (f->thp_error == -ENOENT && plan->items.n > 0)
		return;
	if (f->thp_error == -ENOENT) {
		diag_add(d, SEVERITY_WARNING, PATH_THP, 0,
			 "this kernel has no transparent huge pages (CONFIG_TRANSPARENT_HUGEPAGE)");
		return;
	}
	if (f->thp_error < 0) {
		diag_add(d, SEVERITY_WARNING, PATH_THP, 0, "cannot be opened: %s",
			 strerror(-f->thp_error));
		return;
	}
	if (!root->live || geteuid() != 0)
		return;
	fd = root_open(root, PATH_THP "/enabled", O_WRONLY);
	if (fd < 0)
		diag_add(d, SEVERITY_WARNING, PATH_THP "/enabled", 0,
			 "cannot be written even by root: %s (a container, or a read-only /sys?)",
			 strerror(-fd));
	close_fd(fd);
}

/**
 * doctor_run() - looks for everything that will fight the policy
 * @root: the host
 * @f: what is known about it
 * @plan: what the policy wants; empty when there is none
 * @d: gets the findings
 *
 * Return: 0; -ENOMEM.
 */
int doctor_run(const struct root *root, const struct facts *f, const struct plan *plan,
	       struct diags *d)
{
	look_at_kernel(root, f, plan, d);
	look_at_cmdline(root, plan, d);
	look_at_limits(root, plan, d);
	(void)doctor_files(root, d);
	return d->oom ? -ENOMEM : 0;
}
