/* SPDX-License-Identifier: MIT */
/* The report for people: aligned, on one screen where possible, the result on the last line. */
#include "model/report-parts.h"

/** outcome_colour() - green for what is right, yellow for what was or can be put right, else red */
enum colour outcome_colour(enum outcome o)
{
	switch (o) {
	case OUTCOME_OK:
		return COLOUR_GREEN;
	case OUTCOME_CHANGED:
	case OUTCOME_DRIFTED:
		return COLOUR_YELLOW;
	case OUTCOME_GONE:
	case OUTCOME_NO_TARGET:
		return COLOUR_DIM;
	default:
		return COLOUR_RED;
	}
}

/** place_text() - where a policy says something: "FILE:LINE" */
const char *place_text(struct arena *a, struct pos pos)
{
	if (!pos.file)
		return "";
	return pos.line ? arena_printf(a, "%s:%u", pos.file, pos.line) : pos.file;
}

/** size_text() - "12.5 MiB", "1.2 GiB"; "-" when it is not known */
const char *size_text(struct arena *a, int64_t kb)
{
	if (kb <= 0)
		return kb < 0 ? "-" : "0";
	if (kb < 1024)
		return arena_printf(a, "%lld KiB", (long long)kb);
	/* What would be rounded to 1024.0 MiB is said in GiB. */
	return kb < 1048525 ? arena_printf(a, "%.1f MiB", (double)kb / 1024) :
			      arena_printf(a, "%.1f GiB", (double)kb / 1048576);
}

/** report_diags() - findings as `FILE:LINE: message`; notes only when verbose */
void report_diags(const struct diags *d, const struct report_style *style, FILE *f)
{
	const struct diag *it;
	size_t shown = 0;

	array_foreach(it, &d->list) {
		enum colour c = it->severity == SEVERITY_ERROR ? COLOUR_RED : COLOUR_YELLOW;

		shown += it->severity == SEVERITY_ERROR;
		if (it->severity == SEVERITY_NOTE && !style->verbose)
			continue;
		if (it->severity == SEVERITY_WARNING && style->quiet)
			continue;
		if (it->file)
			fprintf(f, "%s:", it->file);
		if (it->file && it->line)
			fprintf(f, "%u:", it->line);
		fprintf(f, "%s%s%s%s: %s\n",
			it->file ? " " : "thpctl: ", colour_on(c, style->colour),
			severity_to_string(it->severity), colour_off(c, style->colour),
			it->message);
	}
	if (d->errors > shown)
		fprintf(f, "thpctl: ... and %zu more errors\n", d->errors - shown);
}

static void print_role(const struct report *r, FILE *f)
{
	const struct role_choice *c = &r->plan->role;

	if (!c->name) {
		fprintf(f, "no role, host section alone\n");
		return;
	}
	fprintf(f, "%s (", c->name);
	switch (c->source) {
	case ROLE_OPTION:
		fprintf(f, "--role");
		break;
	case ROLE_CMDLINE:
		fprintf(f, "thpd.role= on the kernel command line");
		break;
	case ROLE_CREDENTIAL:
		fprintf(f, "credential %s", c->where);
		break;
	case ROLE_FILE:
		fprintf(f, "%s", c->where);
		break;
	case ROLE_POLICY:
		fprintf(f, "host_role in %s:%u", c->where, c->line);
		break;
	case ROLE_HOSTS:
		fprintf(f, "hosts '%s' in %s:%u", c->pattern, c->where, c->line);
		break;
	case ROLE_NONE:
		break;
	}
	fprintf(f, ")\n");
}

static void print_head(const struct report *r, const struct report_style *style, FILE *f)
{
	const char *dim = colour_on(COLOUR_DIM, style->colour);
	const char *off = colour_off(COLOUR_DIM, style->colour);
	const char **file;

	fprintf(f, "%shost%s    %s, Linux %s\n", dim, off,
		*r->facts->hostname ? r->facts->hostname : "(no name)",
		*r->facts->release ? r->facts->release : "(unknown)");
	fprintf(f, "%srole%s    ", dim, off);
	print_role(r, f);
	fprintf(f, "%spolicy%s  ", dim, off);
	array_foreach(file, &r->policy->files)
		fprintf(f, "%s%s", file_i ? ", " : "", *file);
	fprintf(f, "\n");
}

static void print_gauges(const struct host_status *s, const struct report_style *style, FILE *f)
{
	const char *dim = colour_on(COLOUR_DIM, style->colour);
	const char *off = colour_off(COLOUR_DIM, style->colour);

	if (s->anon_huge_kb >= 0)
		fprintf(f,
			"%smemory%s  %lld MiB in anonymous huge pages, %lld MiB in shared ones, "
			"of %lld MiB\n",
			dim, off, (long long)s->anon_huge_kb / 1024,
			(long long)(s->shmem_huge_kb > 0 ? s->shmem_huge_kb : 0) / 1024,
			(long long)s->mem_total_kb / 1024);
	if (s->pages_collapsed >= 0)
		fprintf(f, "%skernel%s  khugepaged collapsed %lld pages in %lld full scans\n", dim,
			off, (long long)s->pages_collapsed, (long long)s->full_scans);
	if (s->originals >= 0)
		fprintf(f, "%sundo%s    %lld settings saved; thpctl restore puts them back\n", dim,
			off, (long long)s->originals);
}

static int print_settings(const struct report *r, const struct report_style *style, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	bool plan = streq(r->verb, "plan"), restore = streq(r->verb, "restore");
	bool writes = restore || streq(r->verb, "apply");
	struct table t = { 0 };
	const struct plan_item *it;
	int e;

	table_row(&t,
		  (struct cell[]){ { .text = "KEY" },
				   { .text = writes ? "WAS" : "NOW" },
				   { .text = "" },
				   { .text = restore ? "ORIGINAL" : "WANTED" },
				   { .text = "OUTCOME" },
				   { .text = "WHY" },
				   { .text = "NOTE" } },
		  7);
	array_foreach(it, &r->plan->items) {
		bool moves = it->outcome == OUTCOME_DRIFTED || it->outcome == OUTCOME_CHANGED;
		const char *note = it->note;

		if (it->overrides.file && style->verbose)
			note = arena_printf(&a, "%s%soverrides %s", note ? note : "",
					    note ? "; " : "", place_text(&a, it->overrides));
		if (it->outcome == OUTCOME_REJECTED && it->now && !streq(it->now, it->found))
			note = arena_printf(&a, "%s; holds %s", note, it->now);
		table_row(&t,
			  (struct cell[]){
				  { .text = it->key },
				  { .text = it->found ? it->found : "-",
				    .colour = moves ? COLOUR_YELLOW : COLOUR_NONE },
				  { .text = plan && moves ? "->" : "" },
				  { .text = it->wanted,
				    .colour = moves ? COLOUR_BOLD : COLOUR_NONE },
				  { .text = outcome_words[it->outcome],
				    .colour = it->tolerated ? COLOUR_YELLOW :
							      outcome_colour(it->outcome) },
				  { .text = place_text(&a, it->pos), .colour = COLOUR_DIM },
				  { .text = note },
			  },
			  7);
	}
	e = t.rows.n > 1 ? table_print(&t, style->colour, f) : 0;
	arena_free(&t.arena);
	return e;
}

static void print_library(const struct report *r, FILE *f)
{
	size_t column = 0;

	if (r->roles_n == 0)
		return;
	fprintf(f, "role library:\n");
	for (size_t i = 0; i < r->roles_n; i++) {
		size_t n = strlen(r->roles[i]) + 2;

		if (column + n > 78) {
			fprintf(f, "\n");
			column = 0;
		}
		fprintf(f, "  %s", r->roles[i]);
		column += n;
	}
	fprintf(f, "\n");
}

/* An empty line between one part and the next. */
static void gap(bool *any, FILE *f)
{
	if (*any)
		fputc('\n', f);
	*any = true;
}

/**
 * report_text() - prints a report for people
 * @r: the report
 * @style: how
 * @f: where to
 *
 * Errors and warnings are not part of it: they belong on standard error, see report_diags(). Only
 * `doctor`, whose result they are, has them printed by its caller on standard output.
 *
 * Return: 0; -ENOMEM; -EIO when it could not be written.
 */
int report_text(const struct report *r, const struct report_style *style, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char *result = report_result(r, &a);
	bool shown = !style->quiet && r->plan;
	bool services = shown && r->plan->rules.n + r->plan->procs.n > 0;
	bool settings = shown && r->plan->items.n > 0;
	bool carried = !style->quiet && r->carried && r->carried->n > 0;
	bool reclaim = !style->quiet && r->reclaim && r->reclaim->procs.n > 0;
	enum colour c = r->exit_status == 0 ? COLOUR_GREEN :
			r->exit_status == 1 ? COLOUR_YELLOW :
					      COLOUR_RED;
	bool any = false;
	int e = 0;

	if (!result)
		return -ENOMEM;
	if (shown && r->facts && r->policy && r->policy->files.n > 0) {
		print_head(r, style, f);
		if (r->status)
			print_gauges(r->status, style, f);
		if (r->daemon)
			e = print_daemon(r->daemon, style, f);
		fprintf(f, "\n");
	}
	if (e == 0 && settings) {
		gap(&any, f);
		e = print_settings(r, style, f);
	}
	if (e == 0 && services) {
		gap(&any, f);
		e = r->status ? print_status_services(r, style, f) : print_services(r, style, f);
	}
	if (e == 0 && carried) {
		gap(&any, f);
		e = print_carried(r, style, f);
	}
	if (e == 0 && reclaim) {
		gap(&any, f);
		e = print_reclaim(r->reclaim, style, f);
	}
	if (streq(r->verb, "check") && style->verbose)
		print_library(r, f);
	gap(&any, f);
	fprintf(f, "%s%s%s\n", colour_on(c, style->colour), result, colour_off(c, style->colour));
	return e < 0 ? e : ferror(f) ? -EIO : 0;
}
