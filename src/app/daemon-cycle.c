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

/* Who holds the lock of the state may give back gigabytes: it is not waited for. */
#define LOCK_RETRY_US 1000000U

/* The settings that may be written: what this kernel has not got, nobody can change. */
static int watch_settings(struct daemon *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	ARRAY(struct drift_key) keys = { 0 };
	const struct plan_item *it;

	array_foreach(it, &d->host->plan.items) {
		struct drift_key *k;

		if (it->outcome != OUTCOME_OK && it->outcome != OUTCOME_CHANGED &&
		    it->outcome != OUTCOME_DRIFTED && it->outcome != OUTCOME_FAILED)
			continue;
		k = array_add(&a, &keys);
		if (!k)
			return -ENOMEM;
		*k = (struct drift_key){ .key = it->key, .wanted = it->wanted };
	}
	return drift_set(d->drift, keys.items, keys.n, daemon_repairs(d));
}

static int apply_all(struct daemon *d)
{
	struct host *h = d->host;
	int r = originals_save_plan(&h->root, &h->plan);

	if (r < 0)
		return r;
	drift_lock(d->drift);
	r = apply_settings(&h->root, h->knobs, &h->plan);
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
	r = host_again(h);
	if (r == 0)
		r = host_read(h);
	if (r == 0)
		r = services_read(h);
	/* The kernel that took the policy yesterday may lack a file today: as thpctl apply. */
	if (r == 0 && h->plan.findings.errors == 0 && daemon_repairs(d))
		r = apply_all(d);
	return r;
}

static void count(struct daemon *d, uint64_t began)
{
	struct daemon_status *s = &d->status;
	const struct plan_item *it;
	const struct plan_proc *pp;

	array_foreach(it, &d->host->plan.items)
		s->settings_repaired += it->outcome == OUTCOME_CHANGED;
	array_foreach(pp, &d->host->plan.procs)
		s->procs_set += pp->outcome == OUTCOME_CHANGED;
	s->cycles++;
	s->cycle_us = now_us(CLOCK_REALTIME);
	s->cycle_took_us = now_us(CLOCK_MONOTONIC) - began;
}

/**
 * daemon_publish() - the report, the metrics, and one line for systemctl status
 * @d: the daemon
 */
void daemon_publish(struct daemon *d)
{
	struct host *h = d->host;
	struct report_counts c;
	struct report rep = {
		.verb = daemon_repairs(d) ? "apply" : "verify",
		.root = "",
		.facts = &h->facts,
		.policy = &h->policy,
		.plan = &h->plan,
		.diags = &h->diags,
		.findings = &h->plan.findings,
		.daemon = &d->status,
	};
	_cleanup_arena_ struct arena a = { 0 };
	const char *result;
	int r;

	report_count(&h->plan, &c);
	rep.exit_status = h->plan.findings.errors || c.unknown ? EXIT_TROUBLE :
			  c.failed			       ? EXIT_NOT_ALL :
								 EXIT_GOOD;
	d->status.settings_backed_off = drift_backed_off(d->drift);
	r = publish_report(&h->root, &rep);
	if (r == 0)
		r = publish_metrics(&h->root, &rep, &h->policy);
	daemon_log_published(d, r);
	result = report_result(&rep, &a);
	if (result && !d->status.reload_error)
		(void)sd_notifyf(0, "STATUS=%s", result);
}

/**
 * daemon_cycle() - one cycle
 * @d: the daemon
 *
 * Return: 0 when it could be done, whatever was found; negative errno.
 */
int daemon_cycle(struct daemon *d)
{
	uint64_t began = now_us(CLOCK_MONOTONIC);
	int r = work(d);

	if (r == -EWOULDBLOCK) {
		daemon_schedule(d, LOCK_RETRY_US);
		return r;
	}
	daemon_log_cycle(d, r);
	if (r < 0)
		return r;
	count(d, began);
	r = watch_settings(d);
	if (r == 0)
		r = daemon_give_back(d);
	daemon_publish(d);
	/* That a cycle was possible is what the watchdog is to know. */
	(void)sd_notify(0, "WATCHDOG=1");
	return r;
}
