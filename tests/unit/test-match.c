/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include <time.h>

#include "plan/match.h"
#include "plan/resolve.h"

static struct policy policy;
static struct facts facts;
static struct plan plan;
static struct arena scratch;

static void setup(void)
{
	policy_init(&policy);
	facts.release = "6.18.0";
	facts.hostname = "h";
}

static void teardown(void)
{
	plan_free(&plan);
	facts_free(&facts);
	policy_free(&policy);
	arena_free(&scratch);
}

/* One string to each of what is separated by blanks. */
static void add_words(strlist *l, const char *words)
{
	char *save = NULL, *copy = arena_strdup(&policy.arena, words ? words : "");

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		const char **slot = array_add(&policy.arena, l);

		ck_assert_ptr_nonnull(slot);
		*slot = w;
	}
}

struct rule_row {
	const char *title, *unit, *exe, *user, *comm;
	enum thp_mode thp;
};

static void add_rule(const char *role, const struct rule_row *row)
{
	struct pos pos = { "rules.conf", 1 };
	struct section *s = role ? policy_section(&policy, role, pos) : &policy.host;
	struct rule *r = section_rule(&policy, s, row->title, pos);

	ck_assert_ptr_nonnull(r);
	r->thp = row->thp ? row->thp : THP_MODE_DISABLE;
	add_words(&r->unit, row->unit);
	add_words(&r->exe, row->exe);
	add_words(&r->user, row->user);
	add_words(&r->comm, row->comm);
}

static void add_unit(const char *name, uint32_t parent)
{
	struct unit_fact *u = array_add(&facts.arena, &facts.units);

	ck_assert_ptr_nonnull(u);
	*u = (struct unit_fact){ .name = name, .parent = parent };
}

static struct proc_fact *add_proc(uint32_t unit, int32_t pid)
{
	struct proc_fact *p = array_add(&facts.arena, &facts.procs);

	ck_assert_ptr_nonnull(p);
	*p = (struct proc_fact){ .pid = pid, .unit = unit, .comm = "comm", .flag = -1 };
	return p;
}

static struct match_needs match(const char *role)
{
	struct role_choice choice = { .name = role, .source = role ? ROLE_OPTION : ROLE_NONE };
	struct match_needs needs = { true, true };

	ck_assert_int_eq(resolve_wanted(&policy, &choice, &plan), 0);
	ck_assert_int_eq(resolve_found(&policy, &facts, &plan), 0);
	ck_assert_int_eq(match_units(&plan, &facts, &needs), 0);
	ck_assert_int_eq(match_procs(&facts, &plan), 0);
	return needs;
}

static const struct plan_rule *rule(const char *title)
{
	const struct plan_rule *pr;

	array_foreach(pr, &plan.rules)
		if (streq(pr->rule->title, title))
			return pr;
	ck_abort_msg("%s is not in the plan", title);
	return NULL;
}

/* The title of the rule that a process got, or "". */
static const char *winner(int32_t pid)
{
	const struct plan_proc *pp;

	array_foreach(pp, &plan.procs)
		if (pp->fact->pid == pid)
			return plan.rules.items[pp->rule].rule->title;
	return "";
}

/*
 * A host with
 *	0 system.slice
 *	1  redis-server.service		pids 10 11
 *	2  system-postgresql.slice
 *	3   postgresql@15-main.service	pids 30 31
 *	4   postgresql@16-main.service	pid  40
 *	5  docker-4f5e.scope		pids 50 51 52
 *	6 user.slice
 *	7  user-1000.slice
 *	8   session-2.scope		pid  80
 */
static void add_host(void)
{
	static const struct {
		const char *name;
		uint32_t parent;
	} units[] = {
		{ "system.slice", UNIT_NONE },
		{ "redis-server.service", 0 },
		{ "system-postgresql.slice", 0 },
		{ "postgresql@15-main.service", 2 },
		{ "postgresql@16-main.service", 2 },
		{ "docker-4f5e.scope", 0 },
		{ "user.slice", UNIT_NONE },
		{ "user-1000.slice", 6 },
		{ "session-2.scope", 7 },
	};
	static const struct proc_fact procs[] = {
		{ .unit = 1,
		  .pid = 10,
		  .comm = "redis-server",
		  .exe = "/usr/bin/redis-server",
		  .user = "redis",
		  .flag = 0 },
		{ .unit = 1,
		  .pid = 11,
		  .comm = "redis-rdb-bgsav",
		  .exe = "/usr/bin/redis-server",
		  .user = "redis",
		  .flag = 1 },
		{ .unit = 3,
		  .pid = 30,
		  .comm = "postgres",
		  .exe = "/usr/lib/postgresql/15/bin/postgres",
		  .user = "postgres",
		  .flag = -1 },
		{ .unit = 3, .pid = 31, .comm = "postgres", .user = "postgres", .flag = 3 },
		{ .unit = 4,
		  .pid = 40,
		  .comm = "postgres",
		  .exe = "/usr/lib/postgresql/16/bin/postgres",
		  .user = "postgres" },
		{ .unit = 5, .pid = 50, .comm = "tini", .exe = "/sbin/tini", .user = "0" },
		{ .unit = 5,
		  .pid = 51,
		  .comm = "redis-server",
		  .exe = "/usr/local/bin/redis-server",
		  .user = "999" },
		{ .unit = 5, .pid = 52, .error = -EACCES },
		{ .unit = 8, .pid = 80, .comm = "bash", .exe = "/usr/bin/bash", .user = "anna" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		add_unit(units[i].name, units[i].parent);
	for (size_t i = 0; i < ARRAY_SIZE(procs); i++)
		*add_proc(0, 0) = procs[i];
}

/* Which of the units are wanted and which processes matched, of one rule alone. */
START_TEST(one_rule)
{
	static const struct {
		struct rule_row rule;
		const char *wanted, *pids;
	} cases[] = {
		/* The title is the pattern. */
		{ { .title = "redis-server.service" }, "1", "10 11" },
		{ { .title = "redis-server" }, "", "" },
		{ { .title = "edis-server.service" }, "", "" },
		{ { .title = "redis-server.service.d" }, "", "" },
		{ { .title = "redis-*" }, "1", "10 11" },
		{ { .title = "*.scope" }, "58", "50 51 52 80" },
		{ { .title = "postgresql@1[0-5]-main.service" }, "3", "30 31" },
		{ { .title = "postgresql@?\?-main.service" }, "34", "30 31 40" },
		{ { .title = "postgresql\\@15-main.service" }, "3", "30 31" },
		{ { .title = "*" }, "012345678", "10 11 30 31 40 50 51 52 80" },
		{ { .title = "no*" }, "", "" },
		{ { .title = "*-which-is-longer-than-any-name.service" }, "", "" },
		{ { .title = "redis-server.service-and-more-*" }, "", "" },
		/* A slice is what is in it. */
		{ { .title = "system-postgresql.slice" }, "234", "30 31 40" },
		{ { .title = "system.slice" }, "012345", "10 11 30 31 40 50 51 52" },
		{ { .title = "user*.slice" }, "678", "80" },
		{ { .title = "user-1000.slice" }, "78", "80" },
		/* With `unit`, the title is but a name. */
		{ { .title = "*", .unit = "redis-server.service" }, "1", "10 11" },
		{ { .title = "a", .unit = "nginx.service redis-server.service session-*" },
		  "18",
		  "10 11 80" },
		{ { .title = "a",
		    .unit = "system-postgresql.slice postgresql@15-main.service *15*" },
		  "234",
		  "30 31 40" },
		/* Narrowed, each by one of its patterns. */
		{ { .title = "*", .exe = "*/redis-server" }, "012345678", "10 11 51" },
		{ { .title = "*", .exe = "/usr/bin/redis-server /usr/bin/bash" },
		  "012345678",
		  "10 11 80" },
		{ { .title = "*", .exe = "/usr/lib/*" }, "012345678", "30 40" },
		{ { .title = "*", .exe = "redis-server" }, "012345678", "" },
		{ { .title = "*", .exe = "*" }, "012345678", "10 11 30 40 50 51 80" },
		{ { .title = "*", .user = "postgres anna" }, "012345678", "30 31 40 80" },
		{ { .title = "*", .user = "[0-9]*" }, "012345678", "50 51" },
		{ { .title = "*", .comm = "redis-rdb-*" }, "012345678", "11" },
		{ { .title = "*", .comm = "*" }, "012345678", "10 11 30 31 40 50 51 80" },
		{ { .title = "*", .comm = "redis-server", .user = "redis" }, "012345678", "10" },
		{ { .title = "*", .comm = "redis-server", .user = "anna" }, "012345678", "" },
		{ { .title = "*.scope",
		    .exe = "*/redis-server",
		    .comm = "tini redis-server",
		    .user = "999 998" },
		  "58",
		  "51" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *pids = "", *wanted = "";
		const struct plan_proc *pp;
		const struct unit_fact *u;
		struct match_needs needs;

		teardown();
		setup();
		add_host();
		add_rule(NULL, &cases[i].rule);
		needs = match(NULL);
		ck_assert_int_eq(needs.exe, cases[i].rule.exe != NULL);
		ck_assert_int_eq(needs.user, cases[i].rule.user != NULL);
		array_foreach(u, &facts.units)
			if (u->wanted)
				wanted = arena_printf(&scratch, "%s%zu", wanted, u_i);
		ck_assert_msg(streq(wanted, cases[i].wanted), "%s: %s", cases[i].rule.title,
			      wanted);
		array_foreach(pp, &plan.procs)
			pids = arena_printf(&scratch, "%s%s%d", pids, *pids ? " " : "",
					    (int)pp->fact->pid);
		ck_assert_msg(streq(pids, cases[i].pids), "%s: %s", cases[i].rule.title, pids);
		ck_assert_uint_eq(plan.rules.items[0].matched, plan.procs.n);
		ck_assert_uint_eq(plan.rules.items[0].lost, 0);
	}
}
END_TEST

START_TEST(no_rule_no_process)
{
	struct match_needs needs;

	add_host();
	facts.units.items[3].wanted = true; /* of a cycle before */
	needs = match(NULL);
	ck_assert(!needs.exe && !needs.user);
	ck_assert_uint_eq(plan.procs.n, 0);
	ck_assert_uint_eq(plan.units.n, 0);
	ck_assert(!facts.units.items[3].wanted);
}
END_TEST

START_TEST(the_last_rule_wins)
{
	static const struct rule_row rows[] = {
		{ .title = "*" },
		{ .title = "redis-server.service", .thp = THP_MODE_SYSTEM },
		{ .title = "all of system", .unit = "system.slice", .thp = THP_MODE_MADVISE },
		{ .title = "pg", .unit = "postgresql@*", .exe = "*/16/*" },
		{ .title = "containers", .unit = "docker-*.scope", .comm = "redis-server" },
		{ .title = "nobody", .unit = "*", .user = "nobody" },
	};
	static const struct {
		int32_t pid;
		const char *rule;
	} wins[] = {
		{ 10, "all of system" },
		{ 11, "all of system" },
		{ 30, "all of system" },
		{ 31, "all of system" },
		{ 40, "pg" },
		{ 50, "all of system" },
		{ 51, "containers" },
		{ 52, "all of system" },
		{ 80, "*" },
	};
	static const struct {
		const char *rule;
		size_t matched, lost;
	} counts[] = {
		{ "*", 1, 8 },	{ "redis-server.service", 0, 2 }, { "all of system", 6, 2 },
		{ "pg", 1, 0 }, { "containers", 1, 0 },		  { "nobody", 0, 0 },
	};

	add_host();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		add_rule(NULL, &rows[i]);
	(void)match(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(wins); i++)
		ck_assert_str_eq(winner(wins[i].pid), wins[i].rule);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		ck_assert_uint_eq(rule(counts[i].rule)->matched, counts[i].matched);
		ck_assert_uint_eq(rule(counts[i].rule)->lost, counts[i].lost);
	}
}
END_TEST

/* A rule that matches twice, by the unit and by its slice, is one rule. */
START_TEST(a_rule_counts_once)
{
	add_host();
	add_rule(NULL, &(struct rule_row){ .title = "a",
					   .unit = "postgresql@15-main.service *.slice p* "
						   "system-postgresql.slice system.slice" });
	(void)match(NULL);
	ck_assert_uint_eq(rule("a")->matched, plan.procs.n);
	ck_assert_uint_eq(rule("a")->lost, 0);
}
END_TEST

START_TEST(a_role_comes_after_the_host)
{
	add_host();
	add_rule("db", &(struct rule_row){ .title = "postgresql@*", .thp = THP_MODE_SYSTEM });
	add_rule("db",
		 &(struct rule_row){ .title = "redis-server.service", .thp = THP_MODE_MADVISE });
	add_rule("web", &(struct rule_row){ .title = "web", .unit = "*", .exe = "*", .user = "*" });
	add_rule(NULL, &(struct rule_row){ .title = "postgresql@15-main.service" });
	add_rule(NULL, &(struct rule_row){ .title = "redis-server.service" });
	ck_assert(!match("db").exe);
	ck_assert_str_eq(winner(30), "postgresql@*");
	ck_assert_str_eq(winner(10), "redis-server.service");
	ck_assert_int_eq(plan.procs.items[0].mode, THP_MODE_MADVISE);
	ck_assert_uint_eq(plan.rules.n, 4);
	/* The host's rule for the same units loses, and is still counted. */
	ck_assert_ptr_nonnull(plan.rules.items[1].loses_to);
	ck_assert_uint_eq(plan.rules.items[1].matched, 0);
	ck_assert_uint_eq(plan.rules.items[1].lost, 2);
	ck_assert_uint_eq(plan.rules.items[0].lost, 2);
}
END_TEST

START_TEST(inherit_is_a_rule)
{
	add_host();
	add_rule(NULL, &(struct rule_row){ .title = "system.slice" });
	add_rule(NULL,
		 &(struct rule_row){ .title = "redis-server.service", .thp = THP_MODE_INHERIT });
	(void)match(NULL);
	ck_assert_str_eq(winner(10), "redis-server.service");
	ck_assert_int_eq(plan.procs.items[0].mode, THP_MODE_INHERIT);
	ck_assert_str_eq(winner(30), "system.slice");
	ck_assert_uint_eq(rule("system.slice")->lost, 2);
}
END_TEST

/* The mode is what the rule comes to on this kernel. */
START_TEST(modes_fall_back)
{
	add_host();
	facts.release = "6.1.0";
	policy.fallback = FALLBACK_DISABLE;
	add_rule(NULL, &(struct rule_row){ .title = "redis-*", .thp = THP_MODE_MADVISE });
	(void)match(NULL);
	ck_assert_uint_eq(plan.procs.n, 2);
	ck_assert_int_eq(plan.procs.items[0].mode, THP_MODE_DISABLE);
}
END_TEST

START_TEST(processes_are_listed_by_unit)
{
	static const struct {
		const char *unit;
		uint32_t first, n;
	} wanted[] = {
		{ "redis-server.service", 0, 2 },
		{ "postgresql@15-main.service", 2, 1 },
		{ "docker-4f5e.scope", 3, 1 },
	};

	add_host();
	add_rule(NULL,
		 &(struct rule_row){ .title = "a", .unit = "*", .exe = "*/redis-server */15/*" });
	(void)match(NULL);
	ck_assert_uint_eq(plan.units.n, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct plan_unit *u = &plan.units.items[i];

		ck_assert_str_eq(u->fact->name, wanted[i].unit);
		ck_assert_uint_eq(u->first, wanted[i].first);
		ck_assert_uint_eq(u->n, wanted[i].n);
		for (uint32_t k = u->first; k < u->first + u->n; k++)
			ck_assert_uint_eq(plan.procs.items[k].unit, i);
	}
	for (size_t i = 0; i < plan.procs.n; i++) {
		const struct plan_proc *pp = &plan.procs.items[i];

		ck_assert_int_eq(pp->found, pp->fact->flag);
		ck_assert_int_eq(pp->now, -1);
		ck_assert_int_eq(pp->outcome, OUTCOME_UNKNOWN);
		ck_assert_int_eq(pp->error, 0);
		ck_assert_ptr_null(pp->note);
	}
	ck_assert_int_eq(plan.procs.items[1].found, 1);
	ck_assert_int_eq(plan.procs.items[2].found, -1);
}
END_TEST

START_TEST(who_is_exempt_is_left_out)
{
	add_host();
	facts.procs.items[0].exempt = true;
	facts.procs.items[2].exempt = facts.procs.items[3].exempt = true;
	add_rule(NULL, &(struct rule_row){ .title = "system.slice" });
	(void)match(NULL);
	ck_assert_str_eq(winner(10), "");
	ck_assert_str_eq(winner(11), "system.slice");
	ck_assert_uint_eq(plan.procs.n, 5);
	ck_assert_uint_eq(rule("system.slice")->matched, 5);
	/* No unit without a process. */
	ck_assert_uint_eq(plan.units.n, 3);
	ck_assert_uint_eq(plan.units.items[0].n, 1);
}
END_TEST

static double seconds(void)
{
	struct timespec t;

	ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/*
 * Each rule held against each unit would take many seconds. The last unit's process gets the last
 * of the rules that name it; one rule in a hundred is a real pattern.
 */
START_TEST(many_rules_and_many_units)
{
	enum { RULES = 20000, UNITS = 10000 };
	struct match_needs needs;
	double before;

	for (int i = 0; i < RULES; i++)
		add_rule(NULL,
			 &(struct rule_row){ .title = arena_printf(&scratch,
								   i % 100 ? "unit-%05d.service" :
									     "other-%05d-*.service",
								   i) });
	add_unit("system.slice", UNIT_NONE);
	for (int i = 1; i < UNITS; i++) {
		add_unit(arena_printf(&scratch, "unit-%05d.service", i), 0);
		(void)add_proc((uint32_t)i, i);
	}
	before = seconds();
	(void)match(NULL);
	before = seconds() - before;
	ck_assert_uint_eq(plan.procs.n, UNITS - UNITS / 100);
	ck_assert_uint_eq(plan.units.n, plan.procs.n);
	ck_assert_str_eq(winner(9999), "unit-09999.service");
	ck_assert_msg(before < 1.5, "%.3f s", before);

	/* The same, but with rules of one pattern. */
	teardown();
	setup();
	for (int i = 0; i < RULES; i++)
		add_rule(NULL, &(struct rule_row){ .title = arena_printf(&scratch, "%d", i),
						   .unit = "unit-1.service",
						   .exe = "/x" });
	add_unit("unit-1.service", UNIT_NONE);
	add_proc(0, 1)->exe = "/x";
	before = seconds();
	needs = match(NULL);
	before = seconds() - before;
	ck_assert(needs.exe);
	ck_assert_str_eq(winner(1), arena_printf(&scratch, "%d", RULES - 1));
	for (size_t i = 0; i < RULES; i++)
		ck_assert_uint_eq(plan.rules.items[i].lost, i < RULES - 1);
	ck_assert_msg(before < 1.5, "%.3f s", before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("match");
	TCase *c = new_case(s, "match");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, one_rule);
	tcase_add_test(c, no_rule_no_process);
	tcase_add_test(c, the_last_rule_wins);
	tcase_add_test(c, a_rule_counts_once);
	tcase_add_test(c, a_role_comes_after_the_host);
	tcase_add_test(c, inherit_is_a_rule);
	tcase_add_test(c, modes_fall_back);
	tcase_add_test(c, processes_are_listed_by_unit);
	tcase_add_test(c, who_is_exempt_is_left_out);
	tcase_add_test(c, many_rules_and_many_units);
	return run_suite(s);
}
