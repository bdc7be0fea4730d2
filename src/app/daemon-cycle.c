/* SPDX-License-Identifier: MIT */
/*
 * One cycle: facts, plan, apply, read back, report. What sets it off only says that there is to be
 * one; it begins with facts each time.
 */
#include "app/daemon.h"

#include <systemd/sd-daemon.h>

#include "app/publish.h"
#include "app/services.h"
#include "engine/apply.h"
#include "engine/originals.h"
#include "sys/proc.h"

/* Who holds the lock of the state may give back gigabytes: it is not waited for. */
#define LOCK_RETRY_US 1000000U
#define LOST_RETRY_US 60000000U
/* What a cycle sets so soon after a unit came up, was seen as it started. */
#define CAME_JUST_NOW_US 2000000U

static int apply_all(struct daemon *d)
{
	struct host *h = d->host;
	struct plan_item *it;
	int r = originals_save_plan(&h->root, &h->plan);

	if (r < 0)
		return r;
	drift_lock(d->drift);
	array_foreach(it, &h->plan.items)
		it->rests = drift_rests(d->drift, it->key);
	r = apply_settings(&h->root, h->knobs, &h->plan);
	if (r >= 0)
		daemon_watch_settings(d);
	drift_unlock(d->drift);
	return r < 0 ? r : services_set(h);
}

/* Returns 0 when all that can be done was done; -EWOULDBLOCK; another negative errno. */
static int work(struct daemon *d)
{
	struct host *h = d->host;
	_cleanup_close_ int lock = state_try_lock(&h->root);
	int r;

	if (lock < 0)
		return lock;
	/* Who is held for a cycle when his program is opened, cannot be held for that. */
	h->starts_seen = d->has_table;
	r = host_again(h);
	if (r == 0)
		r = host_read(h);
	if (r == 0)
		r = services_read(h);
	/* The kernel that took the policy yesterday may lack a file today: as thpctl apply. */
	if (r < 0 || h->plan.findings.errors > 0)
		return r;
	r = daemon_record_starts(d);
	if (r == 0 && daemon_repairs(d))
		return apply_all(d);
	if (r < 0)
		return r;
	drift_lock(d->drift);
	daemon_watch_settings(d);
	drift_unlock(d->drift);
	return 0;
}

/* Nobody is named: it was not seen as it happened. */
static void tell_setting(struct daemon *d, const struct plan_item *it)
{
	const struct log_drift drift = { .key = it->key,
					 .wanted = it->wanted,
					 .found = it->found,
					 .outcome = it->outcome,
					 .note = it->note };

	d->status.settings_repaired++;
	log_setting(&d->log, &drift);
}

/*
 * A process that is younger than the daemon should have been seen as it started; one that thpd has
 * set before has changed its flag.
 */
static void tell_process(struct daemon *d, const struct plan_proc *pp)
{
	const struct plan *plan = &d->host->plan;
	const struct rule *rule = plan->rules.items[pp->rule].rule;
	const struct root live = ROOT_LIVE;
	struct proc_fact fact = *pp->fact;
	struct plan_proc named = *pp;
	struct proc p;

	/* One that was met in the middle of its exec still had the name of who started it. */
	if (proc_read(&live, fact.pid, &p) == 0 && p.start == fact.start)
		fact.comm = p.comm;
	named.fact = &fact;
	pp = &named;
	if (pp->again) {
		log_process_drifted(&d->log, plan, pp);
	} else if (monotonic_us() - d->came_us < CAME_JUST_NOW_US) {
		d->status.starts_watched++;
		log_note(&d->log, "%s, process %d: set as its unit came up",
			 plan->units.items[pp->unit].fact->name, pp->fact->pid);
	} else if (pp->fact->start > d->status.start && rule->start != START_NO) {
		d->status.starts_escaped++;
		log_start_escaped(&d->log, plan, pp);
	} else {
		log_process_set(&d->log, plan, pp);
	}
}

static void count_cycle(struct daemon *d, uint64_t began)
{
	d->status.cycles++;
	d->status.cycle_us = realtime_us();
	d->status.cycle_took_us = monotonic_us() - began;
}

static void count(struct daemon *d, uint64_t began)
{
	struct daemon_status *s = &d->status;
	const struct plan_item *it;
	const struct plan_proc *pp;

	array_foreach(it, &d->host->plan.items)
		if (it->outcome == OUTCOME_CHANGED) {
			/* What a new policy changes, nobody has drifted from. */
			if (s->policy_us > s->cycle_us)
				log_note(&d->log, "%s was '%s', and is '%s' now", it->key,
					 it->found ? it->found : "?", it->wanted);
			else
				tell_setting(d, it);
		}
	array_foreach(pp, &d->host->plan.procs)
		if (pp->outcome == OUTCOME_CHANGED) {
			s->procs_set++;
			tell_process(d, pp);
		}
	log_cycle(&d->log, &d->host->plan);
	count_cycle(d, began);
}

/* The report, the metrics, and one line for systemctl status. */
static void publish(struct daemon *d, bool again)
{
	struct host *h = d->host;
	const struct daemon_view view = { .state = DAEMON_RUNNING,
					  .status = &d->status,
					  .now_us = realtime_us() };
	struct report_counts c;
	struct report rep = {
		.verb = daemon_repairs(d) ? "apply" : "verify",
		.root = "",
		.facts = &h->facts,
		.policy = &h->policy,
		.plan = &h->plan,
		.diags = &h->diags,
		.findings = &h->plan.findings,
		.daemon = &view,
	};
	_cleanup_arena_ struct arena a = { 0 };
	const char *result;
	int r;

	report_count(&h->plan, &c);
	rep.exit_status = h->plan.findings.errors || c.unknown ? EXIT_TROUBLE :
			  c.failed			       ? EXIT_NOT_ALL :
								 EXIT_GOOD;
	d->status.settings_backed_off = drift_fights(d->drift);
	r = again ? publish_report_again(&h->root, &rep) : publish_report(&h->root, &rep);
	if (r < 0)
		log_unpublished(&d->log, "report.json", r);
	r = publish_metrics(&h->root, &rep, &h->policy);
	if (r < 0)
		log_unpublished(&d->log, h->policy.metrics_file, r);
	result = report_result(&rep, &a);
	if (result && !d->status.reload_error)
		(void)sd_notifyf(0, "STATUS=%s", result);
}

/** daemon_publish() - what the daemon says of itself has changed */
void daemon_publish(struct daemon *d)
{
	publish(d, false);
}

/*
 * What there is, is read, and done. Returns 0, or negative errno when there is nothing to report.
 */
static int cycle(struct daemon *d, bool eventful)
{
	uint64_t began = monotonic_us();
	int r;

	d->writers_error = 0;
	daemon_drift_retry(d);
	r = work(d);
	if (r == -EWOULDBLOCK) {
		daemon_schedule(d, LOCK_RETRY_US);
		/* It is another one's work that takes so long. */
		(void)sd_notify(0, "WATCHDOG=1");
		return r;
	}
	daemon_part(d, &d->status.helper, d->helper.error ? d->helper.error : d->writers_error,
		    "thpd-helper");
	/* With no periodic cycle, nothing else would have it tried again. */
	if (d->status.helper == PART_LOST)
		daemon_schedule(d, LOST_RETRY_US);
	if (r < 0) {
		log_trouble(&d->log, r, "a cycle could not be ended");
		(void)sd_notifyf(0, "STATUS=The last cycle could not be ended: %s", strerror(-r));
		return r;
	}
	count(d, began);
	(void)daemon_give_back(d);
	daemon_settle(d, eventful);
	return r;
}

/**
 * daemon_cycle() - one cycle
 * @d: the daemon
 *
 * Return: 0 when it could be done, whatever was found; negative errno.
 */
int daemon_cycle(struct daemon *d)
{
	const bool eventful = d->eventful;
	uint64_t began = monotonic_us();
	bool same;
	int r = 0;

	d->eventful = false;
	same = !eventful && daemon_is_settled(d);
	if (same)
		count_cycle(d, began);
	else
		r = cycle(d, eventful);
	if (r < 0)
		return r;
	daemon_starts_check(d);
	publish(d, same);
	log_tick(&d->log);
	/* That a cycle was possible is what the watchdog is to know. */
	(void)sd_notify(0, "WATCHDOG=1");
	return 0;
}
