/* SPDX-License-Identifier: MIT */
#include <fnmatch.h>

#include "app/progress.h"
#include "app/reclaim.h"
#include "app/services.h"
#include "app/verbs.h"
#include "engine/collect.h"
#include "engine/services.h"
#include "sys/knob.h"

/* One run of the verb. */
struct job {
	struct host *h;
	struct reclaim_report report;
	bool always; /* the host gives huge pages to all */
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
		r = services_ask(&h->root, h->knobs, h->by, &h->facts, &h->plan);
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
		return "would be undone at once: no flag is set, and the host gives huge pages to "
		       "all; set thp = disable for it, or use --force";
	if (j->always && pp->found < 0 && pp->fact->thp_enabled != 0)
		return "would perhaps be undone at once: its flag is not known, and the host gives "
		       "huge pages to all; --force does it all the same";
	return NULL;
}

static int run(struct job *j, struct diags *d)
{
	struct host *h = j->h;
	const struct reclaim_options options = { .max_rate = h->cli->max_rate,
						 .all = h->cli->all,
						 .stop = &progress_stop,
						 .progress = progress_show,
						 .data = &j->progress };
	const struct plan_proc *pp;
	int r = collect_host(&h->root, &h->facts);

	if (r < 0)
		return r;
	h->knobs = knob_open(&h->root);
	j->always = services_all_get(&h->root, h->knobs, NULL);
	r = services_units(&h->root, &h->units, &h->facts);
	if (r == 0)
		r = choose_units(j, d);
	if (r == 0)
		r = choose_procs(j, d);
	if (r == 0)
		r = reclaim_charge(h, false, &j->report);
	progress_catch();
	for (size_t i = 0; r == 0 && i < h->plan.procs.n && !progress_stop; i++) {
		pp = &h->plan.procs.items[i];
		j->progress.what = pp->fact->comm;
		r = reclaim_add(h, pp, why_not(j, pp), &options, &j->report);
	}
	j->report.interrupted |= progress_stop != 0;
	progress_clear(&j->progress);
	return r < 0 ? r : reclaim_charge(h, true, &j->report);
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
	if (r < 0)
		return trouble(h, r, "cannot look at the processes");
	reclaim_total(&j.report, &totals);
	rep.reclaim = &j.report;
	rep.facts = &h->facts;
	rep.exit_status = totals.failed > 0 || j.missing || j.report.interrupted ? EXIT_NOT_ALL :
										   EXIT_GOOD;
	return say(h, &rep, style);
}
