/* SPDX-License-Identifier: MIT */
/* The report for programs; tests hold it against report.schema.json beside this file. */
#include "model/report-json.h"

#include "config.h"

/**
 * js_set() - sets a member of an object
 * @o: the object, or NULL
 * @key: the name
 * @value: its reference is taken over, or NULL
 *
 * jansson passes NULL on, so failures of a whole object need to be looked at only once.
 *
 * Return: 0; -1 when one of both is NULL, or out of memory.
 */
int js_set(json_t *o, const char *key, json_t *value)
{
	return json_object_set_new(o, key, value);
}

/** js_done() - the object or array, if nothing has failed meanwhile; else NULL */
json_t *js_done(json_t *o, int failed)
{
	if (!failed)
		return o;
	json_decref(o);
	return NULL;
}

/** js_text() - a string; what is no UTF-8 in it (a file name need not be) becomes a "?" */
json_t *js_text(const char *s)
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

/** js_text_or_null() - the same, and null for NULL */
json_t *js_text_or_null(const char *s)
{
	return s ? js_text(s) : json_null();
}

/** js_kb() - a figure; null when it is not known, which is negative */
json_t *js_kb(int64_t kb)
{
	return kb < 0 ? json_null() : json_integer(kb);
}

/** js_strings() - a list of strings as an array */
json_t *js_strings(const strlist *l)
{
	json_t *a = json_array();
	const char **s;

	array_foreach(s, l)
		if (json_array_append_new(a, js_text(*s)) < 0) {
			json_decref(a);
			return NULL;
		}
	return a;
}

/** js_set_pos() - `file` and `line`, where there is a place */
int js_set_pos(json_t *o, struct pos pos)
{
	if (!pos.file)
		return 0;
	return js_set(o, "file", js_text(pos.file)) | js_set(o, "line", json_integer(pos.line));
}

/** js_set_why() - `outcome`, and `note` and `errno` where there are any */
int js_set_why(json_t *o, enum outcome outcome, int error, const char *note)
{
	int r = js_set(o, "outcome", json_string(outcome_words[outcome]));

	if (note && *note)
		r |= js_set(o, "note", js_text(note));
	if (error)
		r |= js_set(o, "errno", json_integer(error));
	return r;
}

static json_t *json_role(const struct role_choice *c)
{
	json_t *o = json_object();
	int r = js_set(o, "name", js_text_or_null(c->name));

	r |= js_set(o, "source", json_string(role_source_words[c->source]));
	r |= js_set(o, "file", js_text_or_null(c->where));
	if (c->line)
		r |= js_set(o, "line", json_integer(c->line));
	if (c->pattern)
		r |= js_set(o, "pattern", js_text(c->pattern));
	return js_done(o, r);
}

static json_t *json_item(const struct plan_item *it)
{
	json_t *o = json_object();
	int r = js_set(o, "key", json_string(it->key));

	r |= js_set(o, "wanted", js_text(it->wanted));
	r |= js_set(o, "found", js_text_or_null(it->found));
	if (it->now)
		r |= js_set(o, "now", json_string(it->now));
	r |= js_set_why(o, it->outcome, it->error, it->note);
	r |= js_set_pos(o, it->pos);
	if (it->overrides.file) {
		json_t *over = json_object();

		r |= js_set_pos(over, it->overrides) | js_set(o, "overrides", over);
	}
	return js_done(o, r);
}

static int add_findings(json_t *list, const struct diags *d)
{
	const struct diag *it;
	int r = 0;

	if (!d)
		return 0;
	array_foreach(it, &d->list) {
		json_t *o = json_object();

		r |= js_set(o, "severity", json_string(severity_to_string(it->severity)));
		r |= js_set(o, "file", js_text_or_null(it->file));
		r |= js_set(o, "line", it->line ? json_integer(it->line) : json_null());
		r |= js_set(o, "message", js_text(it->message));
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
		r |= js_set(o, gauges[i].name, js_kb(gauges[i].value));
	return js_done(o, r);
}

static json_t *json_counts(const size_t *by_outcome)
{
	json_t *o = json_object();
	int r = 0;

	for (size_t i = 0; i < OUTCOMES; i++)
		if (by_outcome[i])
			r |= js_set(o, outcome_words[i], json_integer((json_int_t)by_outcome[i]));
	return js_done(o, r);
}

static int set_plan(json_t *top, const struct report *report)
{
	json_t *settings = json_array(), *counts = json_object();
	const struct plan *plan = report->plan;
	const struct plan_item *it;
	struct report_counts c;
	int r = js_set(top, "role", json_role(&plan->role));

	array_foreach(it, &plan->items)
		r |= json_array_append_new(settings, json_item(it));
	r |= js_set(top, "settings", settings);
	r |= js_set_services(top, report);
	report_count(plan, &c);
	r |= js_set(counts, "settings", json_counts(c.by_outcome));
	r |= js_set(counts, "processes", json_counts(c.procs_by_outcome));
	return r | js_set(top, "counts", counts);
}

static int set_library(json_t *top, const struct report *r)
{
	json_t *a = json_array();
	int e = 0;

	for (size_t i = 0; i < r->roles_n; i++)
		e |= json_array_append_new(a, js_text(r->roles[i]));
	return e | js_set(top, "role_library", a);
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
	int e = js_set(top, "schema", json_string(REPORT_SCHEMA));

	e |= js_set(top, "version", json_string(PACKAGE_VERSION));
	e |= js_set(top, "verb", json_string(r->verb));
	e |= js_set(top, "exit_status", json_integer(r->exit_status));
	e |= js_set(top, "result", json_string(report_result(r, &a)));
	e |= js_set(top, "root", js_text(*r->root ? r->root : "/"));
	if (r->facts && r->facts->hostname)
		e |= js_set(top, "host",
			    json_pack("{s:o, s:o, s:b}", "name", js_text(r->facts->hostname),
				      "kernel", js_text(r->facts->release), "thp",
				      r->facts->thp_error == 0));
	if (r->policy)
		e |= js_set(top, "policy_files", js_strings(&r->policy->files));
	if (r->plan)
		e |= set_plan(top, r);
	if (r->status)
		e |= js_set(top, "status", json_status(r->status));
	if (r->carried)
		e |= js_set(top, "carried", js_carried(r->carried));
	if (r->daemon)
		e |= js_set(top, "daemon", js_daemon(r->daemon));
	if (r->reclaim)
		e |= js_set(top, "reclaim", js_reclaim(r->reclaim));
	if (r->roles)
		e |= set_library(top, r);
	e |= add_findings(findings, r->diags);
	e |= add_findings(findings, r->findings);
	e |= js_set(top, "findings", findings);
	if (e == 0)
		e = json_dumpf(top, f, JSON_INDENT(2)) | (fputc('\n', f) == EOF);
	json_decref(top);
	return ferror(f) ? -EIO : e ? -ENOMEM : 0;
}

/*
 * The daemon's part of a printed report: each part begins and ends at its own depth, and no text in
 * it has a line's end.
 */
static bool find_daemon(const char *text, const char **ret_begin, const char **ret_end)
{
	static const char begin[] = "\n  \"daemon\": {", end[] = "\n  }";
	const char *from = strstr(text, begin), *to = from ? strstr(from + 1, end) : NULL;

	if (!to)
		return false;
	*ret_begin = from + 1;
	*ret_end = to + strlen(end);
	return true;
}

/**
 * report_json_again() - prints a report of which only the daemon's part is new
 * @text: the report as report_json() has printed it
 * @v: the new part
 * @f: where to
 *
 * Return: 0; -EBADMSG when @text is no such report; -ENOMEM; -EIO when it could not be written.
 */
int report_json_again(const char *text, const struct daemon_view *v, FILE *f)
{
	json_t *top = json_object();
	int r = js_set(top, "daemon", js_daemon(v));
	char *mine = r == 0 ? json_dumps(top, JSON_INDENT(2)) : NULL;
	const char *begin, *end, *from, *to;

	json_decref(top);
	if (!mine)
		return -ENOMEM;
	r = find_daemon(text, &begin, &end) && find_daemon(mine, &from, &to) ? 0 : -EBADMSG;
	if (r == 0)
		fprintf(f, "%.*s%.*s%s", (int)(begin - text), text, (int)(to - from), from, end);
	free(mine);
	return r < 0 ? r : ferror(f) ? -EIO : 0;
}
