/* SPDX-License-Identifier: MIT */
/* What becomes of each process: what its rule wants, held against what is known of it. */
#include "plan/resolve-procs.h"

static void judge(struct plan *plan, struct plan_proc *pp)
{
	const struct proc_fact *fact = pp->fact;
	int wanted = thp_mode_flag(pp->mode);

	if (fact->error == -ESRCH) {
		pp->outcome = OUTCOME_GONE;
	} else if (fact->error < 0) {
		pp->outcome = OUTCOME_UNKNOWN;
		pp->error = -fact->error;
		pp->note = arena_printf(&plan->arena, "cannot be read: %s", strerror(-fact->error));
	} else if (wanted < 0) {
		pp->outcome = OUTCOME_OK; /* left alone, whatever it has */
	} else if (pp->found >= 0) {
		pp->outcome = pp->found == wanted ? OUTCOME_OK : OUTCOME_DRIFTED;
	} else if (wanted == THP_WANT_DISABLE && fact->thp_enabled > 0) {
		pp->outcome = OUTCOME_DRIFTED;
	} else if (!pp->note) {
		pp->note = "the kernel does not say from outside";
	}
}

/**
 * resolve_procs() - holds what the rules want against what was found
 * @plan: of match_procs(); gets the outcomes. Where `found` was learnt meanwhile, call it again
 */
void resolve_procs(struct plan *plan)
{
	struct plan_proc *pp;

	array_foreach(pp, &plan->procs)
		judge(plan, pp);
}

static int compare(const void *a, const void *b)
{
	const struct plan_proc *x = *(const struct plan_proc *const *)a;
	const struct plan_proc *y = *(const struct plan_proc *const *)b;

	if (x->fact->pid != y->fact->pid)
		return x->fact->pid < y->fact->pid ? -1 : 1;
	return (x->fact->start > y->fact->start) - (x->fact->start < y->fact->start);
}

/* What was done to a process stands, as long as nothing else is seen of it. */
static void carry(struct plan_proc *pp, const struct plan_proc *earlier)
{
	bool undone = earlier->outcome == OUTCOME_CHANGED && pp->outcome == OUTCOME_DRIFTED;

	if (earlier->outcome == OUTCOME_OK || pp->outcome == OUTCOME_GONE ||
	    earlier->mode != pp->mode)
		return;
	pp->found = earlier->found;
	pp->now = earlier->now;
	pp->error = earlier->error;
	pp->outcome = undone ? OUTCOME_DRIFTED : earlier->outcome;
	pp->again = earlier->again;
	pp->note = undone ? "changed back by the process itself" : earlier->note;
}

/**
 * resolve_again() - takes over what was done to the processes that an earlier look had found
 * @earlier: plan.procs of then
 * @n: how many
 * @plan: of a new look, resolved
 *
 * Return: how many processes are new, or were not in the plan, and have not what they should.
 */
size_t resolve_again(const struct plan_proc *earlier, size_t n, struct plan *plan)
{
	const struct plan_proc **sorted = arena_alloc(&plan->arena, (n + 1) * sizeof(*sorted));
	struct plan_proc *pp;
	size_t rest = 0;

	if (!sorted)
		return 0;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &earlier[i];
	qsort(sorted, n, sizeof(*sorted), compare);
	array_foreach(pp, &plan->procs) {
		const struct plan_proc *key = pp;
		const struct plan_proc **found = bsearch(&key, sorted, n, sizeof(*sorted), compare);

		if (found)
			carry(pp, *found);
		else /* one that has ended may have left a child that is in no list yet */
			rest += pp->outcome == OUTCOME_DRIFTED || pp->outcome == OUTCOME_UNKNOWN ||
				pp->outcome == OUTCOME_GONE;
	}
	return rest;
}
