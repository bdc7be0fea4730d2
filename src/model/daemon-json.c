/* SPDX-License-Identifier: MIT */
/* What the daemon said of itself, out of its report; report-daemon.c is who writes it. */
#include "model/daemon-json.h"

#include <jansson.h>

#include "base/parse.h"
#include "model/report.h"

static void json_decref_ptr(json_t **j)
{
	json_decref(*j);
}

#define _cleanup_json_ _cleanup_(json_decref_ptr)

/* The members of an object, and whether one of them was not what it should be. */
struct reader {
	json_t *o;
	bool bad;
};

static uint64_t number(struct reader *r, const char *key, uint64_t max)
{
	json_t *j = json_object_get(r->o, key);
	json_int_t v = json_integer_value(j);

	r->bad |= !json_is_integer(j) || v < 0 || (uint64_t)v > max;
	return (uint64_t)v;
}

static uint64_t count(struct reader *r, const char *key)
{
	return number(r, key, INT64_MAX);
}

/* A time; null stands for never. */
static uint64_t when(struct reader *r, const char *key)
{
	return json_is_null(json_object_get(r->o, key)) ? 0 : count(r, key);
}

static int word(struct reader *r, const char *key, const char *const *words)
{
	const char *s = json_string_value(json_object_get(r->o, key));
	int i = s ? word_index(words, s) : -1;

	r->bad |= i < 0;
	return i < 0 ? 0 : i;
}

static const char *text_or_null(struct reader *r, const char *key, struct arena *a)
{
	json_t *j = json_object_get(r->o, key);
	const char *s = json_is_string(j) ? arena_strdup(a, json_string_value(j)) : NULL;

	r->bad |= !json_is_null(j) && !s;
	return s;
}

static void read_parts(struct reader *r, struct daemon_status *s)
{
	struct reader parts = { .o = json_object_get(r->o, "parts") };

	s->bus = (enum daemon_part)word(&parts, "bus", daemon_part_words);
	s->helper = (enum daemon_part)word(&parts, "helper", daemon_part_words);
	s->starts = (enum daemon_part)word(&parts, "starts", daemon_part_words);
	r->bad |= parts.bad;
}

/**
 * daemon_parse() - what the daemon said of itself, from the text of its report
 * @text: the text
 * @len: its length
 * @a: where words will live
 * @ret: what it said
 *
 * Return: 0; -EBADMSG when it is not a report of the daemon's.
 */
int daemon_parse(const char *text, size_t len, struct arena *a, struct daemon_status *ret)
{
	_cleanup_json_ json_t *top = NULL;
	struct reader r = { 0 };
	struct daemon_status s = { 0 };
	const char *schema;

	json_object_seed(1);
	top = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	schema = json_string_value(json_object_get(top, "schema"));
	if (!schema || !streq(schema, REPORT_SCHEMA))
		return -EBADMSG;
	r.o = json_object_get(top, "daemon");
	s.pid = (int32_t)number(&r, "pid", INT32_MAX);
	s.start = count(&r, "start");
	s.started_us = count(&r, "started_us");
	s.cycle_us = when(&r, "cycle_us");
	s.cycle_took_us = count(&r, "cycle_took_us");
	s.policy_us = when(&r, "policy_us");
	s.reload_failed_us = when(&r, "reload_failed_us");
	s.reload_error = text_or_null(&r, "reload_error", a);
	s.verify_interval = (uint32_t)number(&r, "verify_interval", UINT32_MAX);
	s.on_drift_report = word(&r, "on_drift", on_drift_words) == ON_DRIFT_REPORT;
	s.cycles = count(&r, "cycles");
	s.reloads = count(&r, "reloads");
	s.reloads_failed = count(&r, "reloads_failed");
	s.foreign_writes = count(&r, "foreign_writes");
	s.settings_repaired = count(&r, "settings_repaired");
	s.settings_backed_off = count(&r, "settings_backed_off");
	s.procs_set = count(&r, "processes_set");
	s.starts_watched = count(&r, "starts_watched");
	s.starts_gated = count(&r, "starts_gated");
	s.starts_escaped = count(&r, "starts_escaped");
	read_parts(&r, &s);
	if (r.bad || s.pid < 1)
		return -EBADMSG;
	*ret = s;
	return 0;
}
