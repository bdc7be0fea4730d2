/* SPDX-License-Identifier: MIT */
/* What came back from the huge pages of running processes: sums, and the tables for people. */
#include "model/report-parts.h"

const char *const pages_mode_words[] = {
	[PAGES_UNKNOWN] = "unknown",
	[PAGES_ZERO_FREED] = "zero_freed",
	[PAGES_ZERO_KEPT] = "zero_kept",
	NULL,
};

/* A figure before and after counts in a sum when both are known, or nothing is known of after. */
static void add_pair(int64_t *before, int64_t *after, int64_t b, int64_t a, bool dry_run)
{
	if (b < 0 || (a < 0 && !dry_run))
		return;
	*before = (*before < 0 ? 0 : *before) + b;
	if (!dry_run)
		*after = (*after < 0 ? 0 : *after) + a;
}

static void add_procs(const struct reclaim_report *r, struct reclaim_totals *t)
{
	const struct reclaim_proc *p;

	array_foreach(p, &r->procs) {
		add_pair(&t->rss_before_kb, &t->rss_after_kb, p->rss_before_kb, p->rss_after_kb,
			 r->dry_run);
		add_pair(&t->huge_before_kb, &t->huge_after_kb, p->huge_before_kb, p->huge_after_kb,
			 r->dry_run);
		add_pair(&t->hidden_before_kb, &t->hidden_after_kb, p->hidden_before_kb,
			 p->hidden_after_kb, r->dry_run);
		add_pair(&t->empty_kb, NULL, p->empty_kb, -1, true);
		t->splits += p->splits;
		t->refused += p->refused;
		t->full += p->full;
		t->shared += p->shared;
		t->locked += p->locked;
		t->failed += proc_outcome_failed(p->outcome);
	}
}

static int64_t less(int64_t before, int64_t after)
{
	return after < 0 ? 0 : before - after;
}

/**
 * reclaim_total() - sums over processes and units
 * @r: what was done
 * @ret: the sums; of a run that only measured, nothing about after
 *
 * What a unit is charged with says best what came back: pages that several processes share are in
 * the RSS of each, and what is hidden in partly mapped huge pages is in none.
 */
void reclaim_total(const struct reclaim_report *r, struct reclaim_totals *ret)
{
	struct reclaim_totals t = { .rss_before_kb = -1,
				    .rss_after_kb = -1,
				    .huge_before_kb = -1,
				    .huge_after_kb = -1,
				    .current_before_kb = -1,
				    .current_after_kb = -1,
				    .hidden_before_kb = -1,
				    .hidden_after_kb = -1,
				    .empty_kb = -1 };
	int64_t before = -1, after = -1;
	const struct reclaim_unit *u;

	add_procs(r, &t);
	t.given_kb = less(t.rss_before_kb, t.rss_after_kb) +
		     less(t.hidden_before_kb, t.hidden_after_kb);
	array_foreach(u, &r->units) {
		add_pair(&t.current_before_kb, &t.current_after_kb, u->current_before_kb,
			 u->current_after_kb, r->dry_run);
		add_pair(&before, &after, u->hidden_before_kb, u->hidden_after_kb, r->dry_run);
	}
	if (before >= 0) {
		t.hidden_before_kb = before;
		t.hidden_after_kb = after;
	}
	if (t.current_after_kb >= 0)
		t.given_kb = t.current_before_kb - t.current_after_kb;
	t.given_kb = t.given_kb > 0 ? t.given_kb : 0;
	*ret = t;
}

/* Why huge pages are whole still: "3 refused, 12 full". */
static const char *whole(struct arena *a, const struct reclaim_proc *p)
{
	const struct {
		uint64_t n;
		const char *why;
	} reasons[] = {
		{ p->refused, "refused" },
		{ p->full, "full" },
		{ p->shared, "shared" },
		{ p->locked, "locked" },
	};
	const char *out = "";

	for (size_t i = 0; i < ARRAY_SIZE(reasons) && out; i++)
		if (reasons[i].n > 0)
			out = arena_printf(a, "%s%s%llu %s", out, *out ? ", " : "",
					   (unsigned long long)reasons[i].n, reasons[i].why);
	return out;
}

/* "1.3 GiB -> 120.0 MiB"; one figure where only one is known, or counts, or nothing changed. */
static const char *change(struct arena *a, int64_t before, int64_t after, bool dry_run)
{
	if (dry_run || after < 0 || before == after)
		return before < 0 ? "" : size_text(a, before);
	return arena_printf(a, "%s -> %s", size_text(a, before), size_text(a, after));
}

static int print_procs(const struct reclaim_report *r, const struct report_style *style, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	const struct reclaim_proc *p;
	struct table t = { 0 };
	int e;

	table_row(&t,
		  (struct cell[]){ { .text = "PID", .right = true },
				   { .text = "COMM" },
				   { .text = "UNIT" },
				   { .text = "RSS" },
				   { .text = "HUGE" },
				   { .text = "HIDDEN" },
				   { .text = "EMPTY", .right = true },
				   { .text = "WHOLE" },
				   { .text = "OUTCOME" },
				   { .text = "NOTE" } },
		  10);
	array_foreach(p, &r->procs)
		table_row(&t,
			  (struct cell[]){
				  { .text = arena_printf(&a, "%d", p->pid), .right = true },
				  { .text = comm_text(&a, p->comm) },
				  { .text = p->unit },
				  { .text = change(&a, p->rss_before_kb, p->rss_after_kb,
						   r->dry_run) },
				  { .text = change(&a, p->huge_before_kb, p->huge_after_kb,
						   r->dry_run) },
				  { .text = change(&a, p->hidden_before_kb, p->hidden_after_kb,
						   r->dry_run) },
				  { .text = p->empty_kb < 0 ? "" : size_text(&a, p->empty_kb),
				    .right = true },
				  { .text = whole(&a, p) },
				  { .text = outcome_words[p->outcome],
				    .colour = outcome_colour(p->outcome) },
				  { .text = p->note, .colour = COLOUR_YELLOW },
			  },
			  10);
	e = table_print(&t, style->colour, f);
	arena_free(&t.arena);
	return e;
}

static int print_units(const struct reclaim_report *r, const struct report_style *style, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	const struct reclaim_unit *u;
	struct table t = { 0 };
	int e;

	if (r->units.n == 0)
		return 0;
	table_row(&t,
		  (struct cell[]){
			  { .text = "UNIT" }, { .text = "CHARGED" }, { .text = "HIDDEN" } },
		  3);
	array_foreach(u, &r->units)
		table_row(&t,
			  (struct cell[]){
				  { .text = u->name },
				  { .text = change(&a, u->current_before_kb, u->current_after_kb,
						   r->dry_run) },
				  { .text = change(&a, u->hidden_before_kb, u->hidden_after_kb,
						   r->dry_run) },
			  },
			  3);
	fprintf(f, "\n");
	e = table_print(&t, style->colour, f);
	arena_free(&t.arena);
	return e;
}

/**
 * print_reclaim() - the processes that were looked after, and what their units are charged with
 * @r: what was done
 * @style: how
 * @f: where to
 *
 * Return: 0 or -ENOMEM.
 */
int print_reclaim(const struct reclaim_report *r, const struct report_style *style, FILE *f)
{
	int e = print_procs(r, style, f);

	if (e == 0)
		e = print_units(r, style, f);
	/* mm/huge_memory.c: a split maps zero-filled pages to the shared one since Linux 6.12. */
	if (r->pages_mode == PAGES_ZERO_KEPT)
		fprintf(f, "\nThis kernel splits huge pages, but keeps the zero-filled pages in "
			   "them resident (Linux 6.12\nfrees them): only what the programs gave "
			   "back themselves returns to the host.\n");
	return e;
}
