/* SPDX-License-Identifier: MIT */
/*
 * What the daemon says of itself, as JSON, text and metrics. With an argument the program prints a
 * report of the daemon's, `json` or `metrics`, for the suites to hold against schema and promtool.
 */
#include "helper.h"

#include "model/daemon-json.h"
#include "model/report.h"
#include "model/table.h"

#define MINUTE UINT64_C(60000000)
/* 2026-11-23 02:44:11 UTC */
#define T0 UINT64_C(1795401851000000)

static const struct daemon_status busy = {
	.pid = 812,
	.start = 4711,
	.started_us = T0,
	.cycle_us = T0 + 10 * MINUTE,
	.cycle_took_us = 35250,
	.policy_us = T0 + MINUTE,
	.reload_failed_us = T0 + 9 * MINUTE,
	.reload_error = "/etc/thpd/thpd.conf:3: unknown key 'enable'",
	.verify_interval = 60,
	.cycles = 11,
	.reloads = 2,
	.reloads_failed = 3,
	.foreign_writes = 40,
	.settings_repaired = 39,
	.settings_backed_off = 1,
	.procs_set = 7,
	.starts_watched = 1000,
	.starts_gated = 20,
	.starts_escaped = 2,
	.bus = PART_LOST,
	.helper = PART_OK,
	.starts = PART_FAILED,
};

static const struct daemon_status calm = {
	.pid = 1, .started_us = T0, .on_drift_report = true, .bus = PART_OK
};

static struct arena scratch;

static const struct unit_fact unit_facts[] = {
	{ .name = "a.service" },	  { .name = "b\\x2dc \"d\".service" },
	{ .name = "a.service" }, /* of another user */
	{ .name = "no\nline\xff.scope" }, { .name = "empty.service" },
};

static const struct proc_fact proc_facts[] = {
	{ .pid = 10, .rss_kb = 100 },		{ .pid = 11, .rss_kb = -1 },
	{ .pid = 12, .unit = 1, .rss_kb = -1 }, { .pid = 13, .unit = 2, .rss_kb = 50 },
	{ .pid = 14, .unit = 3, .rss_kb = 0 },
};

static struct plan_item items[] = {
	{ .key = "enabled", .wanted = "madvise", .found = "madvise", .outcome = OUTCOME_OK },
	{ .key = "defrag", .wanted = "x", .outcome = OUTCOME_REJECTED, .tolerated = true },
	{ .key = "shmem_enabled", .wanted = "never", .found = "force", .outcome = OUTCOME_DRIFTED },
};

static struct plan_proc procs[] = {
	{ .fact = &proc_facts[0], .outcome = OUTCOME_OK },
	{ .fact = &proc_facts[1], .outcome = OUTCOME_DENIED },
	{ .fact = &proc_facts[2], .unit = 1, .outcome = OUTCOME_OK },
	{ .fact = &proc_facts[3], .unit = 2, .outcome = OUTCOME_OK },
	{ .fact = &proc_facts[4], .unit = 3, .outcome = OUTCOME_GONE },
};

static struct plan_unit units[] = {
	{ .fact = &unit_facts[0], .first = 0, .n = 2 },
	{ .fact = &unit_facts[1], .first = 2, .n = 1 },
	{ .fact = &unit_facts[2], .first = 3, .n = 1 },
	{ .fact = &unit_facts[3], .first = 4, .n = 1 },
	{ .fact = &unit_facts[4], .first = 5, .n = 0 },
};

static struct plan plan = {
	.role = { .name = "cache", .source = ROLE_FILE, .where = "/etc/thpd/role" },
	.items = { items, ARRAY_SIZE(items), ARRAY_SIZE(items) },
	.procs = { procs, ARRAY_SIZE(procs), ARRAY_SIZE(procs) },
	.units = { units, ARRAY_SIZE(units), ARRAY_SIZE(units) },
};

static struct facts facts;
static struct policy policy;
static struct diags diags;

static struct report make_report(const struct daemon_view *v)
{
	facts.hostname = "db1";
	facts.release = "6.18.0";
	return (struct report){ .verb = "apply",
				.exit_status = 1,
				.root = "",
				.facts = &facts,
				.policy = &policy,
				.plan = &plan,
				.diags = &diags,
				.daemon = v };
}

/* What a report prints, in the scratch arena. */
static const char *printed(int (*printer)(const struct report *, FILE *), const struct report *r)
{
	char *text = NULL;
	const char *copy;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f || printer(r, f) < 0 || fclose(f) != 0)
		abort();
	copy = arena_strdup(&scratch, text);
	free(text);
	return copy;
}

static int print_text(const struct report *r, FILE *f)
{
	static const struct report_style style = { 0 };

	return report_text(r, &style, f);
}

static const char *json(const struct daemon_status *s)
{
	const struct daemon_view v = { .state = DAEMON_RUNNING, .status = s };
	const struct report r = make_report(&v);

	return printed(report_json, &r);
}

static const char *metrics(const struct daemon_status *s)
{
	const struct daemon_view v = { .state = DAEMON_RUNNING, .status = s };
	const struct report r = make_report(&v);

	return printed(report_metrics, &r);
}

/* The lines of `status` that are about the daemon. */
static const char *text(const struct daemon_view *v)
{
	const struct report r = make_report(v);
	const char *file = "a.conf", *all, *from, *to;

	policy.files.items = &file;
	policy.files.n = 1;
	all = printed(print_text, &r);
	policy.files.n = 0;
	from = strstr(all, "daemon  ");
	ck_assert_ptr_nonnull(from);
	to = strstr(from, "\n\n");
	ck_assert_ptr_nonnull(to);
	return arena_strndup(&scratch, from, (size_t)(to - from) + 1);
}

static void teardown(void)
{
	arena_free(&scratch);
}

START_TEST(what_was_printed_is_read_back)
{
	const struct daemon_status *all[] = { &busy, &calm };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const char *s = json(all[i]);
		struct daemon_status back;

		memset(&back, 0xff, sizeof(back));
		ck_assert_int_eq(daemon_parse(s, strlen(s), &scratch, &back), 0);
		/* Printed again it is the same, so nothing was lost. */
		ck_assert_str_eq(json(&back), s);
		ck_assert_int_eq(back.pid, all[i]->pid);
		ck_assert_uint_eq(back.cycle_us, all[i]->cycle_us);
		ck_assert_uint_eq(back.starts_escaped, all[i]->starts_escaped);
		ck_assert_int_eq(back.on_drift_report, all[i]->on_drift_report);
		ck_assert_int_eq(back.bus, all[i]->bus);
	}
}
END_TEST

static struct daemon_view renewed;
static const char *renewed_text;

static int print_again(const struct report *r, FILE *f)
{
	(void)r;
	return report_json_again(renewed_text, &renewed, f);
}

START_TEST(only_the_daemon_s_part_is_new)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	renewed = (struct daemon_view){ .state = DAEMON_RUNNING, .status = &busy };
	renewed_text = json(&calm);
	ck_assert_str_ne(renewed_text, json(&busy));
	ck_assert_str_eq(printed(print_again, NULL), json(&busy));
	ck_assert_int_eq(report_json_again("{\n}\n", &renewed, f), -EBADMSG);
	ck_assert_int_eq(report_json_again("{\n  \"daemon\": {\n", &renewed, f), -EBADMSG);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_uint_eq(len, 0);
	free(text);
}
END_TEST

/* The text with @from replaced, once, by @to. */
static const char *spoilt(const char *s, const char *from, const char *to)
{
	const char *at = strstr(s, from);

	ck_assert_msg(at, "%s is there", from);
	return arena_printf(&scratch, "%.*s%s%s", (int)(at - s), s, to, at + strlen(from));
}

START_TEST(damage_is_seen)
{
	static const char *const changes[][2] = {
		{ "\"daemon\": {", "\"demon\": {" },
		{ "thpd.report/1", "thpd.report/2" },
		{ "\"pid\": 812", "\"pid\": 0" },
		{ "\"pid\": 812", "\"pid\": -812" },
		{ "\"pid\": 812", "\"pid\": 4294967297" },
		{ "\"pid\": 812", "\"pid\": \"812\"" },
		{ "\"start\": 4711", "\"begin\": 4711" },
		{ "\"cycles\": 11", "\"cycles\": null" },
		{ "\"cycles\": 11", "\"cycles\": 1.5" },
		{ "\"cycles\": 11", "\"cycles\": 11, \"cycles\": 12" },
		{ "\"verify_interval\": 60", "\"verify_interval\": 4294967296" },
		{ "\"on_drift\": \"reapply\"", "\"on_drift\": \"sometimes\"" },
		{ "\"bus\": \"lost\"", "\"bus\": \"gone\"" },
		{ "\"parts\": {", "\"bits\": {" },
		{ "\"reload_error\": \"", "\"reload_error\": 1, \"x\": \"" },
	};
	const char *s = json(&busy);
	struct daemon_status back = { .pid = 5 };

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const char *bad = spoilt(s, changes[i][0], changes[i][1]);

		ck_assert_msg(daemon_parse(bad, strlen(bad), &scratch, &back) == -EBADMSG,
			      "%s is damage", changes[i][1]);
	}
	for (size_t n = 0; n < strlen(s) - 2; n += 7)
		ck_assert_int_eq(daemon_parse(s, n, &scratch, &back), -EBADMSG);
	ck_assert_int_eq(daemon_parse("[]", 2, &scratch, &back), -EBADMSG);
	ck_assert_int_eq(back.pid, 5);
}
END_TEST

START_TEST(a_cycle_may_be_late)
{
	const uint64_t last = busy.cycle_us;
	struct daemon_status s = busy;

	ck_assert_int_eq(daemon_state_of(&s, true, last), DAEMON_RUNNING);
	ck_assert_int_eq(daemon_state_of(&s, true, last + 3 * MINUTE), DAEMON_RUNNING);
	ck_assert_int_eq(daemon_state_of(&s, true, last + 3 * MINUTE + 1), DAEMON_LATE);
	ck_assert_int_eq(daemon_state_of(&s, false, last), DAEMON_NOT_RUNNING);
	ck_assert_int_eq(daemon_state_of(&s, false, last + 9 * MINUTE), DAEMON_NOT_RUNNING);
	/* The clock was set back. */
	ck_assert_int_eq(daemon_state_of(&s, true, 0), DAEMON_RUNNING);
	/* The first one may be late, too. */
	s.cycle_us = 0;
	ck_assert_int_eq(daemon_state_of(&s, true, T0 + 3 * MINUTE), DAEMON_RUNNING);
	ck_assert_int_eq(daemon_state_of(&s, true, T0 + 4 * MINUTE), DAEMON_LATE);
	s.verify_interval = 0;
	ck_assert_int_eq(daemon_state_of(&s, true, T0 + 999 * MINUTE), DAEMON_RUNNING);
}
END_TEST

START_TEST(status_tells_of_a_busy_daemon)
{
	struct daemon_view v = { .state = DAEMON_RUNNING,
				 .status = &busy,
				 .now_us = busy.cycle_us + 12 * (MINUTE / 60) };
	static const char rest[] =
		"        11 cycles; 40 foreign writes, 39 settings repaired; 7 processes set; "
		"starts: 1000 watched, 20 gated, 2 escaped\n"
		"        reload refused %s ago: /etc/thpd/thpd.conf:3: unknown key 'enable'; the "
		"policy of 2026-11-23 02:45:11 UTC is in force\n"
		"        1 settings not repaired just now: somebody fights\n"
		"        lost: the way to systemd; tried again\n"
		"        unusable here: thpd-starts; the journal says why\n";
	char wanted[2048];
	int n;

	n = snprintf(wanted, sizeof(wanted),
		     "daemon  running since 2026-11-23 02:44:11 UTC, pid 812\n"
		     "        last cycle 12 s ago, took 35 ms; next in 48 s\n");
	(void)snprintf(wanted + n, sizeof(wanted) - (size_t)n, rest, "72 s");
	ck_assert_str_eq(text(&v), wanted);

	v.state = DAEMON_LATE;
	v.now_us = busy.cycle_us + 3 * 60 * MINUTE;
	n = snprintf(
		wanted, sizeof(wanted),
		"daemon  running, but its last cycle is late; since 2026-11-23 02:44:11 UTC, pid "
		"812\n        last cycle 3 h ago, took 35 ms; next was due 2 h ago\n");
	(void)snprintf(wanted + n, sizeof(wanted) - (size_t)n, rest, "3 h");
	ck_assert_str_eq(text(&v), wanted);
}
END_TEST

START_TEST(status_tells_of_a_quiet_daemon)
{
	struct daemon_status odd = busy;
	struct daemon_view v = { .state = DAEMON_RUNNING, .status = &calm, .now_us = T0 };

	ck_assert_str_eq(text(&v),
			 "daemon  running since 2026-11-23 02:44:11 UTC, pid 1, only reports\n"
			 "        no cycle yet\n"
			 "        0 cycles; 0 foreign writes, 0 settings repaired; 0 processes "
			 "set; starts: 0 watched, 0 gated, 0 escaped\n");
	v = (struct daemon_view){ .state = DAEMON_NOT_RUNNING };
	ck_assert_str_eq(text(&v), "daemon  not running\n");
	v.status = &busy;
	v.now_us = busy.cycle_us + 50 * 60 * MINUTE;
	ck_assert_str_eq(text(&v), "daemon  not running; its last cycle was 2 d ago\n");
	v = (struct daemon_view){ .state = DAEMON_UNKNOWN, .fault = "report.json is damaged" };
	ck_assert_str_eq(text(&v), "daemon  not known: report.json is damaged\n");

	/* What a policy says need not be harmless on a terminal; a clock may be set back. */
	odd.reload_error = "x\033[31m\ny";
	odd.verify_interval = 0;
	v = (struct daemon_view){ .state = DAEMON_RUNNING, .status = &odd, .now_us = T0 };
	ck_assert(contains(text(&v), "last cycle just now, took 35 ms; no periodic one\n"));
	ck_assert(contains(text(&v), "reload refused just now: x?[31m?y; "));
}
END_TEST

START_TEST(metrics_have_what_the_plan_came_to)
{
	const char *s = metrics(&busy);
	static const char *const lines[] = {
		"\nthpd_policy_info{role=\"cache\",source=\"file\"} 1\n",
		"\nthpd_compliant 0\n",
		"\nthpd_setting_in_order{key=\"enabled\"} 1\n",
		"\nthpd_setting_in_order{key=\"defrag\"} 1\n",
		"\nthpd_setting_in_order{key=\"shmem_enabled\"} 0\n",
		"\nthpd_settings{outcome=\"drifted\"} 1\n",
		"\nthpd_settings{outcome=\"absent\"} 0\n",
		"\nthpd_processes{outcome=\"ok\"} 3\n",
		/* Two units of this name, for two users. */
		"\nthpd_service_processes{unit=\"a.service\",outcome=\"ok\"} 2\n",
		"\nthpd_service_processes{unit=\"a.service\",outcome=\"denied\"} 1\n",
		"\nthpd_service_processes{unit=\"b\\\\x2dc \\\"d\\\".service\",outcome=\"ok\"} 1\n",
		"\nthpd_service_processes{unit=\"no\\nline\\\\xff.scope\",outcome=\"gone\"} 1\n",
		"\nthpd_service_resident_bytes{unit=\"a.service\"} 153600\n",
		"\nthpd_service_resident_bytes{unit=\"no\\nline\\\\xff.scope\"} 0\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		ck_assert_msg(contains(s, lines[i]), "%s in %s", lines[i], s);
	ck_assert(!contains(s, "empty.service"));
	ck_assert(!contains(s, "resident_bytes{unit=\"b"));
}
END_TEST

START_TEST(metrics_have_what_the_daemon_counts)
{
	const char *s = metrics(&busy);
	static const char *const lines[] = {
		"\nthpd_start_time_seconds 1795401851.000000\n",
		"\nthpd_policy_timestamp_seconds 1795401911.000000\n",
		"\nthpd_last_reload_successful 0\n",
		"\nthpd_last_cycle_timestamp_seconds 1795402451.000000\n",
		"\nthpd_last_cycle_duration_seconds 0.035250\n",
		"\nthpd_verify_interval_seconds 60\n",
		"\nthpd_settings_backed_off 1\n",
		"\n# TYPE thpd_cycles_total counter\nthpd_cycles_total 11\n",
		"\nthpd_foreign_writes_total 40\n",
		"\nthpd_settings_repaired_total 39\n",
		"\nthpd_processes_set_total 7\n",
		"\nthpd_starts_total{how=\"watched\"} 1000\n",
		"\nthpd_starts_total{how=\"gated\"} 20\n",
		"\nthpd_starts_total{how=\"escaped\"} 2\n",
		"\nthpd_reloads_total{result=\"loaded\"} 2\n",
		"\nthpd_reloads_total{result=\"refused\"} 3\n",
		"\nthpd_part_up{part=\"bus\"} 0\n",
		"\nthpd_part_up{part=\"helper\"} 1\n",
		"\nthpd_part_up{part=\"starts\"} 0\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		ck_assert_msg(contains(s, lines[i]), "%s in %s", lines[i], s);
	s = metrics(&calm);
	ck_assert(contains(s, "thpd_part_up{part=\"bus\"} 1\n"));
	ck_assert(!contains(s, "thpd_part_up{part=\"helper\"}"));
	ck_assert(contains(s, "\nthpd_last_reload_successful 1\n"));
}
END_TEST

START_TEST(metrics_without_a_plan_have_the_rest)
{
	struct report r = { .verb = "apply", .exit_status = 2, .root = "", .diags = &diags };
	const char *s = printed(report_metrics, &r);

	ck_assert(startswith(s, "# HELP thpd_build_info "));
	ck_assert(!contains(s, "thpd_compliant"));
	ck_assert(!contains(s, "thpd_cycles"));
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s;
	TCase *c;

	if (argc > 1 && streq(argv[1], "metrics")) {
		fputs(metrics(&busy), stdout);
	} else if (argc > 1) {
		/* Services have samples of their own, in test-report-services. */
		plan.procs.n = plan.units.n = 0;
		fputs(json(&busy), stdout);
	}
	if (argc > 1) {
		arena_free(&scratch);
		return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	s = suite_create("daemon");
	c = new_case(s, "report");
	tcase_add_checked_fixture(c, NULL, teardown);
	tcase_add_test(c, what_was_printed_is_read_back);
	tcase_add_test(c, only_the_daemon_s_part_is_new);
	tcase_add_test(c, damage_is_seen);
	tcase_add_test(c, a_cycle_may_be_late);
	tcase_add_test(c, status_tells_of_a_busy_daemon);
	tcase_add_test(c, status_tells_of_a_quiet_daemon);

	c = new_case(s, "metrics");
	tcase_add_checked_fixture(c, NULL, teardown);
	tcase_add_test(c, metrics_have_what_the_plan_came_to);
	tcase_add_test(c, metrics_have_what_the_daemon_counts);
	tcase_add_test(c, metrics_without_a_plan_have_the_rest);
	return run_suite(s);
}
