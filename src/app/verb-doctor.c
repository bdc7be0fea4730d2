/* SPDX-License-Identifier: MIT */
#include "app/verbs.h"

#include "engine/doctor.h"

static void copy_findings(struct diags *to, const struct diags *from)
{
	const struct diag *it;

	array_foreach(it, &from->list)
		diag_add(to, it->severity, it->file, it->line, "%s", it->message);
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
	if (r < 0)
		return trouble(h, r, "cannot look at the host");
	copy_findings(&found, &h->diags);
	copy_findings(&found, &h->plan.findings);
	r = doctor_run(&h->root, &h->facts, good ? &h->plan : &empty, &found);
	if (r < 0)
		return trouble(h, r, "cannot look at the host");
	rep.facts = h->facts.hostname ? &h->facts : NULL;
	rep.exit_status = found.errors + found.warnings ? EXIT_NOT_ALL : EXIT_GOOD;
	if (!h->cli->json && !style->quiet)
		report_diags(&found, style, stdout);
	return say(h, &rep, style);
}
