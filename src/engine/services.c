/* SPDX-License-Identifier: MIT */
/* What is known of services and their processes, without touching them. */
#include "engine/services.h"

#include "base/clock.h"
#include "base/parse.h"
#include "sys/paths.h"
#include "sys/proc.h"

/**
 * services_units() - the units that exist on this host
 * @root: the host
 * @tree: zero-initialised; kept for services_procs(), freed with units_free()
 * @f: gets the units, or in units_error why there are none
 *
 * Return: 0, units or not; -ENOMEM.
 */
int services_units(const struct root *root, struct unit_tree *tree, struct facts *f)
{
	const struct unit *u;

	f->units_error = units_read(root, tree);
	if (f->units_error < 0)
		return f->units_error == -ENOMEM ? -ENOMEM : 0;
	array_foreach(u, &tree->units) {
		struct unit_fact *fact = array_add(&f->arena, &f->units);

		if (!fact)
			return -ENOMEM;
		*fact = (struct unit_fact){
			.name = u->name,
			.parent = u->parent == UNIT_NO_PARENT ? UNIT_NONE : u->parent,
			.current_kb = -1,
			.hidden_kb = -1,
		};
	}
	return 0;
}

/*
 * What the kernel's word on THP comes to: complete disabling shows from outside, the rest may not.
 */
static int flag_from_outside(const struct facts *f, int thp_enabled)
{
	if (thp_enabled == 0)
		return THP_WANT_DISABLE;
	return thp_enabled > 0 && !facts_except_advised(f) ? THP_WANT_CLEAR : -1;
}

static int look_at(const struct root *root, const struct services_needs *needs, struct facts *f,
		   struct proc_fact *fact)
{
	struct proc p;
	int r = proc_read(root, fact->pid, &p);

	if (r < 0) {
		fact->error = r;
		fact->comm = "?";
		return r == -ENOMEM ? r : 0;
	}
	fact->ppid = p.ppid;
	fact->start = p.start;
	fact->tracer = p.tracer;
	fact->rss_kb = p.rss_kb;
	fact->thp_enabled = p.thp_enabled;
	fact->flag = flag_from_outside(f, p.thp_enabled);
	/* One that has ended, and is waited for, has no memory any more. */
	if (p.state == 'Z' && p.rss_kb < 0 && p.threads <= 1)
		fact->error = -ESRCH;
	/* What PID 1 has, everything inherits; and nobody can trace himself. */
	fact->exempt = p.kernel || fact->pid == 1 || (root->live && fact->pid == getpid());
	fact->comm = arena_strdup(&f->arena, p.comm);
	if (needs->exe &&
	    needs->by->exe(needs->by->data, root, fact->pid, &f->arena, &fact->exe) == -ENOMEM)
		return -ENOMEM;
	if (needs->user && proc_user(root, p.uid, &f->arena, &fact->user) == -ENOMEM)
		return -ENOMEM;
	return fact->comm ? 0 : -ENOMEM;
}

static int add_fact(const struct root *root, const struct services_needs *needs, struct facts *f,
		    int32_t pid, uint32_t unit)
{
	struct proc_fact *fact = array_add(&f->arena, &f->procs);

	if (!fact)
		return -ENOMEM;
	*fact = (struct proc_fact){ .pid = pid,
				    .unit = unit,
				    .flag = -1,
				    .thp_enabled = -1,
				    .rss_kb = -1,
				    .anon_huge_kb = -1,
				    .empty_kb = -1 };
	return look_at(root, needs, f, fact);
}

/* Whether a process is younger than a tenth of a second: proc_pid_stat(5), starttime. */
static bool is_young(const struct proc_fact *fact)
{
	const uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);

	return fact->start + hz / 10 >= clock_ns(CLOCK_BOOTTIME) / (1000000000U / hz);
}

/*
 * Whether a child of PID 1 has not become its program yet. It is named for that, in parentheses
 * (rename_process_from_path(), src/core/execute.c, exec-invoke.c from 255 on): a program that has
 * such a name of its own, as (sd-pam), is the child of another one. For a moment before, and in its
 * group already, it has the name of PID 1, or of systemd-executor, by its path or by the number of
 * a descriptor. A user's manager has the first for good.
 */
static bool is_starting(const struct root *root, const struct proc_fact *fact)
{
	struct proc manager;

	if (fact->error < 0 || fact->ppid != 1)
		return false;
	if (fact->comm[0] == '(' && endswith(fact->comm, ")"))
		return true;
	return is_young(fact) &&
	       (startswith(fact->comm, "systemd-execut") ||
		fact->comm[strspn(fact->comm, "0123456789")] == '\0' ||
		(proc_read(root, 1, &manager) == 0 && streq(manager.comm, fact->comm)));
}

/**
 * services_named() - looks at processes whatever unit they are in
 * @root: the host
 * @pids: the processes
 * @n: how many
 * @f: gets them, in this order, with an error for those that do not exist
 *
 * Return: 0; -ENOMEM.
 */
int services_named(const struct root *root, const int32_t *pids, size_t n, struct facts *f)
{
	const struct services_needs needs = { 0 };
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = add_fact(root, &needs, f, pids[i], UNIT_NONE);
	return r;
}

/**
 * services_all() - a plan without rules: all processes that were looked at, and their units
 *
 * Such a process has the mode `system` and no rule: what services_ask() finds out does not hang on
 * either.
 *
 * Return: 0; -ENOMEM.
 */
int services_all(const struct facts *f, struct plan *plan)
{
	const struct proc_fact *fact;

	array_foreach(fact, &f->procs) {
		struct plan_unit *u = plan->units.n ? &plan->units.items[plan->units.n - 1] : NULL;
		struct plan_proc *pp = array_add(&plan->arena, &plan->procs);

		if (!pp)
			return -ENOMEM;
		*pp = (struct plan_proc){ .fact = fact,
					  .unit = UNIT_NONE,
					  .rule = UINT32_MAX,
					  .mode = THP_MODE_SYSTEM,
					  .outcome = OUTCOME_UNKNOWN,
					  .found = fact->flag,
					  .now = -1 };
		if (fact->unit == UNIT_NONE)
			continue;
		if (!u || u->fact != &f->units.items[fact->unit]) {
			u = array_add(&plan->arena, &plan->units);
			if (!u)
				return -ENOMEM;
			*u = (struct plan_unit){ .fact = &f->units.items[fact->unit],
						 .first = (uint32_t)plan->procs.n - 1 };
		}
		u->n++;
		pp->unit = (uint32_t)plan->units.n - 1;
	}
	return 0;
}

/**
 * services_procs() - looks at the processes of the units that are wanted
 * @root: the host
 * @tree: of services_units()
 * @needs: what is to be known of each
 * @f: gets the processes, in place of those of an earlier look; its memory is kept
 *
 * Return: 0, readable or not; -ENOMEM.
 */
int services_procs(const struct root *root, const struct unit_tree *tree,
		   const struct services_needs *needs, struct facts *f)
{
	struct unit_fact *u;

	/* An earlier look may still be pointed into: a new array, not the same one again. */
	memset(&f->procs, 0, sizeof(f->procs));
	array_foreach(u, &f->units) {
		_cleanup_arena_ struct arena a = { 0 };
		pidlist pids = { 0 };
		const int32_t *pid;

		if (!u->wanted)
			continue;
		u->error = unit_pids(root, tree, (uint32_t)u_i, &a, &pids);
		if (u->error == -ENOMEM)
			return -ENOMEM;
		array_foreach(pid, &pids) {
			int r = add_fact(root, needs, f, *pid, (uint32_t)u_i);

			if (r < 0)
				return r;
			if (!needs->starting && is_starting(root, &f->procs.items[f->procs.n - 1]))
				f->procs.n--;
		}
	}
	return 0;
}

/**
 * services_memory() - what the services of a plan hold
 * @root: the host
 * @tree: of services_units()
 * @f: gets the figures of units and processes; what cannot be read stays -1
 * @plan: of match_procs(); only its units and processes are looked at
 *
 * Return: 0; -ENOMEM.
 */
int services_memory(const struct root *root, const struct unit_tree *tree, struct facts *f,
		    const struct plan *plan)
{
	const struct plan_unit *pu;
	const struct plan_proc *pp;

	array_foreach(pu, &plan->units) {
		size_t i = (size_t)(pu->fact - f->units.items);
		struct unit_memory m;

		if (unit_memory(root, tree, (uint32_t)i, &m) < 0)
			continue;
		f->units.items[i].current_kb = m.current_kb;
		f->units.items[i].hidden_kb = m.hidden_kb;
	}
	array_foreach(pp, &plan->procs) {
		struct proc_fact *fact = &f->procs.items[pp->fact - f->procs.items];
		struct proc_memory m;

		if (fact->error < 0 || proc_memory(root, fact->pid, &m) < 0)
			continue;
		fact->rss_kb = m.rss_kb;
		fact->anon_huge_kb = m.anon_huge_kb;
	}
	return 0;
}
