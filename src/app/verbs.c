/* SPDX-License-Identifier: MIT */
/* The verbs that hold the policy against the host. Each returns its exit status. */
#include "app/verbs.h"

#include "app/dropins.h"
#include "app/services.h"
#include "base/clock.h"
#include "engine/apply.h"
#include "engine/collect.h"
#include "engine/daemon-seen.h"
#include "engine/dropins.h"
#include "engine/originals.h"
#include "engine/reclaim.h"
#include "engine/records.h"
#include "engine/services.h"
#include "engine/status.h"
#include "sys/unitfiles.h"

/*
 * What a report that could not be printed exits with: `trouble` would mean that nothing was
 * changed.
 */
static int unprinted(const struct host *h, int error)
{
	fprintf(stderr, "thpctl: the report could not be printed: %s\n", strerror(-error));
	return h->cli->verb == VERB_APPLY || h->cli->verb == VERB_RESTORE ? EXIT_NOT_ALL :
									    EXIT_TROUBLE;
}

/**
 * say() - prints a report: findings on standard error, the rest on standard output
 * @h: the host
 * @r: the report
 * @style: how
 *
 * Return: the exit status of the report, or of its not being printed.
 */
int say(const struct host *h, const struct report *r, const struct report_style *style)
{
	struct report_style errors = *style;
	int e;

	errors.colour = style->colour_errors;
	/* `doctor` has its findings for a result. */
	if (h->cli->verb != VERB_DOCTOR) {
		report_diags(r->diags, &errors, stderr);
		if (r->findings)
			report_diags(r->findings, &errors, stderr);
	}
	e = h->cli->json ? report_json(r, stdout) : report_text(r, style, stdout);
	if (fflush(stdout) != 0)
		e = -errno;
	return e < 0 ? unprinted(h, e) : r->exit_status;
}

/**
 * trouble() - says what went wrong unexpectedly
 * @h: the host
 * @error: negative errno; 0 when @what says it all
 * @what: what could not be done
 *
 * Return: EXIT_TROUBLE.
 */
int trouble(const struct host *h, int error, const char *what)
{
	_cleanup_diags_ struct diags d = { 0 };
	struct report rep = { .verb = h->cli->verb_name,
			      .exit_status = EXIT_TROUBLE,
			      .root = h->root.path,
			      .diags = &d };

	if (error == 0)
		diag_trouble(&d, NULL, "%s", what);
	else
		diag_trouble(&d, NULL, "%s: %s", what, strerror(-error));
	fprintf(stderr, "thpctl: %s%s%s\n", h->root.path, *h->root.path ? ": " : "",
		d.list.n ? d.list.items[0].message : what);
	if (h->cli->json && (report_json(&rep, stdout) < 0 || fflush(stdout) != 0))
		return unprinted(h, -errno);
	return EXIT_TROUBLE;
}

#define DAMAGED                                                                        \
	ORIGINALS_FILE                                                                 \
	" is damaged; expected what thpctl wrote. Moved away, the values from before " \
	"are lost and the next apply saves the present ones"

#define FLAGS_DAMAGED                                                                       \
	FLAGS_FILE                                                                          \
	" is damaged; expected what thpctl wrote. Moved away, `restore` cannot tell which " \
	"flags are thpd's"

static struct report make_report(const struct host *h, int exit_status)
{
	return (struct report){
		.verb = h->cli->verb_name,
		.exit_status = exit_status,
		.root = h->root.path,
		.facts = h->facts.hostname ? &h->facts : NULL,
		.policy = &h->policy,
		.plan = &h->plan,
		.diags = &h->diags,
		.findings = &h->plan.findings,
	};
}

/* Policy and role. Returns -1 to go on, or the exit status of a run that ends here. */
static int prepare(struct host *h, const struct report_style *style)
{
	struct report rep;
	int r = host_load_policy(h);

	if (r == 0 && h->diags.errors == 0)
		r = host_resolve(h);
	if (r < 0)
		return trouble(h, r, "cannot make a plan");
	if (h->diags.errors == 0 && h->plan.findings.errors == 0)
		return -1;
	rep = make_report(h, EXIT_TROUBLE);
	rep.plan = NULL;
	return say(h, &rep, style);
}

/* What the kernel holds. Returns as prepare() does. */
static int read_host(struct host *h, const struct report_style *style)
{
	struct report rep;
	int r = host_read(h);

	if (r == 0 && h->plan.findings.errors == 0)
		r = services_read(h);
	if (r < 0)
		return trouble(h, r, "cannot make a plan");
	if (h->plan.findings.errors == 0)
		return -1;
	rep = make_report(h, EXIT_TROUBLE);
	return say(h, &rep, style);
}

/* The exit status that the outcomes of a plan come to. */
static int status_of(const struct host *h)
{
	struct report_counts c;

	report_count(&h->plan, &c);
	/* What the policy says is to be left alone, `apply` has not failed to change. */
	if (h->cli->verb == VERB_APPLY)
		return c.failed > c.left ? EXIT_NOT_ALL : EXIT_GOOD;
	if (h->cli->verb == VERB_PLAN)
		return c.to_change || c.failed > c.left ? EXIT_NOT_ALL : EXIT_GOOD;
	return c.failed ? EXIT_NOT_ALL : EXIT_GOOD;
}

/* Whether something could not be read: then it cannot be said how the host stands. */
static bool unknown(const struct host *h)
{
	struct report_counts c;

	report_count(&h->plan, &c);
	return c.unknown > 0;
}

/** find_stale_dropins() - adds to the findings that systemd goes by another policy, if so */
void find_stale_dropins(const struct host *h, struct diags *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char *path;
	int n = host_dropins_stale(h, systemd_version(&h->root), &a, &path);

	if (n > 0)
		diag_add(d, SEVERITY_WARNING, path, 0,
			 "%sis not as the policy has it: what systemd starts gets what another one "
			 "said, until `systemctl daemon-reload`",
			 n > 1 ? arena_printf(&a, "with %d more ", n - 1) : "");
	else if (n < 0)
		diag_trouble(d, NULL, "drop-ins of systemd's units cannot be read: %s",
			     strerror(-n));
}

/** verb_compare() - what the kernel holds beside what the policy wants: `plan` and `verify` */
int verb_compare(struct host *h, const struct report_style *style)
{
	struct report rep;
	int r = prepare(h, style);

	if (r < 0)
		r = read_host(h, style);
	if (r >= 0)
		return r;
	if (h->cli->verb == VERB_PLAN) {
		dropins_look(&h->root, &h->plan);
		find_stale_dropins(h, &h->plan.findings);
	}
	rep = make_report(h, unknown(h) ? EXIT_TROUBLE : status_of(h));
	return say(h, &rep, style);
}

/* How much of the huge pages of each process holds nothing, from a sample. */
static void estimate_empty(struct host *h)
{
	const struct plan_proc *pp;

	array_foreach(pp, &h->plan.procs) {
		struct proc_fact *fact = &h->facts.procs.items[pp->fact - h->facts.procs.items];
		struct reclaim_result m;

		if (fact->error == 0 &&
		    reclaim_measure(&h->root, fact->pid, fact->start, 0, &m) == 0)
			fact->empty_kb = m.empty_kb;
	}
}

/** verb_status() - the host at a glance */
int verb_status(struct host *h, const struct report_style *style)
{
	_cleanup_daemon_seen_ struct daemon_seen seen = { 0 };
	struct host_status status;
	carried_flags carried = { 0 };
	struct report rep;
	int r = prepare(h, style);

	if (r < 0)
		r = read_host(h, style);
	if (r >= 0)
		return r;
	r = status_collect(&h->root, h->knobs, &status);
	if (r == -EBADMSG)
		return trouble(h, 0, DAMAGED);
	if (r < 0)
		return trouble(h, r, ORIGINALS_FILE ": cannot be read");
	r = services_memory(&h->root, &h->units, &h->facts, &h->plan);
	if (r == 0)
		r = services_carried(&h->root, &h->plan, &h->plan.arena, &carried);
	if (r < 0)
		return trouble(h, r, "cannot look at the processes");
	if (h->cli->empty)
		estimate_empty(h);
	rep = make_report(h, EXIT_GOOD);
	daemon_look(&h->root, realtime_us(), &seen);
	rep.status = &status;
	rep.daemon = &seen.view;
	rep.carried = &carried;
	rep.only_units = &h->cli->units;
	rep.only_failed = h->cli->failed;
	return say(h, &rep, style);
}

static int no_lock(const struct host *h, int error)
{
	char text[160];

	if (error != -EACCES && error != -EPERM)
		return trouble(h, error, STATE_DIR ": cannot be used, nothing was changed");
	(void)snprintf(text, sizeof(text),
		       "%s changes the settings of the host: needs root, and %s to be writable; "
		       "nothing was changed",
		       h->cli->verb_name, STATE_DIR);
	return trouble(h, 0, text);
}

/*
 * A write that was put back at once: the daemon does that, until it has loaded the policy, too.
 * Whoever pushes a policy and applies it by hand is told so.
 */
static void blame_daemon(struct host *h)
{
	struct plan_item *it;

	array_foreach(it, &h->plan.items) {
		_cleanup_daemon_seen_ struct daemon_seen seen = { 0 };

		if (it->outcome != OUTCOME_REJECTED || it->error || !it->found || !it->now ||
		    !streq(it->found, it->now))
			continue;
		daemon_look(&h->root, realtime_us(), &seen);
		if (seen.view.state == DAEMON_RUNNING || seen.view.state == DAEMON_LATE)
			it->note = "put back at once; thpd runs, and goes by the policy that it "
				   "has loaded: systemctl reload thpd";
	}
}

/** verb_apply() - brings the settings to the policy; saves first what was there */
int verb_apply(struct host *h, const struct report_style *style)
{
	_cleanup_close_ int lock = -1;
	bool waited = false;
	struct report rep;
	int r;

	r = prepare(h, style);
	if (r >= 0)
		return r;
	lock = state_lock(&h->root, &waited);
	if (lock < 0)
		return no_lock(h, lock);
	/* Whoever had the lock may have applied a policy that is newer than the one read before. */
	if (waited) {
		host_forget(h);
		r = prepare(h, style);
		if (r >= 0)
			return r;
	}
	r = read_host(h, style);
	if (r >= 0)
		return r;
	r = originals_save_plan(&h->root, &h->plan);
	if (r == -EBADMSG)
		return trouble(h, 0, DAMAGED "; nothing was changed");
	if (r < 0)
		return trouble(h, r,
			       ORIGINALS_FILE ": the present values cannot be saved, nothing "
					      "was changed");
	r = apply_settings(&h->root, h->knobs, &h->plan);
	if (r < 0)
		return trouble(h, r, "not all settings could be applied");
	blame_daemon(h);
	r = services_set(h);
	if (r >= 0)
		r = services_reclaim(h);
	if (r == -EBADMSG)
		return trouble(h, 0, FLAGS_DAMAGED "; no service was touched");
	if (r < 0)
		return trouble(h, r, "not all services could be set");
	rep = make_report(h, status_of(h));
	rep.reclaim = h->reclaim.procs.n ? &h->reclaim : NULL;
	return say(h, &rep, style);
}

/* A plan that wants what was there before. */
static int plan_originals(struct host *h, const struct originals *o)
{
	const struct original *it;

	/* What was there once must be there again: nothing of it may be passed over. */
	h->policy.missing = MISSING_ERROR;
	array_foreach(it, &o->list) {
		struct plan_item *item = array_add(&h->plan.arena, &h->plan.items);

		if (!item)
			return -ENOMEM;
		item->key = arena_strdup(&h->plan.arena, it->key);
		item->wanted = arena_strdup(&h->plan.arena, it->value);
		item->outcome = OUTCOME_UNKNOWN;
		if (!item->key || !item->wanted)
			return -ENOMEM;
	}
	return collect_host(&h->root, &h->facts);
}

/** verb_restore() - puts back what was there before the first apply of this boot */
int verb_restore(struct host *h, const struct report_style *style)
{
	_cleanup_originals_ struct originals o = { 0 };
	_cleanup_close_ int lock = -1;
	struct report rep;
	int r, status;

	lock = state_lock(&h->root, NULL);
	if (lock < 0)
		return no_lock(h, lock);
	r = originals_load(&h->root, &o);
	if (r == -EBADMSG)
		return trouble(h, 0, DAMAGED "; nothing was changed");
	if (r < 0)
		return trouble(h, r, ORIGINALS_FILE ": cannot be read, nothing was changed");
	r = plan_originals(h, &o);
	if (r == 0)
		r = host_read(h);
	if (r < 0)
		return trouble(h, r, "cannot make a plan");
	r = apply_settings(&h->root, h->knobs, &h->plan);
	if (r < 0)
		return trouble(h, r, "not all settings could be restored");
	r = services_restore(h);
	if (r == -EBADMSG)
		return trouble(h, 0, FLAGS_DAMAGED "; the settings were restored");
	if (r < 0)
		return trouble(h, r, "the settings were restored, but not all services");
	status = status_of(h);
	if (status == EXIT_GOOD) {
		r = originals_forget(&h->root);
		if (r < 0)
			return trouble(h, r, ORIGINALS_FILE);
	}
	rep = make_report(h, status);
	return say(h, &rep, style);
}
