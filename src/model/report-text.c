/* SPDX-License-Identifier: MIT */
/* The report for people: aligned, on one screen where possible, the result on the last line. */
#include "model/report.h"
#include "model/table.h"

static enum colour outcome_colour(const struct plan_item *it)
{
	if (it->outcome == OUTCOME_OK)
		return COLOUR_GREEN;
	if (it->outcome == OUTCOME_CHANGED || it->outcome == OUTCOME_DRIFTED || it->tolerated)
		return COLOUR_YELLOW;
	return COLOUR_RED;
}

static const char *place(struct arena *a, struct pos pos)
{
	if (!pos.file)
		return "";
	return pos.line ? arena_printf(a, "%s:%u", pos.file, pos.line) : pos.file;
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
					    note ? "; " : "", place(&a, it->overrides));
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
				    .colour = outcome_colour(it) },
				  { .text = place(&a, it->pos), .colour = COLOUR_DIM },
				  { .text = note },
			  },
			  7);
	}
	e = t.rows.n > 1 ? table_print(&t, style->colour, f) : 0;
	arena_free(&t.arena);
	return e;
}

/* How a rule narrows its units: "exe PATTERN or PATTERN, user PATTERN". */
static const char *narrowing(struct arena *a, const struct rule *r)
{
	const struct {
		const char *name;
		const strlist *list;
	} parts[] = { { "exe", &r->exe }, { "user", &r->user }, { "comm", &r->comm } };
	const char *out = "", **s;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		array_foreach(s, parts[i].list)
			out = arena_printf(a, "%s%s%s %s", out ? out : "",
					   s_i	       ? " " :
					   out && *out ? ", " :
							 "",
					   s_i ? "or" : parts[i].name, *s);
	return out;
}

/* The units of a rule; of a long list the first ones, unless everything is wanted. */
static const char *units(struct arena *a, const struct rule *r, bool all)
{
	const char *out = r->unit.n ? "" : r->title, **s;
	size_t shown = all || r->unit.n <= 2 ? r->unit.n : 1;

	array_foreach(s, &r->unit)
		if (s_i < shown)
			out = arena_printf(a, "%s%s%s", out ? out : "", s_i ? " " : "", *s);
	if (shown < r->unit.n)
		out = arena_printf(a, "%s and %zu more", out ? out : "", r->unit.n - shown);
	return out;
}

static int print_rules(const struct report *r, const struct report_style *style, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	const struct plan_rule *pr;
	struct table t = { 0 };
	int e;

	if (r->plan->rules.n == 0)
		return 0;
	table_row(&t,
		  (struct cell[]){ { .text = "SERVICE" },
				   { .text = "THP" },
				   { .text = "START" },
				   { .text = "APPLY" },
				   { .text = "RECLAIM" },
				   { .text = "ONLY" },
				   { .text = "WHY" },
				   { .text = "NOTE" } },
		  8);
	array_foreach(pr, &r->plan->rules) {
		const struct rule *rule = pr->rule;
		const char *note = pr->note;

		if (pr->loses_to)
			note = arena_printf(&a, "loses to %s", place(&a, pr->loses_to->pos));
		table_row(&t,
			  (struct cell[]){
				  { .text = units(&a, rule, style->verbose) },
				  { .text = thp_mode_words[pr->mode],
				    .colour = pr->loses_to ? COLOUR_DIM : COLOUR_BOLD },
				  { .text = start_words[rule->start ? rule->start : START_WATCH] },
				  { .text = apply_words[rule->apply ? rule->apply : APPLY_ALL] },
				  { .text = reclaim_words[rule->reclaim ? rule->reclaim :
									  RECLAIM_NO] },
				  { .text = narrowing(&a, rule) },
				  { .text = place(&a, rule->pos), .colour = COLOUR_DIM },
				  { .text = note, .colour = COLOUR_YELLOW },
			  },
			  8);
	}
	fprintf(f, "\n");
	e = table_print(&t, style->colour, f);
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
	bool table = r->plan && r->plan->items.n > 0 && !style->quiet;
	enum colour c = r->exit_status == 0 ? COLOUR_GREEN :
			r->exit_status == 1 ? COLOUR_YELLOW :
					      COLOUR_RED;
	int e = 0;

	if (!result)
		return -ENOMEM;
	if (!style->quiet && r->plan && r->facts && r->policy && r->policy->files.n > 0) {
		print_head(r, style, f);
		if (r->status)
			print_gauges(r->status, style, f);
		fprintf(f, "\n");
	}
	if (table)
		e = print_settings(r, style, f);
	if (e == 0 && r->plan && !style->quiet && !streq(r->verb, "apply") &&
	    !streq(r->verb, "verify"))
		e = print_rules(r, style, f);
	if (streq(r->verb, "check") && style->verbose)
		print_library(r, f);
	fprintf(f, "%s%s%s%s\n",
		table || (r->plan && r->plan->rules.n && !style->quiet) ? "\n" : "",
		colour_on(c, style->colour), result, colour_off(c, style->colour));
	return e < 0 ? e : ferror(f) ? -EIO : 0;
}
