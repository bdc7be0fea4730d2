/* SPDX-License-Identifier: MIT */
/* The report for programs; tests hold it against report.schema.json beside this file. */
#include <jansson.h>

#include "config.h"
#include "model/report.h"

/* jansson steals references and passes NULL on, so failures need to be looked at only once. */
static int set(json_t *o, const char *key, json_t *value)
{
	return json_object_set_new(o, key, value);
}

/* A string; what is no UTF-8 in it (a file name need not be) is said as a question mark. */
static json_t *text(const char *s)
{
	json_t *j = json_string(s);
	char *copy;

	if (j || !(copy = strdup(s)))
		return j;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	j = json_string(copy);
	free(copy);
	return j;
}

static json_t *string_or_null(const char *s)
{
	return s ? text(s) : json_null();
}

static json_t *strings(const strlist *l)
{
	json_t *a = json_array();
	const char **s;

	array_foreach(s, l)
		if (json_array_append_new(a, text(*s)) < 0) {
			json_decref(a);
			return NULL;
		}
	return a;
}

static int set_pos(json_t *o, struct pos pos)
{
	if (!pos.file)
		return 0;
	return set(o, "file", text(pos.file)) | set(o, "line", json_integer(pos.line));
}

static json_t *json_role(const struct role_choice *c)
{
	json_t *o = json_object();
	int r = set(o, "name", string_or_null(c->name));

	r |= set(o, "source", json_string(role_source_words[c->source]));
	r |= set(o, "file", string_or_null(c->where));
	if (c->line)
		r |= set(o, "line", json_integer(c->line));
	if (c->pattern)
		r |= set(o, "pattern", text(c->pattern));
	return r ? (json_decref(o), NULL) : o;
}

static json_t *json_item(const struct plan_item *it)
{
	json_t *o = json_object();
	int r = set(o, "key", json_string(it->key));

	r |= set(o, "wanted", text(it->wanted));
	r |= set(o, "found", string_or_null(it->found));
	if (it->now)
		r |= set(o, "now", json_string(it->now));
	r |= set(o, "outcome", json_string(outcome_words[it->outcome]));
	r |= set_pos(o, it->pos);
	if (it->note)
		r |= set(o, "note", text(it->note));
	if (it->error)
		r |= set(o, "errno", json_integer(it->error));
	if (it->overrides.file) {
		json_t *over = json_object();

		r |= set_pos(over, it->overrides) | set(o, "overrides", over);
	}
	return r ? (json_decref(o), NULL) : o;
}

static json_t *json_rule(const struct plan_rule *pr)
{
	const struct rule *rule = pr->rule;
	json_t *o = json_object();
	int r = set(o, "rule", text(rule->title));

	if (rule->unit.n)
		r |= set(o, "unit", strings(&rule->unit));
	else
		r |= set(o, "unit", json_pack("[o]", text(rule->title)));
	r |= set(o, "exe", strings(&rule->exe)) | set(o, "user", strings(&rule->user)) |
	     set(o, "comm", strings(&rule->comm));
	r |= set(o, "role", string_or_null(pr->section));
	r |= set(o, "thp", json_string(thp_mode_words[rule->thp]));
	r |= set(o, "mode", json_string(thp_mode_words[pr->mode]));
	r |= set(o, "start", json_string(start_words[rule->start ? rule->start : START_WATCH]));
	r |= set(o, "apply", json_string(apply_words[rule->apply ? rule->apply : APPLY_ALL]));
	r |= set(o, "reclaim",
		 json_string(reclaim_words[rule->reclaim ? rule->reclaim : RECLAIM_NO]));
	r |= set(o, "outcome", json_string(outcome_words[pr->outcome]));
	r |= set_pos(o, rule->pos);
	if (pr->note)
		r |= set(o, "note", text(pr->note));
	if (pr->loses_to) {
		json_t *by = json_object();

		r |= set_pos(by, pr->loses_to->pos) | set(o, "loses_to", by);
	}
	return r ? (json_decref(o), NULL) : o;
}

static int add_findings(json_t *list, const struct diags *d)
{
	const struct diag *it;
	int r = 0;

	if (!d)
		return 0;
	array_foreach(it, &d->list) {
		json_t *o = json_object();

		r |= set(o, "severity", json_string(severity_to_string(it->severity)));
		r |= set(o, "file", string_or_null(it->file));
		r |= set(o, "line", it->line ? json_integer(it->line) : json_null());
		r |= set(o, "message", text(it->message));
		r |= json_array_append_new(list, o);
	}
	return r;
}

static json_t *json_status(const struct host_status *s)
{
	const struct {
		const char *name;
		int64_t value;
	} gauges[] = {
		{ "anon_huge_kb", s->anon_huge_kb },	   { "shmem_huge_kb", s->shmem_huge_kb },
		{ "mem_total_kb", s->mem_total_kb },	   { "full_scans", s->full_scans },
		{ "pages_collapsed", s->pages_collapsed }, { "originals", s->originals },
	};
	json_t *o = json_object();
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
		r |= set(o, gauges[i].name,
			 gauges[i].value < 0 ? json_null() : json_integer(gauges[i].value));
	return r ? (json_decref(o), NULL) : o;
}

static int set_plan(json_t *top, const struct plan *plan)
{
	json_t *settings = json_array(), *services = json_array(), *counts = json_object();
	const struct plan_item *it;
	const struct plan_rule *pr;
	struct report_counts c;
	int r = 0;

	report_count(plan, &c);
	array_foreach(it, &plan->items)
		r |= json_array_append_new(settings, json_item(it));
	array_foreach(pr, &plan->rules)
		r |= json_array_append_new(services, json_rule(pr));
	for (size_t i = 0; i < OUTCOMES; i++)
		if (c.by_outcome[i])
			r |= set(counts, outcome_words[i],
				 json_integer((json_int_t)c.by_outcome[i]));
	return r | set(top, "role", json_role(&plan->role)) | set(top, "settings", settings) |
	       set(top, "services", services) | set(top, "counts", counts);
}

static int set_library(json_t *top, const struct report *r)
{
	json_t *a = json_array();
	int e = 0;

	for (size_t i = 0; i < r->roles_n; i++)
		e |= json_array_append_new(a, text(r->roles[i]));
	return e | set(top, "role_library", a);
}

/**
 * report_json() - prints a report as one JSON object and a newline
 * @r: the report
 * @f: where to
 *
 * Return: 0; -ENOMEM; -EIO when it could not be written.
 */
int report_json(const struct report *r, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	json_t *top = json_object(), *findings = json_array();
	int e = set(top, "schema", json_string(REPORT_SCHEMA));

	e |= set(top, "version", json_string(PACKAGE_VERSION));
	e |= set(top, "verb", json_string(r->verb));
	e |= set(top, "exit_status", json_integer(r->exit_status));
	e |= set(top, "result", json_string(report_result(r, &a)));
	e |= set(top, "root", text(*r->root ? r->root : "/"));
	if (r->facts && r->facts->hostname)
		e |= set(top, "host",
			 json_pack("{s:o, s:o, s:b}", "name", text(r->facts->hostname), "kernel",
				   text(r->facts->release), "thp", r->facts->thp_error == 0));
	if (r->policy)
		e |= set(top, "policy_files", strings(&r->policy->files));
	if (r->plan)
		e |= set_plan(top, r->plan);
	if (r->status)
		e |= set(top, "status", json_status(r->status));
	if (r->roles)
		e |= set_library(top, r);
	e |= add_findings(findings, r->diags);
	e |= add_findings(findings, r->findings);
	e |= set(top, "findings", findings);
	if (e == 0)
		e = json_dumpf(top, f, JSON_INDENT(2)) | (fputc('\n', f) == EOF);
	json_decref(top);
	return ferror(f) ? -EIO : e ? -ENOMEM : 0;
}
