/* SPDX-License-Identifier: MIT */
/*
 * What is said of services, as text and JSON. With the name of a verb for its argument the program
 * prints such a report as JSON, for suite-json.sh to hold against the schema.
 */
#include "helper.h"

#include <jansson.h>

#include "model/report.h"
#include "model/table.h"

/*
 * A host with three services: a process that has drifted, one that another process traces and one
 * that ended meanwhile among them; and rules that match nothing, or lose.
 */
struct world {
	struct policy policy;
	struct facts facts;
	struct plan plan;
	struct diags diags;
	struct host_status status;
	carried_flags carried;
	struct reclaim_report reclaim;
	struct report report;
	strlist patterns;
	struct arena arena;
};

static struct world w;

/* The world is made outside of tests, too, where check's assertions are not at hand. */
static void *need(void *p)
{
	if (!p)
		abort();
	return p;
}

static const struct daemon_view no_daemon = { .state = DAEMON_NOT_RUNNING };

static const struct unit_fact unit_facts[] = {
	{ .name = "cron.service", .parent = UNIT_NONE, .current_kb = 2048, .hidden_kb = 0 },
	{ .name = "postgresql.service",
	  .parent = UNIT_NONE,
	  .current_kb = 3 << 20,
	  .hidden_kb = 512 },
	{ .name = "redis-server.service",
	  .parent = UNIT_NONE,
	  .current_kb = 1 << 20,
	  .hidden_kb = 945152 },
};

static const struct proc_fact proc_facts[] = {
	{ .pid = 300,
	  .start = 3,
	  .unit = 0,
	  .comm = "cron\033[31m\xff",
	  .rss_kb = 2048,
	  .anon_huge_kb = 0,
	  .empty_kb = -1 },
	{ .pid = 200,
	  .start = 4,
	  .unit = 1,
	  .comm = "postgres",
	  .exe = "/usr/bin/postgres",
	  .user = "postgres",
	  .flag = 3,
	  .rss_kb = 2 << 20,
	  .anon_huge_kb = 1 << 20,
	  .empty_kb = -1 },
	{ .pid = 201,
	  .start = 5,
	  .unit = 1,
	  .comm = "postgres",
	  .tracer = 77,
	  .rss_kb = 1 << 20,
	  .anon_huge_kb = 600,
	  .empty_kb = -1 },
	{ .pid = 202,
	  .start = 6,
	  .unit = 1,
	  .comm = "postgres",
	  .error = -ESRCH,
	  .flag = -1,
	  .rss_kb = -1,
	  .anon_huge_kb = -1,
	  .empty_kb = -1 },
	{ .pid = 101,
	  .start = 7,
	  .unit = 2,
	  .comm = "redis-server",
	  .rss_kb = 30720,
	  .anon_huge_kb = 2048,
	  .empty_kb = -1 },
	{ .pid = 100,
	  .start = UINT64_C(1) << 40,
	  .unit = 2,
	  .comm = "redis-bgsave",
	  .flag = 1,
	  .rss_kb = 1024,
	  .anon_huge_kb = 0,
	  .empty_kb = -1 },
};

static struct rule *add_rule(const char *title, enum thp_mode mode, uint32_t line)
{
	struct rule *r = need(
		section_rule(&w.policy, &w.policy.host, title, (struct pos){ "a.conf", line }));

	r->thp = mode;
	return r;
}

static void add_plan_rule(size_t rule, size_t matched, size_t lost)
{
	struct plan_rule *pr = need(array_add(&w.plan.arena, &w.plan.rules));

	pr->rule = &w.policy.host.rules.items[rule];
	pr->mode = pr->rule->thp;
	pr->outcome = OUTCOME_UNKNOWN;
	pr->matched = matched;
	pr->lost = lost;
}

static struct plan_proc *add_plan_proc(size_t fact, uint32_t rule, enum outcome outcome)
{
	struct plan_proc *p = need(array_add(&w.plan.arena, &w.plan.procs));

	p->fact = &proc_facts[fact];
	p->unit = proc_facts[fact].unit;
	p->rule = rule;
	p->mode = rule < w.plan.rules.n ? w.plan.rules.items[rule].mode : THP_MODE_SYSTEM;
	p->outcome = outcome;
	p->found = proc_facts[fact].flag;
	p->now = -1;
	return p;
}

static void add_plan_unit(size_t fact, uint32_t first, uint32_t n)
{
	struct plan_unit *u = need(array_add(&w.plan.arena, &w.plan.units));

	*u = (struct plan_unit){ .fact = &unit_facts[fact], .first = first, .n = n };
}

static void add_rules(void)
{
	struct rule *r;
	const char **slot;

	r = add_rule("loser", THP_MODE_SYSTEM, 9);
	for (int i = 0; i < 3; i++) {
		slot = need(array_add(&w.policy.arena, &r->unit));
		*slot = i ? "other.service" : "redis-server.service";
	}
	r = add_rule("redis-server.service", THP_MODE_DISABLE, 10);
	r->reclaim = RECLAIM_ONCE;
	r = add_rule("postgres*.service", THP_MODE_MADVISE, 11);
	r->apply = APPLY_START;
	r->start = START_GATE;
	r = add_rule("cron.service", THP_MODE_INHERIT, 12);
	r = add_rule("nothing.service", THP_MODE_DISABLE, 13);
	r->apply = APPLY_VERIFY;
	slot = need(array_add(&w.policy.arena, &r->exe));
	*slot = "/opt/*";
	add_plan_rule(0, 0, 2);
	add_plan_rule(1, 2, 0);
	add_plan_rule(2, 3, 1);
	add_plan_rule(3, 1, 0);
	add_plan_rule(4, 0, 0);
	w.plan.rules.items[0].loses_to = w.plan.rules.items[1].rule;
}

static void setup_plan(void)
{
	struct plan_proc *p;

	add_rules();
	for (size_t i = 0; i < ARRAY_SIZE(unit_facts); i++)
		add_plan_unit(i, i == 0 ? 0 : i == 1 ? 1 : 4, i == 0 ? 1 : i == 1 ? 3 : 2);
	add_plan_proc(0, 3, OUTCOME_OK);
	p = add_plan_proc(1, 2, OUTCOME_OK);
	p->now = 3;
	p = add_plan_proc(2, 2, OUTCOME_DENIED);
	p->error = EPERM;
	p->note = "traced by 77 (gdb)";
	add_plan_proc(3, 2, OUTCOME_GONE);
	add_plan_proc(4, 1, OUTCOME_DRIFTED);
	add_plan_proc(5, 1, OUTCOME_OK);
}

/* No rule is about the processes of a `restore`. */
static void setup_restore(void)
{
	struct plan_proc *p;

	add_plan_unit(2, 0, 2);
	for (size_t i = 4; i < 6; i++) {
		p = add_plan_proc(i, UINT32_MAX, OUTCOME_CHANGED);
		p->unit = 0;
		p->found = 1;
		p->now = 0;
	}
}

static void setup_carried(void)
{
	static const struct carried_flag flags[] = {
		{ 55, "bash", "session-1.scope", 1, 12, "sshd" },
		{ 1056, "a\tb", NULL, -1, 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		*(struct carried_flag *)need(array_add(&w.arena, &w.carried)) = flags[i];
	w.report.carried = &w.carried;
	w.status = (struct host_status){ 1 << 20, 0, 8 << 20, 3, 4, -1 };
	w.report.status = &w.status;
	w.report.daemon = &no_daemon;
}

static void setup_reclaim(void)
{
	static const struct reclaim_proc procs[] = {
		{ .pid = 100,
		  .comm = "redis-server",
		  .unit = "redis-server.service",
		  .rss_before_kb = 1363148,
		  .rss_after_kb = 122880,
		  .huge_before_kb = 1300000,
		  .huge_after_kb = 0,
		  .hidden_before_kb = 4096,
		  .hidden_after_kb = 1024,
		  .empty_kb = 1240000,
		  .splits = 650,
		  .outcome = OUTCOME_CHANGED },
		{ .pid = 1010,
		  .comm = "java",
		  .rss_before_kb = 2048,
		  .rss_after_kb = -1,
		  .huge_before_kb = 2048,
		  .huge_after_kb = -1,
		  .hidden_before_kb = -1,
		  .hidden_after_kb = -1,
		  .empty_kb = -1,
		  .outcome = OUTCOME_DENIED,
		  .error = EPERM,
		  .note = "it would be undone at once" },
		{ .pid = 102,
		  .comm = "node",
		  .rss_before_kb = 4096,
		  .rss_after_kb = 4096,
		  .huge_before_kb = 2048,
		  .huge_after_kb = 2048,
		  .empty_kb = 0,
		  .splits = 10,
		  .refused = 3,
		  .full = 12,
		  .shared = 1,
		  .locked = 2,
		  .outcome = OUTCOME_OK },
	};

	for (size_t i = 0; i < ARRAY_SIZE(procs); i++)
		*(struct reclaim_proc *)need(array_add(&w.arena, &w.reclaim.procs)) = procs[i];
	*(struct reclaim_unit *)need(array_add(&w.arena, &w.reclaim.units)) = (struct reclaim_unit){
		"redis-server.service", 1363148, 117760, 900000, 512
	};
	w.reclaim.pages_mode = PAGES_ZERO_FREED;
	w.report.reclaim = &w.reclaim;
}

static void setup_verb(const char *verb, int exit_status)
{
	w = (struct world){ 0 };
	policy_init(&w.policy);
	w.facts = (struct facts){ .hostname = "h", .release = "6.18.1" };
	w.report = (struct report){ .verb = verb,
				    .exit_status = exit_status,
				    .root = "",
				    .facts = &w.facts,
				    .policy = &w.policy,
				    .plan = streq(verb, "reclaim") ? NULL : &w.plan,
				    .diags = &w.diags };
	if (streq(verb, "restore"))
		setup_restore();
	else if (!streq(verb, "reclaim"))
		setup_plan();
	if (streq(verb, "status"))
		setup_carried();
	if (streq(verb, "reclaim") || streq(verb, "apply"))
		setup_reclaim();
}

static void setup(void)
{
	setup_verb("plan", 1);
}

static void teardown(void)
{
	plan_free(&w.plan);
	policy_free(&w.policy);
	arena_free(&w.arena);
}

/* The same tests begin with other verbs. */
static void again(const char *verb, int exit_status)
{
	teardown();
	setup_verb(verb, exit_status);
}

static FILE *capture;
static char *captured;
static size_t captured_len;

static const char *capture_end(void)
{
	const char *s;

	if (fclose(capture) != 0)
		abort();
	s = need(arena_strdup(&w.arena, captured));
	free(captured);
	return s;
}

static const char *text(const struct report_style *style)
{
	capture = need(open_memstream(&captured, &captured_len));
	if (report_text(&w.report, style, capture) < 0)
		abort();
	return capture_end();
}

static const char *json(void)
{
	capture = need(open_memstream(&captured, &captured_len));
	if (report_json(&w.report, capture) < 0)
		abort();
	return capture_end();
}

static const struct report_style plain = { 0 }, verbose = { .verbose = true },
				 quiet = { .quiet = true };

START_TEST(plan_says_what_becomes_of_each_process)
{
	struct proc_fact fact = proc_facts[3];

	ck_assert_str_eq(
		text(&plain),
		"UNIT                             THP      PROCESSES               RUNNING        "
		"START  RECLAIM  ONLY        OUTCOME    WHY        NOTE\n"
		"cron.service                     inherit  1 ok                    left alone     "
		"no                          ok         a.conf:12\n"
		"postgresql.service               madvise  1 ok, 1 denied, 1 gone  at next start  "
		"gate                        denied     a.conf:11  "
		"1 more process goes by a later rule\n"
		"    201 postgres  clear -> except_advised  denied  traced by 77 (gdb)\n"
		"redis-server.service             disable  1 ok, 1 drifted         set now        "
		"watch  once                 drifted    a.conf:10\n"
		"    101 redis-server  clear -> disable  drifted\n"
		"redis-server.service and 2 more  system                           set now        "
		"watch                       no_target  a.conf:9   loses to a.conf:10\n"
		"nothing.service                  disable                          never touched  "
		"no              exe /opt/*  no_target  a.conf:13\n"
		"\n"
		"1 to change: 6 processes in 3 services (3 ok, 1 drifted, 1 denied, 1 gone), 1 "
		"service rule matches nothing\n");
	ck_assert(contains(text(&verbose), "\n    300 cron?[31m?  clear  ok\n"));
	ck_assert(contains(text(&verbose), "\n    200 postgres  except_advised  ok\n"));
	fact.thp_enabled = 1;
	w.plan.procs.items[3].fact = &fact;
	ck_assert(
		contains(text(&verbose), "\n    202 postgres  not disabled -> except_advised  g"));
	ck_assert(contains(text(&verbose), "redis-server.service other.service other.service"));
	ck_assert_str_eq(text(&quiet), "1 to change: 6 processes in 3 services (3 ok, 1 drifted, "
				       "1 denied, 1 gone), 1 service rule matches nothing\n");
}
END_TEST

START_TEST(verify_has_no_plans)
{
	w.report.verb = "verify";
	ck_assert_str_eq(
		text(&plain),
		"UNIT                             THP      PROCESSES               OUTCOME    "
		"WHY        NOTE\n"
		"cron.service                     inherit  1 ok                    ok         "
		"a.conf:12\n"
		"postgresql.service               madvise  1 ok, 1 denied, 1 gone  denied     "
		"a.conf:11\n"
		"    201 postgres  clear -> except_advised  denied  traced by 77 (gdb)\n"
		"redis-server.service             disable  1 ok, 1 drifted         drifted    "
		"a.conf:10\n"
		"    101 redis-server  clear -> disable  drifted\n"
		"redis-server.service and 2 more  system                           no_target  "
		"a.conf:9   loses to a.conf:10\n"
		"nothing.service                  disable                          no_target  "
		"a.conf:13\n"
		"\n"
		"not in compliance: 6 processes in 3 services (3 ok, 1 drifted, 1 denied, 1 "
		"gone), 1 service rule matches nothing\n");
}
END_TEST

START_TEST(status_has_what_matters_first)
{
	again("status", 0);
	ck_assert_str_eq(
		text(&plain),
		"UNIT                             THP      OK        RSS     HUGE     HIDDEN  "
		"OUTCOME    NOTE\n"
		"postgresql.service               madvise  1/2   3.0 GiB  1.0 GiB    512 KiB  "
		"denied     201 postgres: traced by 77 (gdb)\n"
		"redis-server.service             disable  1/2  31.0 MiB  2.0 MiB  923.0 MiB  "
		"drifted\n"
		"cron.service                     inherit  1/1   2.0 MiB        0          0  ok\n"
		"redis-server.service and 2 more  system                                      "
		"no_target  loses to a.conf:10\n"
		"nothing.service                  disable                                     "
		"no_target\n"
		"\n"
		"3 services, 2 not in order: RSS 3.0 GiB, 1.0 GiB in huge pages, 923.5 MiB hidden\n"
		"\n"
		"flags that the policy does not name:\n"
		" PID  COMM  UNIT             FLAG     FROM\n"
		"  55  bash  session-1.scope  disable  12 sshd\n"
		"1056  a?b                    unknown  itself\n"
		"\n"
		"not in compliance: 6 processes in 3 services (3 ok, 1 drifted, 1 denied, 1 "
		"gone), 1 service rule matches nothing\n");
}
END_TEST

/* What is shown of the services, without the rest of a status. */
START_TEST(status_shows_what_is_asked_for)
{
	const char **pattern;

	again("status", 0);
	w.report.only_failed = true;
	ck_assert(contains(text(&quiet), "6 processes in 3 services"));
	ck_assert(!contains(text(&plain), "cron.service"));
	ck_assert(!contains(text(&plain), "no_target"));
	ck_assert(contains(text(&plain), "\n3 services, 2 not in order, 2 shown: "));
	w.report.only_failed = false;
	pattern = need(array_add(&w.arena, &w.patterns));
	*pattern = "cron.*";
	pattern = need(array_add(&w.arena, &w.patterns));
	*pattern = "noth?ng.service";
	w.report.only_units = &w.patterns;
	ck_assert(contains(text(&plain), "\ncron.service "));
	ck_assert(contains(text(&plain), "\nnothing.service "));
	ck_assert(!contains(text(&plain), "\nredis-server.service"));
	ck_assert(!contains(text(&plain), "postgres"));
	w.patterns.n = 0;
	ck_assert(contains(text(&plain), "\npostgresql.service "));
}
END_TEST

static bool before(const char *s, const char *first, const char *second)
{
	const char *x = strstr(s, first), *y = strstr(s, second);

	return x && y && x < y;
}

START_TEST(status_orders_by_memory_what_is_in_order)
{
	struct unit_fact units[ARRAY_SIZE(unit_facts)];
	const char *s;

	again("status", 0);
	for (size_t i = 0; i < w.plan.procs.n; i++)
		w.plan.procs.items[i].outcome = OUTCOME_OK;
	s = text(&plain);
	/* 1 GiB is in huge pages here, and 923 MiB are hidden there. */
	ck_assert(before(s, "\npostgresql.service", "\nredis-server.service "));
	ck_assert(before(s, "\nredis-server.service ", "\ncron.service"));
	ck_assert(before(s, "\ncron.service", "\nnothing.service"));
	ck_assert(contains(s, "3/3"));
	ck_assert(contains(s, "\n3 services, 0 not in order: RSS 3.0 GiB, 1.0 GiB in huge pages, "
			      "923.5 MiB hidden\n"));
	/* A second rule for a unit makes a row more, and the unit counts once. */
	w.plan.procs.items[4].rule = 4;
	w.plan.procs.items[4].outcome = OUTCOME_DENIED;
	w.plan.procs.items[5].outcome = OUTCOME_DRIFTED;
	s = text(&plain);
	ck_assert(before(s, "  1.0 MiB        0  923.0 MiB  drifted\n", "923.5 MiB hidden\n"));
	ck_assert(before(s, " 30.0 MiB  2.0 MiB  923.0 MiB  denied\n", "  923.0 MiB  drifted\n"));
	ck_assert(contains(s, "\n3 services, 1 not in order: RSS 3.0 GiB, 1.0 GiB in huge pages, "
			      "923.5 MiB hidden\n"));
	for (size_t i = 0; i < ARRAY_SIZE(unit_facts); i++) {
		units[i] = unit_facts[i];
		units[i].hidden_kb = -1;
		w.plan.units.items[i].fact = &units[i];
	}
	ck_assert(contains(text(&plain), "1.0 GiB in huge pages\n"));
}
END_TEST

START_TEST(empty_parts_are_shown_where_known)
{
	struct proc_fact fact = proc_facts[4];

	again("status", 0);
	ck_assert(!contains(text(&plain), "EMPTY"));
	fact.empty_kb = 1536;
	w.plan.procs.items[4].fact = &fact;
	ck_assert(contains(text(&plain), "   HIDDEN    EMPTY  OUTCOME"));
	ck_assert(contains(text(&plain), "2.0 MiB  923.0 MiB  1.5 MiB  drifted"));
}
END_TEST

START_TEST(long_lists_are_cut)
{
	const char *s;

	for (int i = 0; i < 30; i++)
		add_plan_proc(4, 1, OUTCOME_DRIFTED);
	s = text(&plain);
	ck_assert(contains(s, "  1 ok, 31 drifted  "));
	ck_assert(contains(s, "\n    ... and 21 more; --verbose shows them\n"));
	ck_assert(!contains(text(&verbose), "more; --verbose"));
	again("status", 0);
	for (int i = 0; i < 30; i++)
		*(struct carried_flag *)need(array_add(&w.arena, &w.carried)) =
			(struct carried_flag){ .pid = 7, .comm = "x", .flag = 3 };
	ck_assert(contains(text(&plain), "\n... and 12 more; --verbose shows them\n"));
	ck_assert(!contains(text(&verbose), "more; --verbose"));
}
END_TEST

START_TEST(counts_hold_settings_and_processes_apart)
{
	struct report_counts c;
	struct plan_item *it = need(array_add(&w.plan.arena, &w.plan.items));

	it->outcome = OUTCOME_DRIFTED;
	report_count(&w.plan, &c);
	ck_assert_uint_eq(c.by_outcome[OUTCOME_DRIFTED], 1);
	ck_assert_uint_eq(c.by_outcome[OUTCOME_OK], 0);
	ck_assert_uint_eq(c.procs_by_outcome[OUTCOME_OK], 3);
	ck_assert_uint_eq(c.procs_by_outcome[OUTCOME_GONE], 1);
	ck_assert_uint_eq(c.procs, 6);
	ck_assert_uint_eq(c.services, 3);
	ck_assert_uint_eq(c.idle_rules, 1);
	ck_assert_uint_eq(c.to_change, 2);
	ck_assert_uint_eq(c.left, 0);
	ck_assert_uint_eq(c.failed, 3);
	ck_assert_uint_eq(c.unknown, 0);
	/* What a rule with apply = start leaves alone is not changed by an apply. */
	w.plan.procs.items[2].outcome = OUTCOME_DRIFTED;
	w.plan.procs.items[3].outcome = OUTCOME_UNKNOWN;
	report_count(&w.plan, &c);
	ck_assert_uint_eq(c.to_change, 2);
	ck_assert_uint_eq(c.left, 1);
	ck_assert_uint_eq(c.failed, 4);
	ck_assert_uint_eq(c.unknown, 1);
}
END_TEST

START_TEST(a_process_fails_by_its_outcome)
{
	for (int o = 0; o < OUTCOMES; o++) {
		bool good = o == OUTCOME_OK || o == OUTCOME_CHANGED || o == OUTCOME_GONE ||
			    o == OUTCOME_NO_TARGET;

		ck_assert_msg(proc_outcome_failed((enum outcome)o) == !good, "%s",
			      outcome_words[o]);
	}
}
END_TEST

START_TEST(results_count_services)
{
	struct plan_item *it = need(array_add(&w.plan.arena, &w.plan.items));

	it->key = "enabled";
	it->wanted = it->found = "never";
	for (size_t i = 0; i < w.plan.procs.n; i++)
		w.plan.procs.items[i].outcome = OUTCOME_OK;
	w.plan.rules.items[4].matched = 1;
	ck_assert_str_eq(text(&quiet),
			 "nothing to change: 1 setting ok, 6 processes in 3 services ok\n");
	w.report.verb = "verify";
	ck_assert_str_eq(text(&quiet),
			 "in compliance: 1 setting ok, 6 processes in 3 services ok\n");
	w.plan.procs.items[1].outcome = OUTCOME_DRIFTED;
	ck_assert_str_eq(text(&quiet),
			 "not in compliance: 1 setting ok, 6 processes in 3 services (5 ok, 1 "
			 "drifted)\n");
	w.report.verb = "plan";
	ck_assert_str_eq(text(&quiet), "nothing to change: 1 setting ok, 6 processes in 3 services "
				       "(5 ok, 1 drifted)\n");
	w.report.verb = "apply";
	w.report.exit_status = 0;
	ck_assert_str_eq(text(&quiet),
			 "applied: 1 setting ok, 6 processes in 3 services (5 ok, 1 drifted); all "
			 "values read back; 1 left alone by apply = start or verify\n");
}
END_TEST

START_TEST(restore_has_units_without_rules)
{
	const char *s;

	again("restore", 0);
	ck_assert_str_eq(text(&plain),
			 "UNIT                  THP     PROCESSES  OUTCOME\n"
			 "redis-server.service  system  2 changed  changed\n"
			 "\n"
			 "restored: 2 processes in 1 service changed; all values read back\n");
	s = text(&verbose);
	ck_assert(contains(s, "\n    101 redis-server  disable -> clear  changed\n"));
}
END_TEST

START_TEST(a_rule_without_processes_is_never_ok)
{
	struct plan_rule *nothing = &w.plan.rules.items[4];

	nothing->mode = THP_MODE_MADVISE;
	nothing->outcome = OUTCOME_UNSUPPORTED;
	nothing->note = "needs Linux 6.18";
	ck_assert(contains(text(&plain), "unsupported  a.conf:13  needs Linux 6.18\n"));
	/* It falls back: what matters is that it matches nothing. */
	nothing->mode = THP_MODE_INHERIT;
	ck_assert(contains(text(&plain), "no_target  a.conf:13  needs Linux 6.18\n"));
	w.facts.units_error = -EACCES;
	ck_assert(contains(text(&plain), "unknown  a.conf:13"));
	w.facts.units_error = -ENOENT;
	ck_assert(contains(text(&plain), "no_target  a.conf:13"));
}
END_TEST

START_TEST(reclaim_says_what_came_back)
{
	again("reclaim", 1);
	ck_assert_str_eq(
		text(&plain),
		" PID  COMM          UNIT                  RSS                   "
		"HUGE          HIDDEN                EMPTY  WHOLE                  "
		"                 OUTCOME  NOTE\n"
		" 100  redis-server  redis-server.service  1.3 GiB -> 120.0 MiB  "
		"1.2 GiB -> 0  4.0 MiB -> 1.0 MiB  1.2 GiB                         "
		"                 changed\n"
		"1010  java                                2.0 MiB               "
		"2.0 MiB                                                           "
		"                 denied   it would be undone at once\n"
		" 102  node                                4.0 MiB               "
		"2.0 MiB       0                         0  "
		"3 refused, 12 full, 1 shared, 2 locked  ok\n"
		"\n"
		"UNIT                  CHARGED               HIDDEN\n"
		"redis-server.service  1.3 GiB -> 115.0 MiB  878.9 MiB -> 512 KiB\n"
		"\n"
		"gave back 1.2 GiB: RSS 1.3 GiB -> 124.0 MiB, charged 1.3 GiB -> 115.0 MiB; 1 of "
		"3 processes not looked after\n");
	w.reclaim.interrupted = true;
	ck_assert(startswith(text(&quiet), "interrupted: gave back 1.2 GiB: "));
	/* The units' figures are not known. */
	w.reclaim.interrupted = false;
	w.reclaim.units.n = 0;
	w.reclaim.procs.items[0].rss_after_kb = 1363148 - 10240;
	ck_assert_str_eq(text(&quiet), "gave back 13.0 MiB: RSS 1.3 GiB -> 1.3 GiB; 1 of 3 "
				       "processes not looked after\n");
	w.reclaim.procs.items[0].rss_after_kb = 1363148 + 3072;
	ck_assert(startswith(text(&quiet), "gave back nothing: RSS "));
	w.report.exit_status = 2;
	ck_assert_str_eq(text(&quiet), "trouble: nothing was changed\n");
	w.report.exit_status = 0;
	w.reclaim.procs.n = 0;
	ck_assert_str_eq(text(&plain), "nothing to give back: no process\n");
}
END_TEST

START_TEST(reclaim_may_only_measure)
{
	again("reclaim", 0);
	w.reclaim.dry_run = true;
	w.reclaim.pages_mode = PAGES_ZERO_KEPT;
	ck_assert(!contains(text(&plain), "->"));
	ck_assert(contains(text(&plain), "\nThis kernel splits huge pages, but keeps the "));
	ck_assert_str_eq(text(&quiet), "measured: 1.2 GiB in huge pages, about 1.2 GiB of that "
				       "empty; 878.9 MiB hidden; nothing was changed\n");
}
END_TEST

START_TEST(apply_says_what_came_back)
{
	again("apply", 1);
	ck_assert(contains(text(&plain), "\n\n PID  COMM  "));
	ck_assert(endswith(text(&quiet), "; all values read back; gave back 1.2 GiB\n"));
}
END_TEST

/* The member of a report at a path such as "services/1/units/0/unit". */
static json_t *at(json_t *j, const char *path)
{
	char *copy = need(arena_strdup(&w.arena, path));

	for (char *s = strtok(copy, "/"); s && j; s = strtok(NULL, "/"))
		j = json_is_array(j) ? json_array_get(j, (size_t)atoi(s)) : json_object_get(j, s);
	ck_assert_msg(j != NULL, "no %s", path);
	return j;
}

static json_t *parsed(void)
{
	json_t *j = json_loads(json(), JSON_REJECT_DUPLICATES, NULL);

	ck_assert_ptr_nonnull(j);
	return j;
}

START_TEST(json_has_each_process)
{
	static const struct {
		const char *path, *word; /* NULL: null */
	} words[] = {
		{ "services/0/outcome", "no_target" },
		{ "services/1/outcome", "drifted" },
		{ "services/2/outcome", "denied" },
		{ "services/3/outcome", "ok" },
		{ "services/1/units/0/unit", "redis-server.service" },
		{ "services/1/units/0/processes/0/wanted", "disable" },
		{ "services/1/units/0/processes/0/found", "disable" },
		{ "services/1/units/0/processes/0/now", NULL },
		{ "services/1/units/0/processes/1/found", "clear" },
		{ "services/1/units/0/processes/1/outcome", "drifted" },
		{ "services/1/units/0/processes/1/exe", NULL },
		{ "services/2/units/0/processes/0/exe", "/usr/bin/postgres" },
		{ "services/2/units/0/processes/0/user", "postgres" },
		{ "services/2/units/0/processes/0/now", "except_advised" },
		{ "services/2/units/0/processes/1/note", "traced by 77 (gdb)" },
		{ "services/2/units/0/processes/2/found", NULL },
		{ "services/3/units/0/processes/0/wanted", NULL },
		{ "services/3/units/0/processes/0/comm", "cron\033[31m?" },
	};
	static const struct {
		const char *path;
		json_int_t n; /* -1: null */
	} figures[] = {
		{ "services/0/lost", 2 },
		{ "services/1/matched", 2 },
		{ "services/1/units/0/current_kb", 1048576 },
		{ "services/1/units/0/hidden_kb", 945152 },
		{ "services/1/units/0/processes/0/pid", 100 },
		{ "services/1/units/0/processes/0/start", INT64_C(1) << 40 },
		{ "services/1/units/0/processes/1/rss_kb", 30720 },
		{ "services/1/units/0/processes/1/anon_huge_kb", 2048 },
		{ "services/1/units/0/processes/1/empty_kb", -1 },
		{ "services/2/units/0/processes/1/errno", EPERM },
		{ "services/2/units/0/processes/2/rss_kb", -1 },
		{ "counts/processes/ok", 3 },
		{ "counts/processes/gone", 1 },
	};
	json_t *j = parsed();

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *s = json_string_value(at(j, words[i].path));

		if (words[i].word)
			ck_assert_str_eq(s, words[i].word);
		else
			ck_assert_msg(json_is_null(at(j, words[i].path)), "%s", words[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		ck_assert_msg(figures[i].n < 0 ?
				      json_is_null(at(j, figures[i].path)) :
				      json_integer_value(at(j, figures[i].path)) == figures[i].n,
			      "%s", figures[i].path);
	ck_assert_uint_eq(json_array_size(at(j, "services")), 5);
	ck_assert_uint_eq(json_array_size(at(j, "services/4/units")), 0);
	ck_assert_uint_eq(json_object_size(at(j, "counts/settings")), 0);
	ck_assert_ptr_null(json_object_get(j, "units"));
	json_decref(j);
}
END_TEST

START_TEST(json_has_the_rest)
{
	json_t *j;

	again("status", 0);
	w.report.only_failed = true;
	j = parsed();
	ck_assert_uint_eq(json_array_size(at(j, "services/3/units")), 0);
	ck_assert_uint_eq(json_array_size(at(j, "services/2/units")), 1);
	ck_assert_int_eq(json_integer_value(at(j, "counts/processes/ok")), 3);
	ck_assert_str_eq(json_string_value(at(j, "carried/0/flag")), "disable");
	ck_assert_str_eq(json_string_value(at(j, "carried/0/from/comm")), "sshd");
	ck_assert(json_is_null(at(j, "carried/1/from")));
	ck_assert(json_is_null(at(j, "carried/1/flag")));
	json_decref(j);

	again("restore", 0);
	j = parsed();
	ck_assert_str_eq(json_string_value(at(j, "units/0/processes/1/now")), "clear");
	ck_assert_uint_eq(json_array_size(at(j, "services")), 0);
	json_decref(j);

	again("reclaim", 1);
	j = parsed();
	ck_assert_int_eq(json_integer_value(at(j, "reclaim/total/given_back_kb")), 1245388);
	ck_assert_int_eq(json_integer_value(at(j, "reclaim/total/rss_before_kb")), 1367244);
	ck_assert_int_eq(json_integer_value(at(j, "reclaim/total/rss_after_kb")), 126976);
	ck_assert_int_eq(json_integer_value(at(j, "reclaim/total/empty_kb")), 1240000);
	ck_assert_int_eq(json_integer_value(at(j, "reclaim/total/hidden_before_kb")), 900000);
	ck_assert_int_eq(json_integer_value(at(j, "reclaim/total/full")), 12);
	ck_assert_int_eq(json_integer_value(at(j, "reclaim/processes/0/hidden_after_kb")), 1024);
	ck_assert_int_eq(json_integer_value(at(j, "reclaim/processes/2/refused")), 3);
	ck_assert(json_is_null(at(j, "reclaim/processes/1/unit")));
	ck_assert_str_eq(json_string_value(at(j, "reclaim/pages_mode")), "zero_freed");
	ck_assert_ptr_null(json_object_get(j, "settings"));
	json_decref(j);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s;
	TCase *c;

	if (argc > 1) {
		setup_verb(argv[1], streq(argv[1], "status") || streq(argv[1], "restore") ? 0 : 1);
		fputs(json(), stdout);
		teardown();
		return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	s = suite_create("report-services");
	c = new_case(s, "text");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, plan_says_what_becomes_of_each_process);
	tcase_add_test(c, verify_has_no_plans);
	tcase_add_test(c, status_has_what_matters_first);
	tcase_add_test(c, status_shows_what_is_asked_for);
	tcase_add_test(c, status_orders_by_memory_what_is_in_order);
	tcase_add_test(c, empty_parts_are_shown_where_known);
	tcase_add_test(c, long_lists_are_cut);
	tcase_add_test(c, restore_has_units_without_rules);
	tcase_add_test(c, a_rule_without_processes_is_never_ok);

	c = new_case(s, "counts");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, counts_hold_settings_and_processes_apart);
	tcase_add_test(c, a_process_fails_by_its_outcome);
	tcase_add_test(c, results_count_services);

	c = new_case(s, "reclaim");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, reclaim_says_what_came_back);
	tcase_add_test(c, reclaim_may_only_measure);
	tcase_add_test(c, apply_says_what_came_back);

	c = new_case(s, "json");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, json_has_each_process);
	tcase_add_test(c, json_has_the_rest);
	return run_suite(s);
}
