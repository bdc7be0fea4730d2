/* SPDX-License-Identifier: MIT */
/* Services for people: what `plan`, `apply`, `verify` and `restore` say of them. */
#include "model/report-parts.h"

/* Of a service with many processes that are not as they should be, the first ones. */
#define LINES_MAX 10

/** comm_text() - the name of a process, which may be anything, so that a terminal takes no harm */
const char *comm_text(struct arena *a, const char *comm)
{
	char *copy = arena_strdup(a, comm ? comm : "?");

	for (char *c = copy; c && *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return copy;
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

/* The units a rule names; of a long list the first one, unless all are wanted. */
static const char *rule_units(struct arena *a, const struct rule *r, bool all)
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

/** row_units() - the unit of a row, or the units that its rule looks for in vain; @all: of these */
const char *row_units(struct arena *a, const struct service_row *row, bool all)
{
	if (row->unit)
		return row->unit->fact->name;
	return row->rule ? rule_units(a, row->rule->rule, all) : "";
}

/* What becomes of the processes that run already, when the policy is applied. */
static const char *for_running(const struct service_row *row)
{
	static const char *const words[] = {
		[APPLY_UNSET] = "set now",
		[APPLY_ALL] = "set now",
		[APPLY_START] = "at next start",
		[APPLY_VERIFY] = "never touched",
	};

	return row_mode(row) == THP_MODE_INHERIT ? "left alone" : words[row->rule->rule->apply];
}

/* How a start is met. */
static const char *for_start(const struct service_row *row)
{
	const struct rule *rule = row->rule->rule;

	if (row_mode(row) == THP_MODE_INHERIT || rule->apply == APPLY_VERIFY)
		return start_words[START_NO];
	if (row_dropin(row) == row_mode(row))
		return "drop-in";
	return start_words[rule->start ? rule->start : START_WATCH];
}

/* Whether what is empty is given back; most of the time it is not, and that is not said. */
static const char *for_reclaim(const struct service_row *row)
{
	enum reclaim reclaim = row->rule->rule->reclaim;

	return reclaim == RECLAIM_NO ? "" : reclaim_words[reclaim];
}

/** proc_line() - one process on a line of its own: "    812 cron  clear -> disable  drifted" */
const char *proc_line(struct arena *a, const struct plan_proc *p)
{
	const char *found = flag_word(p->found), *wanted = flag_word(thp_mode_flag(p->mode));
	bool moves = wanted && !(found && streq(found, wanted));

	if (!found)
		found = p->fact->thp_enabled == 1 ? "not disabled" : "unknown";

	return arena_printf(a, "    %d %s  %s%s%s  %s%s%s", p->fact->pid,
			    comm_text(a, p->fact->comm), found, moves ? " -> " : "",
			    moves ? wanted : "", outcome_words[p->outcome], p->note ? "  " : "",
			    p->note ? p->note : "");
}

static void add_lines(struct table *t, struct arena *a, const struct service_row *row, bool all)
{
	size_t shown = 0, more = 0;

	for (size_t i = 0; i < row->n; i++) {
		if (!all && !proc_outcome_failed(row->procs[i]->outcome))
			continue;
		if (!all && shown == LINES_MAX) {
			more++;
			continue;
		}
		table_line(t, proc_line(a, row->procs[i]));
		shown++;
	}
	if (more > 0)
		table_line(t, arena_printf(a, "    ... and %zu more; --verbose shows them", more));
}

/* By unit and rule; rules that match nothing come last. */
static int compare_rows(const void *a, const void *b)
{
	const struct service_row *x = a, *y = b;

	if (!x->unit != !y->unit)
		return x->unit ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static void add_row(struct table *t, struct arena *a, const struct service_row *row, bool plan,
		    bool verbose)
{
	/* What is said in advance, of processes that a rule is for. */
	bool ahead = plan && row->rule;

	table_row(t,
		  (struct cell[]){
			  { .text = row_units(a, row, verbose) },
			  { .text = thp_mode_words[row_mode(row)],
			    .colour = row->unit ? COLOUR_BOLD : COLOUR_DIM },
			  { .text = list_outcomes(a, row->by_outcome) },
			  { .text = ahead ? for_running(row) : "" },
			  { .text = ahead ? for_start(row) : "" },
			  { .text = ahead ? for_reclaim(row) : "" },
			  { .text = ahead ? narrowing(a, row->rule->rule) : "" },
			  { .text = outcome_words[row->outcome],
			    .colour = outcome_colour(row->outcome) },
			  { .text = row->rule ? place_text(a, row->rule->rule->pos) : "",
			    .colour = COLOUR_DIM },
			  { .text = row->note, .colour = COLOUR_YELLOW },
		  },
		  10);
	add_lines(t, a, row, verbose);
}

/**
 * print_services() - a row for each unit and rule, and below it the processes that are not right
 * @r: the report
 * @style: how; verbose: all processes
 * @f: where to
 *
 * Return: 0 or -ENOMEM.
 */
int print_services(const struct report *r, const struct report_style *style, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	bool plan = streq(r->verb, "plan");
	service_rows rows = { 0 };
	struct service_row *row;
	struct table t = { 0 };
	int e = service_rows_make(r, &a, &rows);

	if (e < 0 || rows.n == 0)
		return e;
	qsort(rows.items, rows.n, sizeof(*rows.items), compare_rows);
	table_row(&t,
		  (struct cell[]){ { .text = "UNIT" },
				   { .text = "THP" },
				   { .text = "PROCESSES" },
				   { .text = "RUNNING" },
				   { .text = "START" },
				   { .text = "RECLAIM" },
				   { .text = "ONLY" },
				   { .text = "OUTCOME" },
				   { .text = "WHY" },
				   { .text = "NOTE" } },
		  10);
	array_foreach(row, &rows)
		add_row(&t, &a, row, plan, style->verbose);
	e = table_print(&t, style->colour, f);
	arena_free(&t.arena);
	return e;
}
