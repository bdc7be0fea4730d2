/* SPDX-License-Identifier: MIT */
/*
 * Most periodic cycles find what the last one has left. Whether it is so can be read for a quarter
 * of what it takes to look at everything as if for the first time.
 */
#include "app/daemon.h"

#include "sys/knob.h"

/* From time to time all is looked at, whatever seems to be so: once in an hour, as a rule. */
#define IN_A_ROW 60U

/*
 * Whether the last cycle has left nothing to be done, and nothing that needs more than a look at
 * lists of processes and their own word on THP: a process that becomes another program may fall
 * under another rule, and except_advised is not to be seen.
 */
static bool is_settled(const struct daemon *d)
{
	const struct plan *plan = &d->host->plan;
	const struct plan_item *it;
	const struct plan_rule *pr;
	const struct plan_proc *pp;

	/* What does not run, or is not watched, is tried again by a whole cycle. */
	if (!d->drift || !d->watched || plan->findings.errors > 0 ||
	    d->host->facts.units_error < 0 || d->started.n > 0 || drift_fights(d->drift) > 0 ||
	    d->status.helper == PART_LOST)
		return false;
	array_foreach(it, &plan->items)
		if (it->outcome != OUTCOME_OK && !it->tolerated)
			return false;
	array_foreach(pr, &plan->rules)
		if (rule_is_narrow(pr->rule) || pr->rule->reclaim == RECLAIM_YES)
			return false;
	array_foreach(pp, &plan->procs)
		if (pp->outcome != OUTCOME_OK ||
		    (thp_mode_flag(pp->mode) >= 0 && thp_mode_flag(pp->mode) != THP_WANT_DISABLE))
			return false;
	return true;
}

/* The processes of the facts that are in one unit, from @first on; -ESTALE: one was not read. */
static int procs_of(const struct facts *f, size_t first, struct arena *a, struct steady_proc **ret,
		    size_t *ret_n)
{
	const uint32_t unit = f->procs.items[first].unit;
	ARRAY(struct steady_proc) procs = { 0 };

	for (size_t i = first; i < f->procs.n && f->procs.items[i].unit == unit; i++) {
		const struct proc_fact *fact = &f->procs.items[i];
		struct steady_proc *p = array_add(a, &procs);

		if (!p)
			return -ENOMEM;
		*p = (struct steady_proc){ fact->pid, fact->start, fact->thp_enabled == 0 };
		if (fact->error)
			return -ESTALE;
	}
	*ret = procs.items;
	*ret_n = procs.n;
	return 0;
}

/* How many descriptors it takes; groups below those of units are not known yet. */
static size_t descriptors(const struct facts *f)
{
	size_t n = f->procs.n;
	const struct unit_fact *u;

	array_foreach(u, &f->units)
		n += u->wanted ? 2 : 0;
	return n;
}

/**
 * daemon_settle() - after a cycle: notes what there is, if it is as it should be
 * @d: the daemon
 * @eventful: something had happened before the cycle
 *
 * That costs as much as a cycle: where something happens all the time, it is not worth while. What
 * was noted before is forgotten in any case: groups that are gone stay with the kernel for as long
 * as they are open.
 */
void daemon_settle(struct daemon *d, bool eventful)
{
	const struct host *h = d->host;
	const struct unit_fact *u;
	size_t next = 0;
	int r = 0;

	d->settled = false;
	d->in_a_row = 0;
	steady_forget(&d->steady);
	if (eventful || !is_settled(d) || !steady_fits(descriptors(&h->facts)))
		return;
	steady_begin(&d->steady, &h->units);
	array_foreach(u, &h->facts.units) {
		_cleanup_arena_ struct arena a = { 0 };
		struct steady_proc *procs = NULL;
		size_t n = 0;

		if (r == 0 && u->wanted)
			r = u->error;
		if (!u->wanted || r < 0)
			continue;
		if (next < h->facts.procs.n && h->facts.procs.items[next].unit == u_i)
			r = procs_of(&h->facts, next, &a, &procs, &n);
		if (r == 0)
			r = steady_add(&d->steady, &h->root, &h->units, (uint32_t)u_i, procs, n);
		next += n;
	}
	d->settled = r == 0;
	if (r < 0)
		steady_forget(&d->steady);
}

/**
 * daemon_is_settled() - whether all settings and processes are as they were noted
 * @d: the daemon
 *
 * Return: true when all was read, and nothing is different.
 */
bool daemon_is_settled(struct daemon *d)
{
	const struct host *h = d->host;
	const struct knob_fact *fact;

	if (!d->settled || d->in_a_row >= IN_A_ROW)
		return false;
	array_foreach(fact, &h->facts.knobs) {
		struct knob k;
		int r = knob_read(&h->root, h->knobs, fact->key, &k);

		if (r != fact->error || (r == 0 && !streq(k.value, fact->value)))
			return false;
	}
	if (h->plan.rules.n > 0 && !steady_holds(&d->steady, &h->root))
		return false;
	d->in_a_row++;
	return true;
}
