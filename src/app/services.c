/* SPDX-License-Identifier: MIT */
/* The steps that the verbs have in common where services are concerned. */
#include "app/services.h"

#include "app/reclaim.h"
#include "engine/records.h"
#include "engine/services.h"
#include "plan/match.h"
#include "plan/resolve-procs.h"

/*
 * New processes are started while we work; one that starts faster than this is left to the next
 * run.
 */
#define LOOKS_MAX 10

/* One look at all processes of the units that rules name. */
static int look(struct host *h)
{
	const struct services_needs needs = {
		.exe = h->needs.exe, .user = h->needs.user, .starting = !h->starts_seen, .by = h->by
	};
	struct plan_rule *pr;
	int r;

	memset(&h->plan.units, 0, sizeof(h->plan.units));
	memset(&h->plan.procs, 0, sizeof(h->plan.procs));
	array_foreach(pr, &h->plan.rules)
		pr->matched = pr->lost = 0;
	r = services_procs(&h->root, &h->units, &needs, &h->facts);
	if (r == 0)
		r = match_procs(&h->facts, &h->plan);
	if (r == 0)
		r = services_ask(&h->root, h->knobs, h->by, &h->facts, &h->plan);
	if (r == 0)
		resolve_procs(&h->plan);
	return r;
}

/* What becomes of rules as a whole: a rule's processes have outcomes of their own. */
static void judge_rules(struct host *h)
{
	bool hidden = h->facts.units_error < 0 && h->facts.units_error != -ENOENT;
	struct plan_rule *pr;

	array_foreach(pr, &h->plan.rules)
		pr->outcome = pr->matched > 0 ? OUTCOME_OK :
			      hidden	      ? OUTCOME_UNKNOWN :
						OUTCOME_NO_TARGET;
}

static int find_unseen(struct host *h)
{
	struct diags *d = &h->plan.findings;
	const struct unit_fact *u;
	int e = h->facts.units_error;

	if (e < 0)
		diag_add(d, e == -ENOENT ? SEVERITY_NOTE : SEVERITY_WARNING, NULL, 0,
			 "the units of this host cannot be seen, so no service is looked at: %s",
			 e == -ENOENT ? "there are no cgroups of systemd" : strerror(-e));
	array_foreach(u, &h->facts.units)
		if (u->wanted && u->error < 0)
			diag_add(d, SEVERITY_WARNING, NULL, 0,
				 "the processes of %s cannot be listed: %s", u->name,
				 strerror(-u->error));
	return d->oom ? -ENOMEM : 0;
}

/**
 * services_read() - which processes the rules are about, and what each has just now
 * @h: the host, its settings read
 *
 * Return: 0, readable or not; negative errno.
 */
int services_read(struct host *h)
{
	int r;

	if (h->plan.rules.n == 0)
		return 0;
	r = services_units(&h->root, &h->units, &h->facts);
	if (r == 0)
		r = match_units(&h->plan, &h->facts, &h->needs);
	if (r == 0)
		r = look(h);
	judge_rules(h);
	return r < 0 ? r : find_unseen(h);
}

/**
 * services_gives_back() - whether a rule has the memory of a process given back in this cycle
 * @h: the host, services_set() done
 * @pp: the process
 *
 * After its flag is set. Where nothing keeps the kernel from making huge pages anew, it would be in
 * vain.
 */
bool services_gives_back(const struct host *h, const struct plan_proc *pp)
{
	const struct rule *rule = h->plan.rules.items[pp->rule].rule;
	bool set = pp->outcome == OUTCOME_CHANGED;

	if (pp->mode != THP_MODE_DISABLE && pp->mode != THP_MODE_MADVISE)
		return false;
	return (rule->reclaim == RECLAIM_YES && (set || pp->outcome == OUTCOME_OK)) ||
	       (rule->reclaim == RECLAIM_ONCE && set);
}

/**
 * services_reclaim() - gives back what services hold for nothing, where their rules say so
 * @h: the host, services_set() done; gets the report of it
 *
 * Return: 0; negative errno.
 */
int services_reclaim(struct host *h)
{
	const struct reclaim_options options = { .max_rate = MAX_RATE_DEFAULT };
	const struct plan_proc *pp;
	int r = 0;

	array_foreach(pp, &h->plan.procs) {
		if (!services_gives_back(h, pp))
			continue;
		if (h->reclaim.procs.n == 0)
			r = reclaim_charge(h, false, &h->reclaim);
		if (r == 0)
			r = reclaim_add(h, pp, NULL, &options, &h->reclaim);
		if (r < 0)
			return r;
	}
	return h->reclaim.procs.n ? reclaim_charge(h, true, &h->reclaim) : 0;
}

/* One that has ended may have left a child behind, which was in no list. */
static bool any(const struct plan *plan, enum outcome outcome)
{
	const struct plan_proc *pp;

	array_foreach(pp, &plan->procs)
		if (pp->outcome == outcome)
			return true;
	return false;
}

/**
 * services_set() - brings the processes of the plan to what is wanted
 * @h: the running host, locked; services_read() done
 *
 * Looks again until there is no process left that was started meanwhile and has not what it should.
 *
 * Return: 0, set or not; negative errno.
 */
int services_set(struct host *h)
{
	size_t rest = 1;
	int r = 0, changed;

	/* The pids of a tree are nobody's here. */
	if (h->plan.procs.n == 0 || !h->root.live)
		return 0;
	for (int i = 0; rest > 0 && i < LOOKS_MAX && r >= 0; i++) {
		struct plan_proc *earlier;
		size_t n;

		r = services_ask_before(&h->root, h->knobs, h->by, &h->facts, &h->plan);
		if (r == 0)
			r = records_before(&h->root, &h->facts, &h->plan);
		if (r == 0)
			r = services_apply(&h->root, h->by, &h->plan);
		changed = r;
		if (r >= 0)
			r = records_after(&h->root, &h->plan);
		if (r == 0 && changed == 0 && !any(&h->plan, OUTCOME_GONE))
			break;
		earlier = h->plan.procs.items;
		n = h->plan.procs.n;
		if (r >= 0)
			r = look(h);
		if (r >= 0)
			rest = resolve_again(earlier, n, &h->plan);
	}
	if (rest > 0 && any(&h->plan, OUTCOME_DRIFTED))
		diag_add(&h->plan.findings, SEVERITY_WARNING, NULL, 0,
			 "processes are started faster than they can be set; apply again");
	judge_rules(h);
	return r < 0 ? r : 0;
}

/* One look at everything that has a record, or comes from what has one. */
static int look_at_records(struct host *h, const struct flag_records *records)
{
	const struct services_needs needs = { .starting = true };
	int r = services_procs(&h->root, &h->units, &needs, &h->facts);

	if (r == 0)
		r = records_outside(&h->root, records, &h->facts);
	memset(&h->plan.units, 0, sizeof(h->plan.units));
	memset(&h->plan.procs, 0, sizeof(h->plan.procs));
	if (r == 0)
		r = records_plan(records, &h->facts, &h->plan);
	if (r == 0)
		r = services_ask(&h->root, h->knobs, h->by, &h->facts, &h->plan);
	if (r < 0)
		return r;
	resolve_procs(&h->plan);
	records_limit(&h->plan);
	return 0;
}

/**
 * services_restore() - puts back the flags that thpd has set, and no others
 * @h: the running host, locked
 *
 * Looks again until there is no process left that got its flag from one of these meanwhile.
 *
 * Return: 0; -EBADMSG when the record is damaged; another negative errno.
 */
int services_restore(struct host *h)
{
	_cleanup_flags_ struct flag_records records = { 0 };
	struct unit_fact *u;
	size_t rest = 1;
	int r = h->root.live ? records_load(&h->root, &records) : 0;

	if (r < 0 || records.list.n == 0)
		return r;
	r = services_units(&h->root, &h->units, &h->facts);
	array_foreach(u, &h->facts.units)
		u->wanted = true;
	if (r == 0)
		r = look_at_records(h, &records);
	for (int i = 0; rest > 0 && i < LOOKS_MAX && r >= 0; i++) {
		const struct plan_proc *earlier = h->plan.procs.items;
		size_t n = h->plan.procs.n;

		r = services_apply(&h->root, h->by, &h->plan);
		if (r == 0 && !any(&h->plan, OUTCOME_GONE))
			break;
		if (r >= 0)
			r = look_at_records(h, &records);
		if (r == 0)
			rest = resolve_again(earlier, n, &h->plan);
	}
	return r < 0 ? r : records_forget(&h->root, &h->plan);
}
