/* SPDX-License-Identifier: MIT */
/* The daemon in the report: for programs, and in the head of `status`. */
#include <time.h>

#include "model/report-json.h"

#define SECOND UINT64_C(1000000)
#define HOUR (3600 * SECOND)

static json_t *js_when(uint64_t us)
{
	return us ? json_integer((json_int_t)us) : json_null();
}

static int set_status(json_t *o, const struct daemon_status *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "pid", (uint64_t)s->pid },
		{ "start", s->start },
		{ "started_us", s->started_us },
		{ "cycle_took_us", s->cycle_took_us },
		{ "verify_interval", s->verify_interval },
		{ "cycles", s->cycles },
		{ "reloads", s->reloads },
		{ "reloads_failed", s->reloads_failed },
		{ "foreign_writes", s->foreign_writes },
		{ "settings_repaired", s->settings_repaired },
		{ "settings_backed_off", s->settings_backed_off },
		{ "processes_set", s->procs_set },
		{ "starts_watched", s->starts_watched },
		{ "starts_gated", s->starts_gated },
		{ "starts_escaped", s->starts_escaped },
	};
	enum on_drift on_drift = s->on_drift_report ? ON_DRIFT_REPORT : ON_DRIFT_REAPPLY;
	struct daemon_part_state parts[DAEMON_PARTS];
	json_t *j = json_object();
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		r |= js_set(o, counts[i].name, json_integer((json_int_t)counts[i].value));
	r |= js_set(o, "cycle_us", js_when(s->cycle_us));
	r |= js_set(o, "policy_us", js_when(s->policy_us));
	r |= js_set(o, "reload_failed_us", js_when(s->reload_failed_us));
	r |= js_set(o, "reload_error", js_text_or_null(s->reload_error));
	r |= js_set(o, "on_drift", json_string(on_drift_words[on_drift]));
	daemon_parts(s, parts);
	for (size_t i = 0; i < DAEMON_PARTS; i++)
		r |= js_set(j, parts[i].name, json_string(daemon_part_words[parts[i].state]));
	return r | js_set(o, "parts", j);
}

/** js_daemon() - what is known of the daemon */
json_t *js_daemon(const struct daemon_view *v)
{
	json_t *o = json_object();
	int r = js_set(o, "state", json_string(daemon_state_words[v->state]));

	if (v->fault)
		r |= js_set(o, "fault", js_text(v->fault));
	if (v->status)
		r |= set_status(o, v->status);
	return js_done(o, r);
}

/* "35 ms", "12 s", "5 min", "3 h", "40 d": rounded down, as one says it. */
static const char *span(struct arena *a, uint64_t us)
{
	static const struct {
		uint64_t us, below;
		const char *unit;
	} units[] = {
		{ 1000, SECOND, "ms" },		  { SECOND, 120 * SECOND, "s" },
		{ 60 * SECOND, 2 * HOUR, "min" }, { HOUR, 48 * HOUR, "h" },
		{ 24 * HOUR, UINT64_MAX, "d" },
	};
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && us >= units[i].below)
		i++;
	return arena_printf(a, "%llu %s", (unsigned long long)(us / units[i].us), units[i].unit);
}

/* "12 s ago"; a clock that was set back since then makes it "just now". */
static const char *ago(struct arena *a, uint64_t then_us, uint64_t now_us)
{
	return now_us < then_us + SECOND ? "just now" :
					   arena_printf(a, "%s ago", span(a, now_us - then_us));
}

/* UTC, for a report may be about the tree of another host. */
static const char *date(struct arena *a, uint64_t us)
{
	time_t t = (time_t)(us / SECOND);
	char text[40] = "";
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		return "?";
	return arena_strdup(a, text);
}

/* When the next cycle is due; how it is with one that is late is said elsewhere. */
static const char *next(struct arena *a, const struct daemon_view *v, uint64_t last)
{
	uint64_t due = last + SECOND * v->status->verify_interval;

	if (v->status->verify_interval == 0)
		return "no periodic one";
	return due > v->now_us ? arena_printf(a, "next in %s", span(a, due - v->now_us)) :
				 arena_printf(a, "next was due %s", ago(a, due, v->now_us));
}

static const char *cycle_text(struct arena *a, const struct daemon_view *v)
{
	const struct daemon_status *s = v->status;

	if (s->cycle_us == 0)
		return "no cycle yet";
	return arena_printf(a, "last cycle %s, took %s; %s", ago(a, s->cycle_us, v->now_us),
			    span(a, s->cycle_took_us), next(a, v, s->cycle_us));
}

static void print_counts(const struct daemon_status *s, FILE *f)
{
	fprintf(f, "        %llu cycles; %llu foreign writes, %llu settings repaired",
		(unsigned long long)s->cycles, (unsigned long long)s->foreign_writes,
		(unsigned long long)s->settings_repaired);
	fprintf(f, "; %llu processes set", (unsigned long long)s->procs_set);
	fprintf(f, "; starts: %llu watched, %llu gated, %llu escaped\n",
		(unsigned long long)s->starts_watched, (unsigned long long)s->starts_gated,
		(unsigned long long)s->starts_escaped);
}

/* What is wrong with a daemon that runs, each on a line of its own. */
static void print_troubles(const struct daemon_view *v, bool colour, struct arena *a, FILE *f)
{
	const char *on = colour_on(COLOUR_YELLOW, colour);
	const char *off = colour_off(COLOUR_YELLOW, colour);
	const struct daemon_status *s = v->status;
	struct daemon_part_state parts[DAEMON_PARTS];

	if (s->reload_failed_us)
		fprintf(f, "        %sreload refused %s%s: %s; the policy of %s is in force\n", on,
			ago(a, s->reload_failed_us, v->now_us), off,
			s->reload_error ? comm_text(a, s->reload_error) : "no reason is known",
			date(a, s->policy_us));
	if (s->settings_backed_off)
		fprintf(f, "        %s%llu settings not repaired just now%s: somebody fights\n", on,
			(unsigned long long)s->settings_backed_off, off);
	daemon_parts(s, parts);
	for (size_t i = 0; i < DAEMON_PARTS; i++)
		if (parts[i].state == PART_LOST)
			fprintf(f, "        %slost%s: %s; tried again\n", on, off, parts[i].what);
		else if (parts[i].state == PART_FAILED)
			fprintf(f, "        %sunusable here%s: %s; the journal says why\n", on, off,
				parts[i].what);
}

static int print_running(const struct daemon_view *v, const char *state, enum colour c, bool colour,
			 FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	const struct daemon_status *s = v->status;
	const char *since = date(&a, s->started_us), *cycle = cycle_text(&a, v);

	if (!since || !cycle)
		return -ENOMEM;
	fprintf(f, "%s%s%s%s since %s, pid %d%s\n", colour_on(c, colour), state,
		colour_off(c, colour), v->state == DAEMON_LATE ? ";" : "", since, s->pid,
		s->on_drift_report ? ", only reports" : "");
	fprintf(f, "        %s\n", cycle);
	print_counts(s, f);
	print_troubles(v, colour, &a, f);
	return 0;
}

/**
 * print_daemon() - whether the daemon runs, since when, and what it has done
 * @v: what is known of it
 * @style: how
 * @f: where to
 *
 * Return: 0 or -ENOMEM.
 */
int print_daemon(const struct daemon_view *v, const struct report_style *style, FILE *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char *yellow = colour_on(COLOUR_YELLOW, style->colour);
	const char *off = colour_off(COLOUR_YELLOW, style->colour);

	fprintf(f, "%sdaemon%s  ", colour_on(COLOUR_DIM, style->colour),
		colour_off(COLOUR_DIM, style->colour));
	switch (v->state) {
	case DAEMON_RUNNING:
		return print_running(v, "running", COLOUR_GREEN, style->colour, f);
	case DAEMON_LATE:
		return print_running(v, "running, but its last cycle is late", COLOUR_YELLOW,
				     style->colour, f);
	case DAEMON_UNKNOWN:
		fprintf(f, "%snot known%s: %s\n", yellow, off, v->fault);
		return 0;
	case DAEMON_NOT_RUNNING:
		break;
	}
	fprintf(f, "not running");
	if (v->status && v->status->cycle_us)
		fprintf(f, "; its last cycle was %s", ago(&a, v->status->cycle_us, v->now_us));
	fprintf(f, "\n");
	return 0;
}
