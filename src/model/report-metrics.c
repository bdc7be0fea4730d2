/* SPDX-License-Identifier: MIT */
/*
 * The report for Prometheus, by way of a file that node_exporter's textfile collector reads.
 *
 * That collector parses the older text format (0.0.4) alone: it refuses a whole file for one type
 * that OpenMetrics has added (info, stateset), and for one sample with a time of its own; it takes
 * OpenMetrics' units and its last line for comments. In the one format a counter is declared by its
 * full name, in the other without `_total`, so no file is both. This one is the older. Read in
 * collector/textfile.go and github.com/prometheus/node_exporter/issues/1988.
 *
 * Two samples with the same name and labels make it refuse everything it has, so the units of
 * different users with the same name are added up.
 */
#include <inttypes.h>

#include "model/report-parts.h"

#include "config.h"

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The value of a label. What is no ASCII is spelled out: a byte that is no UTF-8 spoils a file. */
static void put_label(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=\"", name);
	for (const char *c = value; *c; c++) {
		if (*c == '\\' || *c == '"')
			fprintf(f, "\\%c", *c);
		else if (*c == '\n')
			fprintf(f, "\\n");
		else if (*c < ' ' || *c > '~')
			fprintf(f, "\\\\x%02x", (unsigned char)*c);
		else
			fputc(*c, f);
	}
	fputc('"', f);
}

static void sample(FILE *f, const char *name, const char *label, const char *value, uint64_t n)
{
	fprintf(f, "%s{", name);
	put_label(f, label, value);
	fprintf(f, "} %" PRIu64 "\n", n);
}

static void single(FILE *f, const char *name, const char *type, const char *help, uint64_t n)
{
	head(f, name, type, help);
	fprintf(f, "%s %" PRIu64 "\n", name, n);
}

/* Seconds, which is what Prometheus counts time in. */
static void seconds(FILE *f, const char *name, const char *help, uint64_t us)
{
	head(f, name, "gauge", help);
	fprintf(f, "%s %" PRIu64 ".%06" PRIu64 "\n", name, us / 1000000, us % 1000000);
}

static void put_outcomes(FILE *f, const char *name, const size_t *by_outcome)
{
	for (size_t i = 0; i < OUTCOMES; i++)
		sample(f, name, "outcome", outcome_words[i], by_outcome[i]);
}

/* What a service, whichever of its rules and users, comes to. */
struct service_sum {
	const char *unit;
	size_t by_outcome[OUTCOMES];
	int64_t rss_kb;
};

typedef ARRAY(struct service_sum) service_sums;

/* The sum for the units of a name; NULL when out of memory. */
static struct service_sum *sum_of(const char *unit, struct strmap *index, struct arena *a,
				  service_sums *sums)
{
	struct service_sum *s;
	uint32_t i;

	if (strmap_get(index, unit, &i))
		return &sums->items[i];
	i = (uint32_t)sums->n;
	s = array_add(a, sums);
	if (!s || strmap_put(index, a, unit, i) < 0)
		return NULL;
	s->unit = unit;
	s->rss_kb = -1;
	return s;
}

static int add_up(const struct plan *plan, struct arena *a, service_sums *ret)
{
	struct strmap index = { 0 };
	const struct plan_unit *u;

	array_foreach(u, &plan->units) {
		struct service_sum *s;

		if (u->n == 0)
			continue;
		s = sum_of(u->fact->name, &index, a, ret);
		if (!s)
			return -ENOMEM;
		for (uint32_t n = u->first; n < u->first + u->n; n++) {
			s->by_outcome[plan->procs.items[n].outcome]++;
			add_known(&s->rss_kb, plan->procs.items[n].fact->rss_kb);
		}
	}
	return 0;
}

static int put_services(FILE *f, const struct plan *plan)
{
	_cleanup_arena_ struct arena a = { 0 };
	const struct service_sum *s;
	service_sums sums = { 0 };
	bool sized = false;
	int r = add_up(plan, &a, &sums);

	if (r < 0)
		return r;
	if (sums.n > 0)
		head(f, "thpd_service_processes", "gauge",
		     "Processes that a service rule is for, by unit and outcome.");
	array_foreach(s, &sums) {
		for (size_t i = 0; i < OUTCOMES; i++) {
			if (s->by_outcome[i] == 0)
				continue;
			fprintf(f, "thpd_service_processes{");
			put_label(f, "unit", s->unit);
			fprintf(f, ",outcome=\"%s\"} %zu\n", outcome_words[i], s->by_outcome[i]);
		}
	}
	array_foreach(s, &sums) {
		if (s->rss_kb < 0)
			continue;
		if (!sized)
			head(f, "thpd_service_resident_bytes", "gauge",
			     "Resident memory of these processes, by unit.");
		sized = true;
		sample(f, "thpd_service_resident_bytes", "unit", s->unit,
		       (uint64_t)s->rss_kb * 1024);
	}
	return 0;
}

static int put_plan(FILE *f, const struct plan *plan)
{
	const struct role_choice *role = &plan->role;
	const struct plan_item *it;
	struct report_counts c;

	report_count(plan, &c);
	head(f, "thpd_policy_info", "gauge",
	     "The role of this host, empty for none, and how it was found; always 1.");
	fprintf(f, "thpd_policy_info{");
	put_label(f, "role", role->name ? role->name : "");
	fprintf(f, ",source=\"%s\"} 1\n", role_source_words[role->source]);
	single(f, "thpd_compliant", "gauge",
	       "Whether all settings and processes are as the policy wants them.", c.failed == 0);
	if (plan->items.n > 0)
		head(f, "thpd_setting_in_order", "gauge",
		     "Whether a setting is as the policy wants it, or the policy does not mind.");
	array_foreach(it, &plan->items)
		sample(f, "thpd_setting_in_order", "key", it->key, !plan_item_failed(it));
	head(f, "thpd_settings", "gauge", "Settings of the policy, by outcome.");
	put_outcomes(f, "thpd_settings", c.by_outcome);
	head(f, "thpd_processes", "gauge",
	     "Processes of all services that a rule is for, by outcome.");
	put_outcomes(f, "thpd_processes", c.procs_by_outcome);
	return put_services(f, plan);
}

static void put_counters(FILE *f, const struct daemon_status *s)
{
	single(f, "thpd_cycles_total", "counter",
	       "Full cycles: all that the policy names was read back.", s->cycles);
	single(f, "thpd_foreign_writes_total", "counter",
	       "Writes by others that changed a setting of the policy.", s->foreign_writes);
	single(f, "thpd_settings_repaired_total", "counter",
	       "Settings that were put right, at once or by a cycle.", s->settings_repaired);
	single(f, "thpd_processes_set_total", "counter",
	       "Running processes whose flag a cycle has set.", s->procs_set);
	head(f, "thpd_starts_total", "counter",
	     "Starts of services: set as they started (watched), before their first instruction "
	     "(gated), or found by a cycle only (escaped).");
	sample(f, "thpd_starts_total", "how", "watched", s->starts_watched);
	sample(f, "thpd_starts_total", "how", "gated", s->starts_gated);
	sample(f, "thpd_starts_total", "how", "escaped", s->starts_escaped);
	head(f, "thpd_reloads_total", "counter", "Reloads of the policy, by how they went.");
	sample(f, "thpd_reloads_total", "result", "loaded", s->reloads);
	sample(f, "thpd_reloads_total", "result", "refused", s->reloads_failed);
}

static void put_daemon(FILE *f, const struct daemon_status *s)
{
	struct daemon_part_state parts[DAEMON_PARTS];
	bool any = false;

	seconds(f, "thpd_start_time_seconds", "When the daemon was started, since the epoch.",
		s->started_us);
	seconds(f, "thpd_policy_timestamp_seconds",
		"When the policy in force was loaded, since the epoch.", s->policy_us);
	single(f, "thpd_last_reload_successful", "gauge",
	       "Whether the last load of the policy was not refused.", s->reload_failed_us == 0);
	seconds(f, "thpd_last_cycle_timestamp_seconds",
		"When the last full cycle ended, since the epoch; 0 for never.", s->cycle_us);
	seconds(f, "thpd_last_cycle_duration_seconds", "How long it took.", s->cycle_took_us);
	single(f, "thpd_verify_interval_seconds", "gauge",
	       "How long after a cycle the next one is due; 0 for no periodic one.",
	       s->verify_interval);
	single(f, "thpd_settings_backed_off", "gauge",
	       "Settings that are not repaired just now, for somebody writes them again and "
	       "again.",
	       s->settings_backed_off);
	put_counters(f, s);
	daemon_parts(s, parts);
	for (size_t i = 0; i < DAEMON_PARTS; i++) {
		if (parts[i].state == PART_UNUSED)
			continue;
		if (!any)
			head(f, "thpd_part_up", "gauge",
			     "Whether a part of the daemon that the policy needs works: the way to "
			     "systemd (bus), thpd-helper (helper), thpd-starts (starts).");
		any = true;
		sample(f, "thpd_part_up", "part", parts[i].name, parts[i].state == PART_OK);
	}
}

/**
 * report_metrics() - prints a report in the text format of Prometheus
 * @r: the report
 * @f: where to
 *
 * Return: 0; -ENOMEM; -EIO when it could not be written.
 */
int report_metrics(const struct report *r, FILE *f)
{
	int e = 0;

	head(f, "thpd_build_info", "gauge", "The version of thpd; always 1.");
	fprintf(f, "thpd_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
	if (r->plan)
		e = put_plan(f, r->plan);
	if (r->daemon && r->daemon->status)
		put_daemon(f, r->daemon->status);
	return e < 0 ? e : ferror(f) ? -EIO : 0;
}
