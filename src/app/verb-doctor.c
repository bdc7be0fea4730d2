/* SPDX-License-Identifier: MIT */
#include "app/verbs.h"

#include "app/services.h"
#include "engine/doctor.h"
#include "engine/services.h"

static void copy_findings(struct diags *to, const struct diags *from)
{
	const struct diag *it;

	array_foreach(it, &from->list)
		diag_add(to, it->severity, it->file, it->line, "%s", it->message);
}

/*
 * Flags that no rule names. One that came from an ancestor is a surprise to whoever runs the
 * process; one that a process has set itself is its own decision.
 */
static int find_carried(struct host *h, struct diags *d)
{
	carried_flags carried = { 0 };
	const struct carried_flag *c;
	int r = services_carried(&h->root, &h->plan, &h->plan.arena, &carried);

	array_foreach(c, &carried)
		if (c->carrier)
			diag_add(d, SEVERITY_WARNING, NULL, 0,
				 "process %d (%s) has huge pages disabled, a flag from its "
				 "ancestor %d (%s), which no rule names",
				 c->pid, c->comm, c->carrier, c->carrier_comm);
		else
			diag_add(d, SEVERITY_NOTE, NULL, 0,
				 "process %d (%s) has huge pages disabled by itself or by an "
				 "ancestor that has ended; no rule names it",
				 c->pid, c->comm);
	return r == -ENOENT ? 0 : r;
}

/*
 * verb_doctor() - looks for what will fight the policy. A policy that is faulty or absent is the
 * first finding, not the end: the host is looked at all the same.
 */
int verb_doctor(struct host *h, const struct report_style *style)
{
	_cleanup_diags_ struct diags found = { 0 };
	struct report rep = { .verb = "doctor", .root = h->root.path, .diags = &found };
	struct plan empty = { 0 };
	bool good;
	int r = host_load_policy(h);

	if (r == 0 && h->diags.errors == 0)
		r = host_resolve(h);
	good = r == 0 && h->diags.errors == 0 && h->plan.findings.errors == 0;
	if (good)
		r = host_read(h);
	if (good && r == 0 && h->plan.findings.errors == 0)
		r = services_read(h);
	if (r < 0)
		return trouble(h, r, "cannot look at the host");
	copy_findings(&found, &h->diags);
	copy_findings(&found, &h->plan.findings);
	r = doctor_run(&h->root, &h->facts, good ? &h->plan : &empty, &found);
	if (r == 0)
		r = find_carried(h, &found);
	if (good)
		find_stale_dropins(h, &found);
	if (r < 0)
		return trouble(h, r, "cannot look at the host");
	rep.facts = h->facts.hostname ? &h->facts : NULL;
	rep.exit_status = found.errors + found.warnings ? EXIT_NOT_ALL : EXIT_GOOD;
	if (!h->cli->json && !style->quiet)
		report_diags(&found, style, stdout);
	return say(h, &rep, style);
}
