/* SPDX-License-Identifier: MIT */
/* Services for people: what `status` says of them. */
#include "model/report-parts.h"

/* Of flags that the policy does not name, the first ones. */
#define CARRIED_MAX 20

static const struct unit_fact *unit_of(const struct service_row *row)
{
	return row->unit ? row->unit->fact : NULL;
}

/* Huge pages, and what is hidden in such that are mapped in part only. */
static int64_t held_kb(const struct service_row *row)
{
	int64_t hidden = row->unit ? unit_of(row)->hidden_kb : 0;

	return (hidden > 0 ? hidden : 0) + (row->anon_huge_kb > 0 ? row->anon_huge_kb : 0);
}

/* What matters first: what is wrong, the worst of it first; then who holds most; then by name. */
static int compare_rows(const void *a, const void *b)
{
	const struct service_row *x = a, *y = b;
	unsigned int sx = outcome_severity(x->outcome), sy = outcome_severity(y->outcome);
	bool fx = proc_outcome_failed(x->outcome), fy = proc_outcome_failed(y->outcome);
	int64_t hx = held_kb(x), hy = held_kb(y);

	if (fx != fy || (fx && sx != sy))
		return sx > sy ? -1 : 1;
	if (!x->unit != !y->unit)
		return x->unit ? -1 : 1;
	if (hx != hy)
		return hx > hy ? -1 : 1;
	if (x->unit && x->unit != y->unit)
		return strcmp(unit_of(x)->name, unit_of(y)->name);
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

/* Of what is wrong, the first reason that is given. */
static const char *reason(struct arena *a, const struct service_row *row)
{
	for (size_t i = 0; i < row->n; i++)
		if (row->procs[i]->outcome == row->outcome && row->procs[i]->note &&
		    proc_outcome_failed(row->outcome))
			return arena_printf(a, "%s%s%d %s: %s", row->note, *row->note ? "; " : "",
					    row->procs[i]->fact->pid,
					    comm_text(a, row->procs[i]->fact->comm),
					    row->procs[i]->note);
	return row->note;
}

static void add_row(struct table *t, struct arena *a, const struct service_row *row, bool verbose)
{
	const struct unit_fact *unit = unit_of(row);
	size_t ok = row->by_outcome[OUTCOME_OK] + row->by_outcome[OUTCOME_CHANGED];
	bool any = row->n > 0;

	table_row(t,
		  (struct cell[]){
			  { .text = row_units(a, row, verbose) },
			  { .text = thp_mode_words[row_mode(row)] },
			  { .text = any ? arena_printf(a, "%zu/%zu", ok,
						       row->n - row->by_outcome[OUTCOME_GONE]) :
					  "" },
			  { .text = any ? size_text(a, row->rss_kb) : "", .right = true },
			  { .text = any ? size_text(a, row->anon_huge_kb) : "", .right = true },
			  { .text = unit ? size_text(a, unit->hidden_kb) : "", .right = true },
			  { .text = row->empty_kb >= 0 ? size_text(a, row->empty_kb) : "",
			    .right = true },
			  { .text = outcome_words[row->outcome],
			    .colour = outcome_colour(row->outcome) },
			  { .text = verbose && row->rule ? place_text(a, row->rule->rule->pos) : "",
			    .colour = COLOUR_DIM },
			  { .text = reason(a, row), .colour = COLOUR_YELLOW },
		  },
		  10);
	for (size_t i = 0; verbose && i < row->n; i++)
		table_line(t, arena_printf(a, "%s  RSS %s, huge %s", proc_line(a, row->procs[i]),
					   size_text(a, row->procs[i]->fact->rss_kb),
					   size_text(a, row->procs[i]->fact->anon_huge_kb)));
}

/* ", 800.0 MiB in huge pages"; nothing when it is not known. */
static const char *figure(struct arena *a, const char *before, int64_t kb, const char *behind)
{
	return kb < 0 ? "" : arena_printf(a, "%s%s%s", before, size_text(a, kb), behind);
}

/*
 * "1000 services, 12 not in order, 3 shown: RSS 1.2 GiB, 800.0 MiB in huge pages, 0 hidden": a unit
 * that has several rules has several rows, and counts once.
 */
static const char *summary(struct arena *a, const struct plan *plan, const service_rows *rows)
{
	enum { BAD = 1, SHOWN = 2 };
	unsigned char *seen = arena_alloc(a, plan->units.n + 1);
	size_t n = 0, shown = 0, bad = 0;
	int64_t rss = -1, huge = -1, hidden = -1;
	const struct service_row *row;
	const struct plan_unit *u;

	if (!seen)
		return NULL;
	array_foreach(row, rows) {
		if (!row->unit)
			continue;
		seen[row->unit - plan->units.items] |=
			(unsigned char)((proc_outcome_failed(row->outcome) ? BAD : 0) |
					(row->shown ? SHOWN : 0));
		add_known(&rss, row->rss_kb);
		add_known(&huge, row->anon_huge_kb);
	}
	array_foreach(u, &plan->units) {
		n += u->n > 0;
		bad += (seen[u_i] & BAD) != 0;
		shown += (seen[u_i] & SHOWN) != 0;
		add_known(&hidden, u->fact->hidden_kb);
	}
	if (n == 0)
		return "no process that a service rule is for";
	return arena_printf(a, "%zu service%s, %zu not in order%s%s%s%s", n, n == 1 ? "" : "s", bad,
			    shown < n ? arena_printf(a, ", %zu shown", shown) : "",
			    figure(a, ": RSS ", rss, ""), figure(a, ", ", huge, " in huge pages"),
			    figure(a, ", ", hidden, " hidden"));
}

static const struct cell heading[] = {
	{ .text = "UNIT" },
	{ .text = "THP" },
	{ .text = "OK" },
	{ .text = "RSS", .right = true },
	{ .text = "HUGE", .right = true },
	{ .text = "HIDDEN", .right = true },
	{ .text = "EMPTY", .right = true },
	{ .text = "OUTCOME" },
	{ .text = "WHY" },
	{ .text = "NOTE" },
};

/**
 * print_status_services() - a row for each unit and rule, what matters first, and a summary
 * @r: the report; says which units to show
 * @style: how; verbose: with their processes
 * @f: where to
 *
 * Return: 0 or -ENOMEM.
 */
int print_status_services(const struct report *r, const struct report_style *style, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	service_rows rows = { 0 };
	struct service_row *row;
	struct table t = { 0 };
	const char *line;
	size_t shown = 0;
	int e = service_rows_make(r, &a, &rows);

	if (e < 0)
		return e;
	qsort(rows.items, rows.n, sizeof(*rows.items), compare_rows);
	table_row(&t, heading, ARRAY_SIZE(heading));
	array_foreach(row, &rows) {
		if (!row->shown)
			continue;
		add_row(&t, &a, row, style->verbose);
		shown++;
	}
	if (shown > 0)
		e = table_print(&t, style->colour, f);
	arena_free(&t.arena);
	line = summary(&a, r->plan, &rows);
	if (!line)
		return -ENOMEM;
	fprintf(f, "%s%s\n", shown > 0 ? "\n" : "", line);
	return e;
}

/**
 * print_carried() - flags that the policy does not name, and whom they come from
 * @r: the report
 * @style: how; verbose: all of them
 * @f: where to
 *
 * Return: 0 or -ENOMEM.
 */
int print_carried(const struct report *r, const struct report_style *style, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	const struct carried_flag *c;
	struct table t = { 0 };
	int e;

	table_row(&t,
		  (struct cell[]){ { .text = "PID", .right = true },
				   { .text = "COMM" },
				   { .text = "UNIT" },
				   { .text = "FLAG" },
				   { .text = "FROM" } },
		  5);
	array_foreach(c, r->carried) {
		if (!style->verbose && c_i == CARRIED_MAX) {
			table_line(&t, arena_printf(&a, "... and %zu more; --verbose shows them",
						    r->carried->n - c_i));
			break;
		}
		table_row(&t,
			  (struct cell[]){
				  { .text = arena_printf(&a, "%d", c->pid), .right = true },
				  { .text = comm_text(&a, c->comm) },
				  { .text = c->unit },
				  { .text = flag_word(c->flag) ? flag_word(c->flag) : "unknown" },
				  { .text = c->carrier ?
						    arena_printf(&a, "%d %s", c->carrier,
								 comm_text(&a, c->carrier_comm)) :
						    "itself" },
			  },
			  5);
	}
	fprintf(f, "flags that the policy does not name:\n");
	e = table_print(&t, style->colour, f);
	arena_free(&t.arena);
	return e;
}
