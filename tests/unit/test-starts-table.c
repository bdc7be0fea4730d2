/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "base/patterns.h"
#include "plan/resolve-starts.h"
#include "plan/resolve.h"

static struct policy policy;
static struct facts facts;
static struct plan plan;
static struct start_table table;

static void setup(void)
{
	policy_init(&policy);
	facts.release = "6.18.0";
	facts.hostname = "h";
}

static void free_results(void)
{
	start_table_free(&table);
	plan_free(&plan);
}

static void teardown(void)
{
	free_results();
	facts_free(&facts);
	policy_free(&policy);
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
	enum start_mode start;
	enum apply_mode apply;
	enum fallback fallback;
};

static void add_rules(const struct rule_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct rule *r = section_rule(&policy, &policy.host, rows[i].title,
					      (struct pos){ "rules.conf", (uint32_t)i + 1 });

		ck_assert_ptr_nonnull(r);
		r->thp = rows[i].thp ? rows[i].thp : THP_MODE_DISABLE;
		r->start = rows[i].start;
		r->apply = rows[i].apply;
		r->fallback = rows[i].fallback;
		add_words(&r->unit, rows[i].unit);
		add_words(&r->exe, rows[i].exe);
		add_words(&r->user, rows[i].user);
		add_words(&r->comm, rows[i].comm);
	}
}

static void make_plan(void)
{
	struct role_choice choice = { .source = ROLE_NONE };

	ck_assert_int_eq(resolve_wanted(&policy, &choice, &plan), 0);
	ck_assert_int_eq(resolve_found(&policy, &facts, &plan), 0);
}

/* The table as lines: "PATH UNIT FLAG watch|gate". */
static const char *resolve(const struct start_program *programs, size_t n)
{
	const struct start_entry *e;
	const char *out = "";

	make_plan();
	ck_assert_int_eq(resolve_starts(&plan, programs, n, &table), 0);
	array_foreach(e, &table.entries)
		out = arena_printf(&policy.arena, "%s%s %s %d %s\n", out, e->path, e->unit, e->flag,
				   e->gate ? "gate" : "watch");
	return out;
}

#define RULES(...)                                               \
	do {                                                     \
		const struct rule_row _rows[] = { __VA_ARGS__ }; \
		add_rules(_rows, ARRAY_SIZE(_rows));             \
	} while (0)

#define expect(want, ...)                                                          \
	do {                                                                       \
		const struct start_program _programs[] = { __VA_ARGS__ };          \
		ck_assert_str_eq(resolve(_programs, ARRAY_SIZE(_programs)), want); \
	} while (0)

#define PROGRAM(unit, path)                                  \
	{                                                    \
		unit, "system.slice", path, path, NULL, NULL \
	}

START_TEST(each_mode_has_its_flag)
{
	RULES({ .title = "a.service", .thp = THP_MODE_DISABLE },
	      { .title = "b.service", .thp = THP_MODE_MADVISE, .start = START_GATE },
	      { .title = "c.service", .thp = THP_MODE_SYSTEM, .start = START_WATCH });
	expect("/bin/a a.service 1 watch\n"
	       "/bin/b b.service 3 gate\n"
	       "/bin/c c.service 0 watch\n",
	       PROGRAM("c.service", "/bin/c"), PROGRAM("a.service", "/bin/a"),
	       PROGRAM("b.service", "/bin/b"), PROGRAM("d.service", "/bin/d"));
}
END_TEST

START_TEST(what_systemd_does_itself)
{
	RULES({ .title = "*.service", .thp = THP_MODE_DISABLE });
	expect("/bin/b b.service 1 watch\n"
	       "/bin/c c.service 1 watch\n",
	       { .unit = "a.service", .called = "a", .path = "/bin/a", .thp = "disable" },
	       { .unit = "b.service", .called = "b", .path = "/bin/b", .thp = "madvise" },
	       { .unit = "c.service", .called = "c", .path = "/bin/c", .thp = "inherit" });
}
END_TEST

START_TEST(who_wants_nothing_at_starts)
{
	RULES({ .title = "a.service", .thp = THP_MODE_INHERIT },
	      { .title = "b.service", .start = START_NO },
	      { .title = "c.service", .apply = APPLY_VERIFY },
	      { .title = "d.service", .apply = APPLY_START },
	      { .title = "e.service", .apply = APPLY_ALL });
	expect("/bin/d d.service 1 watch\n"
	       "/bin/e e.service 1 watch\n",
	       PROGRAM("a.service", "/bin/a"), PROGRAM("b.service", "/bin/b"),
	       PROGRAM("c.service", "/bin/c"), PROGRAM("d.service", "/bin/d"),
	       PROGRAM("e.service", "/bin/e"));
}
END_TEST

START_TEST(last_rule_wins_also_one_that_wants_nothing)
{
	RULES({ .title = "all", .unit = "*.service", .start = START_GATE },
	      { .title = "no a", .unit = "a.service", .start = START_NO },
	      { .title = "other b", .unit = "b*.service", .thp = THP_MODE_MADVISE },
	      { .title = "inherit c", .unit = "c.service", .thp = THP_MODE_INHERIT });
	expect("/bin/b b.service 3 watch\n"
	       "/bin/d d.service 1 gate\n",
	       PROGRAM("a.service", "/bin/a"), PROGRAM("b.service", "/bin/b"),
	       PROGRAM("c.service", "/bin/c"), PROGRAM("d.service", "/bin/d"));
}
END_TEST

START_TEST(slices_above_the_unit)
{
	RULES({ .title = "system-pg.slice" }, { .title = "db.slice", .thp = THP_MODE_MADVISE },
	      { .title = "-.slice", .thp = THP_MODE_SYSTEM });
	expect("/bin/pg pg@15.service 1 watch\n"
	       "/bin/x deep.service 3 watch\n",
	       { "pg@15.service", "system-pg.slice", "/bin/pg", "/bin/pg", NULL, NULL },
	       { "other.service", "system.slice", "/bin/pg", "/bin/pg", NULL, NULL },
	       { "deep.service", "db-a-b.slice", "/bin/x", "/bin/x", NULL, NULL },
	       { "near.service", "dbx.slice", "/bin/y", "/bin/y", NULL, NULL },
	       { "top.service", "-.slice", "/bin/z", "/bin/z", NULL, NULL },
	       { "none.service", NULL, "/bin/z", "/bin/z", NULL, NULL });
}
END_TEST

START_TEST(narrowed_by_exe_user_comm)
{
	RULES({ .title = "exe", .unit = "a.service", .exe = "*/redis-server" },
	      { .title = "user", .unit = "b.service", .user = "pg" },
	      { .title = "root", .unit = "c.service", .user = "root" },
	      { .title = "comm", .unit = "d.service", .comm = "a-name-of-fifte" });
	expect("/opt/a-name-of-fifteen-and-more d.service 1 watch\n"
	       "/usr/bin/pg b.service 1 watch\n"
	       "/usr/bin/redis-server a.service 1 watch\n"
	       "/usr/bin/root c.service 1 watch\n",
	       { "a.service", NULL, "/bin/redis-server", "/usr/bin/redis-server", NULL, NULL },
	       { "a.service", NULL, "/bin/redis-check", "/usr/bin/redis-check", NULL, NULL },
	       { "b.service", NULL, "/usr/bin/pg", "/usr/bin/pg", "pg", NULL },
	       { "b.service", NULL, "/usr/bin/pre", "/usr/bin/pre", NULL, NULL },
	       { "c.service", NULL, "/usr/bin/root", "/usr/bin/root", NULL, NULL },
	       { "c.service", NULL, "/usr/bin/other", "/usr/bin/other", "other", NULL },
	       { "c.service", NULL, "/usr/bin/dynamic", "/usr/bin/dynamic", "", NULL },
	       { "d.service", NULL, "/opt/a-name-of-fifteen-and-more",
		 "/opt/a-name-of-fifteen-and-more", NULL, NULL },
	       { "d.service", NULL, "/opt/a-name", "/opt/a-name", NULL, NULL });
}
END_TEST

START_TEST(name_is_that_of_the_link_program_that_of_the_file)
{
	RULES({ .title = "comm", .unit = "a.service", .comm = "java" },
	      { .title = "exe", .unit = "b.service", .exe = "/usr/bin/*" });
	expect("/usr/lib/jvm/17/bin/java17 a.service 1 watch\n",
	       { "a.service", NULL, "/usr/bin/java", "/usr/lib/jvm/17/bin/java17", NULL, NULL },
	       { "b.service", NULL, "/usr/bin/java", "/usr/lib/jvm/17/bin/java17", NULL, NULL });
}
END_TEST

START_TEST(named_program_behind_a_script)
{
	RULES({ .title = "a.service", .exe = "/usr/bin/java", .user = "app" },
	      { .title = "b.service", .exe = "/usr/bin/[j]ava /usr/bin/jav\\a java" });
	expect("/usr/bin/java a.service 1 watch\n",
	       { "a.service", NULL, "/opt/start.sh", "/opt/start.sh", "app", NULL },
	       { "b.service", NULL, "/opt/start.sh", "/opt/start.sh", NULL, NULL },
	       { "c.service", NULL, "/opt/start.sh", "/opt/start.sh", "app", NULL });
}
END_TEST

START_TEST(not_reachable_has_no_entry)
{
	RULES({ .title = "a.service" });
	expect("", { "a.service", NULL, "/bin/a", NULL, NULL, NULL });
}
END_TEST

START_TEST(sorted_and_each_once)
{
	RULES({ .title = "all", .unit = "*.service *" },
	      { .title = "by name", .unit = "a.service", .comm = "two", .thp = THP_MODE_MADVISE });
	/* One file under two names in one unit: which it was called by is not seen at its start. */
	expect("/bin/busybox a.service 3 watch\n"
	       "/bin/x a.service 1 watch\n"
	       "/bin/x b.service 1 watch\n",
	       PROGRAM("b.service", "/bin/x"), PROGRAM("b.service", "/bin/x"),
	       PROGRAM("a.service", "/bin/x"),
	       { "a.service", NULL, "/bin/one", "/bin/busybox", NULL, NULL },
	       { "a.service", NULL, "/bin/two", "/bin/busybox", NULL, NULL },
	       { "a.service", NULL, "/bin/one", "/bin/busybox", NULL, NULL });
}
END_TEST

START_TEST(madvise_on_an_older_kernel)
{
	facts.release = "6.1.0";
	RULES({ .title = "a.service", .thp = THP_MODE_MADVISE, .fallback = FALLBACK_DISABLE },
	      { .title = "b.service", .thp = THP_MODE_MADVISE, .fallback = FALLBACK_INHERIT },
	      { .title = "c.service", .thp = THP_MODE_MADVISE });
	expect("/bin/a a.service 1 watch\n", PROGRAM("a.service", "/bin/a"),
	       PROGRAM("b.service", "/bin/b"), PROGRAM("c.service", "/bin/c"));
}
END_TEST

START_TEST(no_rules_or_no_programs)
{
	ck_assert_str_eq(resolve(NULL, 0), "");
	expect("", PROGRAM("a.service", "/bin/a"));
}
END_TEST

START_TEST(patterns_to_ask_for)
{
	strlist list = { 0 };

	RULES({ .title = "a.service" }, { .title = "no.service", .start = START_NO },
	      { .title = "two", .unit = "b.service *.scope" },
	      { .title = "verify.service", .apply = APPLY_VERIFY },
	      { .title = "inherit.service", .thp = THP_MODE_INHERIT }, { .title = "c.slice" });
	make_plan();
	ck_assert_int_eq(resolve_start_patterns(&plan, &plan.arena, &list), 0);
	ck_assert_uint_eq(list.n, 4);
	ck_assert_str_eq(list.items[0], "a.service");
	ck_assert_str_eq(list.items[1], "b.service");
	ck_assert_str_eq(list.items[2], "*.scope");
	ck_assert_str_eq(list.items[3], "c.slice");
}
END_TEST

START_TEST(slices_by_name)
{
	static const struct {
		const char *name, *up;
	} rows[] = {
		{ "a-b-c.slice", "a-b.slice" },
		{ "a-b.slice", "a.slice" },
		{ "a.slice", NULL },
		{ "-.slice", NULL },
		{ "a-b.service", NULL },
		{ "a\\x2db.slice", NULL },
	};
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)snprintf(name, sizeof(name), "%s", rows[i].name);
		ck_assert_int_eq(slice_parent(name), rows[i].up != NULL);
		ck_assert_str_eq(name, rows[i].up ? rows[i].up : rows[i].name);
	}
}
END_TEST

START_TEST(slices_against_patterns)
{
	_cleanup_patterns_ struct patterns p = { 0 };

	ck_assert_int_eq(patterns_add(&p, "db.slice", 0), 0);
	ck_assert_int_eq(patterns_add(&p, "web-*.slice", 1), 0);
	ck_assert(patterns_match_slice(&p, "db.slice"));
	ck_assert(patterns_match_slice(&p, "db-a-b.slice"));
	ck_assert(patterns_match_slice(&p, "web-x.slice"));
	ck_assert(!patterns_match_slice(&p, "web.slice"));
	ck_assert(!patterns_match_slice(&p, "dba.slice"));
	ck_assert_int_eq(patterns_add(&p, "*.slice", 2), 0);
	ck_assert(patterns_match_slice(&p, "dba.slice"));
	ck_assert(!patterns_match_slice(&p, "-.slice"));
}
END_TEST

/* The last rules first that decide: what comes before, or is of another program, does not. */
START_TEST(template_where_all_instances_have_the_same)
{
	RULES({ .title = "system-c.slice" }, { .title = "a@x.service", .thp = THP_MODE_INHERIT },
	      { .title = "a@*.service", .start = START_GATE },
	      { .title = "b*.service", .start = START_GATE },
	      { .title = "b@*.service", .start = START_GATE },
	      { .title = "b@x*.service", .start = START_GATE },
	      { .title = "b@y.service", .start = START_GATE },
	      { .title = "b@z*.service", .exe = "/bin/other", .thp = THP_MODE_INHERIT });
	expect("/bin/a a@.service 1 gate\n"
	       "/bin/b b@.service 1 gate\n"
	       "/bin/c c@.service 1 watch\n",
	       PROGRAM("a@.service", "/bin/a"), PROGRAM("b@.service", "/bin/b"),
	       { "c@.service", "system-c.slice", "/bin/c", "/bin/c", NULL, NULL },
	       PROGRAM("d@.service", "/bin/d"));
}
END_TEST

/* The table is the same whether an instance is loaded or not. */
START_TEST(instances_that_get_what_the_template_has)
{
	RULES({ .title = "a@*.service", .start = START_GATE }, { .title = "b@*.service" });
	expect("/bin/a a@.service 1 gate\n"
	       "/bin/b b@.service 1 watch\n"
	       "/bin/c a@2.service 1 gate\n",
	       PROGRAM("a@-1.service", "/bin/a"), PROGRAM("a@.service", "/bin/a"),
	       PROGRAM("a@1.service", "/bin/a"), PROGRAM("a@2.service", "/bin/c"),
	       PROGRAM("b@.service", "/bin/b"), PROGRAM("b@1.service", "/bin/b"));
}
END_TEST

START_TEST(tables_are_told_from_each_other)
{
	uint64_t one, other;

	RULES({ .title = "a@*.service", .start = START_GATE });
	expect("/bin/a a@.service 1 gate\n", PROGRAM("a@.service", "/bin/a"));
	one = start_table_hash(&table);
	free_results();
	expect("/bin/a a@.service 1 gate\n", PROGRAM("a@.service", "/bin/a"),
	       PROGRAM("a@1.service", "/bin/a"));
	ck_assert_uint_eq(start_table_hash(&table), one);
	free_results();
	expect("/bin/b a@.service 1 gate\n", PROGRAM("a@.service", "/bin/b"));
	other = start_table_hash(&table);
	ck_assert_uint_ne(other, one);
}
END_TEST

START_TEST(template_where_instances_differ)
{
	RULES({ .title = "a@x*.service" }, { .title = "b@*.service" },
	      { .title = "b@x.service", .start = START_GATE }, { .title = "c@*.service" },
	      { .title = "c@x*.service", .thp = THP_MODE_INHERIT }, { .title = "d@*.service" },
	      { .title = "not bob", .unit = "d@*.service", .user = "bob", .thp = THP_MODE_INHERIT },
	      { .title = "e@*.service", .user = "root" }, { .title = "f@*.service" },
	      { .title = "system-f.slice", .user = "bob", .thp = THP_MODE_INHERIT });
	expect("/bin/b b@y.service 1 watch\n", PROGRAM("a@.service", "/bin/a"),
	       PROGRAM("b@.service", "/bin/b"), PROGRAM("b@y.service", "/bin/b"),
	       PROGRAM("c@.service", "/bin/c"), PROGRAM("d@.service", "/bin/d"),
	       PROGRAM("e@.service", "/bin/e"), PROGRAM("f@.service", "/bin/f"));
}
END_TEST

/* For `*` and slices, too. */
START_TEST(template_and_a_user)
{
	RULES({ .title = "*", .user = "root" }, { .title = "system-e.slice", .user = "root" });
	expect("/bin/b b@1.service 1 watch\n", PROGRAM("b@.service", "/bin/b"),
	       PROGRAM("b@1.service", "/bin/b"),
	       { "e@.service", "system-e.slice", "/bin/e", "/bin/e", NULL, NULL });
}
END_TEST

/* An instance that is loaded has a slice of its own, by which it is let alone. */
START_TEST(template_and_another_slice)
{
	RULES({ .title = "plain.slice", .thp = THP_MODE_INHERIT }, { .title = "a@*.service" },
	      { .title = "b@*.service" }, { .title = "own.slice", .thp = THP_MODE_INHERIT });
	expect("", PROGRAM("a@.service", "/bin/a"), PROGRAM("b@.service", "/bin/b"));
}
END_TEST

START_TEST(template_and_an_exception)
{
	RULES({ .title = "a@*.service" },
	      { .title = "not b", .unit = "a@*.service", .comm = "b", .thp = THP_MODE_INHERIT });
	expect("/bin/a a@.service 1 watch\n", PROGRAM("a@.service", "/bin/a"));
	free_results();
	expect("/bin/a a@1.service 1 watch\n", PROGRAM("a@.service", "/bin/a"),
	       PROGRAM("a@1.service", "/bin/a"),
	       { "a@2.service", "system.slice", "/bin/b", "/bin/a", NULL, NULL });
}
END_TEST

int main(void)
{
	Suite *s = suite_create("starts-table");
	TCase *c = new_case(s, "starts-table");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, each_mode_has_its_flag);
	tcase_add_test(c, what_systemd_does_itself);
	tcase_add_test(c, who_wants_nothing_at_starts);
	tcase_add_test(c, last_rule_wins_also_one_that_wants_nothing);
	tcase_add_test(c, slices_above_the_unit);
	tcase_add_test(c, narrowed_by_exe_user_comm);
	tcase_add_test(c, template_where_all_instances_have_the_same);
	tcase_add_test(c, instances_that_get_what_the_template_has);
	tcase_add_test(c, tables_are_told_from_each_other);
	tcase_add_test(c, template_where_instances_differ);
	tcase_add_test(c, template_and_a_user);
	tcase_add_test(c, template_and_another_slice);
	tcase_add_test(c, template_and_an_exception);
	tcase_add_test(c, name_is_that_of_the_link_program_that_of_the_file);
	tcase_add_test(c, named_program_behind_a_script);
	tcase_add_test(c, not_reachable_has_no_entry);
	tcase_add_test(c, sorted_and_each_once);
	tcase_add_test(c, madvise_on_an_older_kernel);
	tcase_add_test(c, no_rules_or_no_programs);
	tcase_add_test(c, patterns_to_ask_for);
	tcase_add_test(c, slices_by_name);
	tcase_add_test(c, slices_against_patterns);
	return run_suite(s);
}
