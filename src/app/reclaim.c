/* SPDX-License-Identifier: MIT */
/* Giving back memory, and the report of it: for the verb of that name and for `apply`. */
#include "app/reclaim.h"

static void take_over(struct reclaim_proc *p, const struct reclaim_result *m, bool measured_only)
{
	p->rss_before_kb = m->rss_before_kb;
	p->huge_before_kb = m->huge_before_kb;
	p->hidden_before_kb = m->hidden_before_kb;
	p->empty_kb = m->empty_kb;
	p->shared = m->shared;
	p->locked = m->locked;
	if (measured_only)
		return;
	p->rss_after_kb = m->rss_after_kb;
	p->huge_after_kb = m->huge_after_kb;
	p->hidden_after_kb = m->hidden_after_kb;
	p->splits = m->splits;
	p->refused = m->refused;
	p->full = m->full;
}

static void judge(struct host *h, struct reclaim_report *report, struct reclaim_proc *p,
		  const struct reclaim_result *m, int r)
{
	if (r == -ESRCH) {
		p->outcome = OUTCOME_GONE;
	} else if (r == -EPERM || r == -EACCES) {
		p->outcome = OUTCOME_DENIED;
		p->error = -r;
		p->note = "needs CAP_SYS_PTRACE and CAP_SYS_NICE";
	} else if (r < 0) {
		p->outcome = OUTCOME_FAILED;
		p->error = -r;
		p->note = arena_strdup(&h->plan.arena, strerror(-r));
	} else {
		take_over(p, m, report->dry_run);
		p->outcome = !report->dry_run && (m->splits > 0 ||
						  m->hidden_after_kb < m->hidden_before_kb) ?
				     OUTCOME_CHANGED :
				     OUTCOME_OK;
		if (m->interrupted)
			p->note = "interrupted: the rest is as it was";
		else if (m->blind)
			p->note = "Yama lets nobody look for empty parts: only --all splits";
		report->interrupted |= m->interrupted;
		report->pages_mode = m->frees_empty ? PAGES_ZERO_FREED : PAGES_ZERO_KEPT;
	}
}

/**
 * reclaim_add() - gives back the memory of a process, and adds it to a report
 * @h: the running host
 * @pp: the process
 * @no: why it is to be left alone, or NULL
 * @options: how
 * @report: gets it, in memory of the plan's; with dry_run it is only measured
 *
 * Return: 0, given back or not; -ENOMEM.
 */
int reclaim_add(struct host *h, const struct plan_proc *pp, const char *no,
		const struct reclaim_options *options, struct reclaim_report *report)
{
	const struct proc_fact *fact = pp->fact;
	struct reclaim_proc *p = array_add(&h->plan.arena, &report->procs);
	struct reclaim_result m = { 0 };
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct reclaim_proc){
		.pid = fact->pid,
		.comm = fact->comm,
		.unit = pp->unit == UNIT_NONE ? NULL : h->plan.units.items[pp->unit].fact->name,
		.rss_before_kb = -1,
		.rss_after_kb = -1,
		.huge_before_kb = -1,
		.huge_after_kb = -1,
		.hidden_before_kb = -1,
		.hidden_after_kb = -1,
		.empty_kb = -1,
		.outcome = OUTCOME_DENIED,
		.note = no,
	};
	if (no)
		return 0;
	if (fact->error)
		r = fact->error;
	else if (report->dry_run)
		r = reclaim_measure(&h->root, fact->pid, fact->start, options->sample, &m);
	else
		r = h->by->reclaim(h->by->data, &h->root, fact->pid, fact->start, options, &m);
	if (r != -ENOMEM)
		judge(h, report, p, &m, r);
	return r == -ENOMEM ? r : 0;
}

/**
 * reclaim_charge() - what the plan's units are charged with, before or after the work
 * @h: the running host
 * @after: false makes the list, true completes it
 * @report: gets the figures
 *
 * Return: 0; -ENOMEM.
 */
int reclaim_charge(struct host *h, bool after, struct reclaim_report *report)
{
	const struct plan_unit *pu;

	array_foreach(pu, &h->plan.units) {
		struct unit_memory m = { .current_kb = -1, .hidden_kb = -1 };
		struct reclaim_unit *u;

		if (after && pu_i >= report->units.n)
			break;
		u = after ? &report->units.items[pu_i] : array_add(&h->plan.arena, &report->units);
		if (!u)
			return -ENOMEM;
		(void)unit_memory(&h->root, &h->units, (uint32_t)(pu->fact - h->facts.units.items),
				  &m);
		if (after) {
			u->current_after_kb = m.current_kb;
			u->hidden_after_kb = m.hidden_kb;
			continue;
		}
		*u = (struct reclaim_unit){ .name = pu->fact->name,
					    .current_before_kb = m.current_kb,
					    .current_after_kb = -1,
					    .hidden_before_kb = m.hidden_kb,
					    .hidden_after_kb = -1 };
	}
	return 0;
}
