/* SPDX-License-Identifier: MIT */
/* Services for programs: rules with their units and processes, flags, and what was given back. */
#include "model/report-json.h"

static json_t *json_proc(const struct plan_proc *p)
{
	const struct proc_fact *f = p->fact;
	json_t *o = json_object();
	int r = js_set(o, "pid", json_integer(f->pid));

	r |= js_set(o, "start", json_integer((json_int_t)f->start));
	r |= js_set(o, "comm", js_text_or_null(f->comm));
	r |= js_set(o, "exe", js_text_or_null(f->exe));
	r |= js_set(o, "user", js_text_or_null(f->user));
	r |= js_set(o, "wanted", js_text_or_null(flag_word(thp_mode_flag(p->mode))));
	r |= js_set(o, "found", js_text_or_null(flag_word(p->found)));
	r |= js_set(o, "now", js_text_or_null(flag_word(p->now)));
	r |= js_set_why(o, p->outcome, p->error, p->note);
	r |= js_set(o, "rss_kb", js_kb(f->rss_kb));
	r |= js_set(o, "anon_huge_kb", js_kb(f->anon_huge_kb));
	r |= js_set(o, "empty_kb", js_kb(f->empty_kb));
	return js_done(o, r);
}

static json_t *json_unit(const struct service_row *row)
{
	const struct unit_fact *f = row->unit->fact;
	json_t *o = json_object(), *procs = json_array();
	int r = js_set(o, "unit", js_text(f->name));

	r |= js_set(o, "current_kb", js_kb(f->current_kb));
	r |= js_set(o, "hidden_kb", js_kb(f->hidden_kb));
	if (row->unit->dropin)
		r |= js_set(o, "dropin", json_string(thp_mode_words[row->unit->dropin]));
	for (size_t i = 0; i < row->n; i++)
		r |= json_array_append_new(procs, json_proc(row->procs[i]));
	r |= js_set(o, "processes", procs);
	return js_done(o, r);
}

static json_t *json_rule(const struct plan_rule *pr, enum outcome outcome, json_t *units)
{
	const struct rule *rule = pr->rule;
	json_t *o = json_object();
	int r = js_set(o, "rule", js_text(rule->title));

	if (rule->unit.n)
		r |= js_set(o, "unit", js_strings(&rule->unit));
	else
		r |= js_set(o, "unit", json_pack("[o]", js_text(rule->title)));
	r |= js_set(o, "exe", js_strings(&rule->exe));
	r |= js_set(o, "user", js_strings(&rule->user));
	r |= js_set(o, "comm", js_strings(&rule->comm));
	r |= js_set(o, "role", js_text_or_null(pr->section));
	r |= js_set(o, "thp", json_string(thp_mode_words[rule->thp]));
	r |= js_set(o, "mode", json_string(thp_mode_words[pr->mode]));
	r |= js_set(o, "start", json_string(start_words[rule->start ? rule->start : START_WATCH]));
	if (pr->dropin)
		r |= js_set(o, "dropin", json_string(thp_mode_words[pr->dropin]));
	r |= js_set(o, "apply", json_string(apply_words[rule->apply ? rule->apply : APPLY_ALL]));
	r |= js_set(o, "reclaim",
		    json_string(reclaim_words[rule->reclaim ? rule->reclaim : RECLAIM_NO]));
	r |= js_set_why(o, outcome, 0, pr->note);
	r |= js_set_pos(o, rule->pos);
	if (pr->loses_to) {
		json_t *by = json_object();

		r |= js_set_pos(by, pr->loses_to->pos) | js_set(o, "loses_to", by);
	}
	r |= js_set(o, "matched", json_integer((json_int_t)pr->matched));
	r |= js_set(o, "lost", json_integer((json_int_t)pr->lost));
	r |= js_set(o, "units", units);
	return js_done(o, r);
}

/**
 * js_set_services() - the service rules with their units, and units that no rule is about
 * @top: the object; gets `services`, and `units` where there are such
 * @r: the report, with a plan
 *
 * Return: 0; not 0 when out of memory.
 */
int js_set_services(json_t *top, const struct report *r)
{
	_cleanup_arena_ struct arena a = { 0 };
	json_t *services = json_array();
	service_rows rows = { 0 };
	int e = service_rows_make(r, &a, &rows);

	for (size_t i = 0; e == 0 && i < rows.n;) {
		const struct plan_rule *rule = rows.items[i].rule;
		enum outcome worst = rows.items[i].outcome;
		json_t *units = json_array();

		for (; e == 0 && i < rows.n && rows.items[i].rule == rule; i++) {
			const struct service_row *row = &rows.items[i];

			if (outcome_severity(row->outcome) > outcome_severity(worst))
				worst = row->outcome;
			if (row->shown && row->unit)
				e |= json_array_append_new(units, json_unit(row));
		}
		if (rule)
			e |= json_array_append_new(services, json_rule(rule, worst, units));
		else
			e |= js_set(top, "units", units);
	}
	return e | js_set(top, "services", services);
}

/** js_carried() - flags that the policy does not name */
json_t *js_carried(const carried_flags *l)
{
	json_t *a = json_array();
	const struct carried_flag *c;
	int r = 0;

	array_foreach(c, l) {
		json_t *o = json_object(), *from = c->carrier ? json_object() : json_null();

		r |= js_set(o, "pid", json_integer(c->pid));
		r |= js_set(o, "comm", js_text_or_null(c->comm));
		r |= js_set(o, "unit", js_text_or_null(c->unit));
		r |= js_set(o, "flag", js_text_or_null(flag_word(c->flag)));
		if (c->carrier) {
			r |= js_set(from, "pid", json_integer(c->carrier));
			r |= js_set(from, "comm", js_text_or_null(c->carrier_comm));
		}
		r |= js_set(o, "from", from) | json_array_append_new(a, o);
	}
	return js_done(a, r);
}

/* What became of the huge pages. */
static int set_pages(json_t *o, uint64_t splits, uint64_t refused, uint64_t full, uint64_t shared,
		     uint64_t locked)
{
	return js_set(o, "splits", json_integer((json_int_t)splits)) |
	       js_set(o, "refused", json_integer((json_int_t)refused)) |
	       js_set(o, "full", json_integer((json_int_t)full)) |
	       js_set(o, "shared", json_integer((json_int_t)shared)) |
	       js_set(o, "locked", json_integer((json_int_t)locked));
}

static json_t *json_reclaim_proc(const struct reclaim_proc *p)
{
	json_t *o = json_object();
	int r = js_set(o, "pid", json_integer(p->pid));

	r |= js_set(o, "comm", js_text_or_null(p->comm));
	r |= js_set(o, "unit", js_text_or_null(p->unit));
	r |= js_set(o, "rss_before_kb", js_kb(p->rss_before_kb));
	r |= js_set(o, "rss_after_kb", js_kb(p->rss_after_kb));
	r |= js_set(o, "anon_huge_before_kb", js_kb(p->huge_before_kb));
	r |= js_set(o, "anon_huge_after_kb", js_kb(p->huge_after_kb));
	r |= js_set(o, "hidden_before_kb", js_kb(p->hidden_before_kb));
	r |= js_set(o, "hidden_after_kb", js_kb(p->hidden_after_kb));
	r |= js_set(o, "empty_kb", js_kb(p->empty_kb));
	r |= set_pages(o, p->splits, p->refused, p->full, p->shared, p->locked);
	r |= js_set_why(o, p->outcome, p->error, p->note);
	return js_done(o, r);
}

static json_t *json_reclaim_unit(const struct reclaim_unit *u)
{
	json_t *o = json_object();
	int r = js_set(o, "unit", js_text(u->name));

	r |= js_set(o, "current_before_kb", js_kb(u->current_before_kb));
	r |= js_set(o, "current_after_kb", js_kb(u->current_after_kb));
	r |= js_set(o, "hidden_before_kb", js_kb(u->hidden_before_kb));
	r |= js_set(o, "hidden_after_kb", js_kb(u->hidden_after_kb));
	return js_done(o, r);
}

static json_t *json_totals(const struct reclaim_totals *t)
{
	json_t *o = json_object();
	int r = js_set(o, "rss_before_kb", js_kb(t->rss_before_kb));

	r |= js_set(o, "rss_after_kb", js_kb(t->rss_after_kb));
	r |= js_set(o, "anon_huge_before_kb", js_kb(t->huge_before_kb));
	r |= js_set(o, "anon_huge_after_kb", js_kb(t->huge_after_kb));
	r |= js_set(o, "current_before_kb", js_kb(t->current_before_kb));
	r |= js_set(o, "current_after_kb", js_kb(t->current_after_kb));
	r |= js_set(o, "hidden_before_kb", js_kb(t->hidden_before_kb));
	r |= js_set(o, "hidden_after_kb", js_kb(t->hidden_after_kb));
	r |= js_set(o, "empty_kb", js_kb(t->empty_kb));
	r |= js_set(o, "given_back_kb", js_kb(t->given_kb));
	r |= set_pages(o, t->splits, t->refused, t->full, t->shared, t->locked);
	return js_done(o, r);
}

/** js_reclaim() - what came back from the huge pages of running processes */
json_t *js_reclaim(const struct reclaim_report *r)
{
	json_t *o = json_object(), *procs = json_array(), *units = json_array();
	const struct reclaim_proc *p;
	const struct reclaim_unit *u;
	struct reclaim_totals t;
	int e = js_set(o, "dry_run", json_boolean(r->dry_run));

	reclaim_total(r, &t);
	e |= js_set(o, "interrupted", json_boolean(r->interrupted));
	e |= js_set(o, "pages_mode", json_string(pages_mode_words[r->pages_mode]));
	array_foreach(p, &r->procs)
		e |= json_array_append_new(procs, json_reclaim_proc(p));
	array_foreach(u, &r->units)
		e |= json_array_append_new(units, json_reclaim_unit(u));
	e |= js_set(o, "processes", procs) | js_set(o, "units", units);
	e |= js_set(o, "total", json_totals(&t));
	return js_done(o, e);
}
