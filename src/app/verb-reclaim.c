/* SPDX-License-Identifier: MIT */
#include <fnmatch.h>

#include "app/progress.h"
#include "app/services.h"
#include "app/verbs.h"
#include "engine/collect.h"
#include "engine/services.h"
#include "sys/knob.h"

/* One run of the verb. */
struct job {
	struct host *h;
	struct reclaim_report report;
	struct arena arena;
	bool always; /* the host gives huge pages to everybody */
	bool missing;
	struct progress progress;
};

/* Marks the units that were asked for, and what is in them if they are slices. */
static int choose_units(struct job *j, struct diags *d)
{
	struct facts *f = &j->h->facts;
	const char **name;
	struct unit_fact *u;

	array_foreach(name, &j->h->cli->units) {
		bool found = false;

		array_foreach(u, &f->units) {
			if (fnmatch(*name, u->name, 0) != 0)
				continue;
			u->wanted = found = true;
		}
		if (!found) {
			diag_add(d, SEVERITY_ERROR, NULL, 0,
				 "no unit '%s' with processes; expected the name of a running "
				 "service, scope or slice, or a pattern",
				 *name);
			j->missing = true;
		}
	}
	array_foreach(u, &f->units)
		u->wanted |= u->parent != UNIT_NONE && f->units.items[u->parent].wanted;
	return d->oom ? -ENOMEM : 0;
}

/* A plan without rules: all processes of the units, or the ones that --pid names. */
static int choose_procs(struct job *j, struct diags *d)
{
	struct host *h = j->h;
	const struct services_needs needs = { 0 };
	const int32_t *pid;
	int r;

	if (h->cli->pids.n == 0)
		r = services_procs(&h->root, &h->units, &needs, &h->facts);
	else
		r = services_named(&h->root, h->cli->pids.items, h->cli->pids.n, &h->facts);
	if (r == 0)
		r = services_all(&h->facts, &h->plan);
	if (r == 0)
		r = services_ask(&h->root, h->knobs, &h->facts, &h->plan);
	array_foreach(pid, &h->cli->pids) {
		const struct proc_fact *p = &h->facts.procs.items[pid_i];

		if (p->error == 0)
			continue;
		diag_add(d, SEVERITY_ERROR, NULL, 0, "no process %d: %s", *pid,
			 strerror(-p->error));
		j->missing = true;
	}
	return r;
}

/* Why it would be of no use to give back the memory of a process now. */
static const char *why_not(const struct job *j, const struct plan_proc *pp)
{
	if (pp->fact->exempt)
		return "is never touched";
	if (j->h->cli->force || j->h->cli->dry_run)
		return NULL;
	if (j->always && pp->found == THP_WANT_CLEAR)
		return "would be undone at once: no flag is set, and the host's `enabled` is "
		       "always; set thp = disable for it, or use --force";
	if (j->always && pp->found < 0 && pp->fact->thp_enabled != 0)
		return "would perhaps be undone at once: its flag is not known, and the host's "
		       "`enabled` is always; --force does it all the same";
	return NULL;
}

static void take_over(struct reclaim_proc *p, const struct reclaim_result *m, bool dry_run)
{
	p->rss_before_kb = m->rss_before_kb;
	p->rss_after_kb = dry_run ? -1 : m->rss_after_kb;
	p->huge_before_kb = m->huge_before_kb;
	p->huge_after_kb = dry_run ? -1 : m->huge_after_kb;
	p->empty_kb = m->empty_kb;
	p->splits = m->splits;
	p->refused = m->refused;
}

static void judge(struct job *j, struct reclaim_proc *p, const struct reclaim_result *m, int r)
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
		p->note = arena_strdup(&j->arena, strerror(-r));
	} else {
		take_over(p, m, j->report.dry_run);
		p->outcome = m->splits > 0 && !j->report.dry_run ? OUTCOME_CHANGED : OUTCOME_OK;
		if (m->interrupted)
			p->note = "interrupted: the rest is as it was";
		else if (m->locked > 0)
			p->note = "a part is locked in memory, and cannot be split";
		j->report.interrupted |= m->interrupted;
		j->report.pages_mode = m->frees_empty ? PAGES_ZERO_FREED : PAGES_ZERO_KEPT;
	}
}

static int work_on(struct job *j, const struct plan_proc *pp)
{
	const struct cli *cli = j->h->cli;
	struct reclaim_proc *p = array_add(&j->arena, &j->report.procs);
	struct reclaim_options options = { .max_rate = cli->max_rate,
					   .all = cli->all,
					   .stop = &progress_stop,
					   .progress = progress_show,
					   .data = &j->progress };
	struct reclaim_result m;
	const char *no = why_not(j, pp);
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct reclaim_proc){ .pid = pp->fact->pid,
				    .comm = pp->fact->comm,
				    .unit = pp->unit == UNIT_NONE ?
						    NULL :
						    j->h->plan.units.items[pp->unit].fact->name,
				    .rss_before_kb = -1,
				    .rss_after_kb = -1,
				    .huge_before_kb = -1,
				    .huge_after_kb = -1,
				    .empty_kb = -1,
				    .outcome = OUTCOME_DENIED,
				    .note = no };
	if (pp->fact->error == -ESRCH)
		p->outcome = OUTCOME_GONE;
	if (no || pp->fact->error)
		return 0;
	j->progress.what = pp->fact->comm;
	r = cli->dry_run ?
		    reclaim_measure(&j->h->root, pp->fact->pid, pp->fact->start, 0, &m) :
		    reclaim_process(&j->h->root, pp->fact->pid, pp->fact->start, &options, &m);
	if (r == -ENOMEM)
		return r;
	judge(j, p, &m, r);
	return 0;
}

/* What the units are charged with, before (@after false) or after the work. */
static int charge(struct job *j, bool after)
{
	const struct plan_unit *pu;
	struct host *h = j->h;

	array_foreach(pu, &h->plan.units) {
		struct reclaim_unit *u;
		struct unit_memory m = { .current_kb = -1, .hidden_kb = -1 };

		u = after ? &j->report.units.items[pu_i] : array_add(&j->arena, &j->report.units);
		if (!u)
			return -ENOMEM;
		u->name = pu->fact->name;
		(void)unit_memory(&h->root, &h->units, (uint32_t)(pu->fact - h->facts.units.items),
				  &m);
		*(after ? &u->current_after_kb : &u->current_before_kb) = m.current_kb;
		*(after ? &u->hidden_after_kb : &u->hidden_before_kb) = m.hidden_kb;
	}
	return 0;
}

static int run(struct job *j, struct diags *d)
{
	struct host *h = j->h;
	const struct plan_proc *pp;
	struct knob k;
	int r = collect_host(&h->root, &h->facts);

	if (r < 0)
		return r;
	h->knobs = knob_open(&h->root);
	j->always = h->knobs >= 0 && knob_read(&h->root, h->knobs, "enabled", &k) == 0 &&
		    streq(k.value, "always");
	r = services_units(&h->root, &h->units, &h->facts);
	if (r == 0)
		r = choose_units(j, d);
	if (r == 0)
		r = choose_procs(j, d);
	if (r == 0)
		r = charge(j, false);
	progress_catch();
	for (size_t i = 0; r == 0 && i < h->plan.procs.n && !progress_stop; i++) {
		pp = &h->plan.procs.items[i];
		r = work_on(j, pp);
	}
	j->report.interrupted |= progress_stop;
	progress_clear(&j->progress);
	return r < 0 ? r : charge(j, true);
}

/** verb_reclaim() - gives back the empty parts of running processes' huge pages */
int verb_reclaim(struct host *h, const struct report_style *style)
{
	_cleanup_diags_ struct diags d = { 0 };
	struct job j = {
		.h = h,
		.report = { .dry_run = h->cli->dry_run },
		.progress = { .shown = isatty(STDERR_FILENO) && !style->quiet && !h->cli->json },
	};
	struct report rep = { .verb = "reclaim", .root = h->root.path, .diags = &d };
	struct reclaim_totals totals;
	int r;

	if (!h->root.live)
		return trouble(h, 0, "reclaim works on the running host alone, not on --root");
	r = run(&j, &d);
	if (r < 0) {
		arena_free(&j.arena);
		return trouble(h, r, "cannot look at the processes");
	}
	reclaim_total(&j.report, &totals);
	rep.reclaim = &j.report;
	rep.facts = &h->facts;
	rep.exit_status = totals.failed > 0 || j.missing || j.report.interrupted ? EXIT_NOT_ALL :
										   EXIT_GOOD;
	r = say(h, &rep, style);
	arena_free(&j.arena);
	return r;
}
