/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "model/report.h"
#include "model/table.h"

static const struct pos here = { "a.conf", 1 }, there = { "b.conf", 20 };

static struct arena scratch;
static struct policy policy;

static void setup(void)
{
	policy_init(&policy);
}

static void teardown(void)
{
	policy_free(&policy);
	arena_free(&scratch);
}

static void add_string(strlist *l, const char *s)
{
	const char **slot = array_add(&policy.arena, l);

	ck_assert_ptr_nonnull(slot);
	*slot = s;
}

/* What a function printed, as a string in the scratch arena. */
static FILE *capture;
static char *captured;
static size_t captured_len;

static FILE *capture_begin(void)
{
	capture = open_memstream(&captured, &captured_len);
	ck_assert_ptr_nonnull(capture);
	return capture;
}

static const char *capture_end(void)
{
	const char *s;

	ck_assert_int_eq(fclose(capture), 0);
	s = arena_strdup(&scratch, captured);
	free(captured);
	return s;
}

START_TEST(diags_count_and_copy)
{
	_cleanup_diags_ struct diags d = { 0 };
	char file[] = "x.conf", word[] = "word";

	diag_add(&d, SEVERITY_ERROR, file, 3, "bad %s", word);
	diag_add(&d, SEVERITY_WARNING, NULL, 0, "odd");
	diag_add(&d, SEVERITY_NOTE, NULL, 0, "so");
	diag_trouble(&d, "y.conf", "cannot be read: %d", 5);
	memset(file, 'z', 6);
	memset(word, 'z', 4);
	ck_assert_uint_eq(d.errors, 2);
	ck_assert_uint_eq(d.warnings, 1);
	ck_assert_uint_eq(d.troubles, 1);
	ck_assert_uint_eq(d.list.n, 4);
	ck_assert_str_eq(d.list.items[0].file, "x.conf");
	ck_assert_uint_eq(d.list.items[0].line, 3);
	ck_assert_str_eq(d.list.items[0].message, "bad word");
	ck_assert(!d.list.items[0].trouble);
	ck_assert_ptr_null(d.list.items[1].file);
	ck_assert_str_eq(d.list.items[3].message, "cannot be read: 5");
	ck_assert(d.list.items[3].trouble);
	diags_free(&d);
	ck_assert_uint_eq(d.errors + d.warnings + d.troubles + d.list.n, 0);
}
END_TEST

START_TEST(diags_are_limited_but_counted)
{
	_cleanup_diags_ struct diags d = { 0 };
	size_t kept, errors = 0;

	for (int i = 0; i < 1000; i++)
		diag_add(&d, SEVERITY_WARNING, "a", 1, "warning");
	kept = d.list.n;
	ck_assert_uint_eq(kept, 100);
	ck_assert_uint_eq(d.warnings, 1000);
	/* Errors still find room behind a flood of warnings. */
	for (int i = 0; i < 1000; i++)
		diag_add(&d, SEVERITY_ERROR, "a", 1, "error");
	diag_trouble(&d, "b", "trouble");
	for (size_t i = 0; i < d.list.n; i++)
		errors += d.list.items[i].severity == SEVERITY_ERROR;
	ck_assert_uint_eq(errors, 100);
	ck_assert_uint_eq(d.errors, 1001);
	ck_assert_uint_eq(d.troubles, 1);
	ck_assert(!d.oom);
}
END_TEST

START_TEST(diags_print_as_file_line_message)
{
	static const struct {
		struct report_style style;
		const char *text;
	} cases[] = {
		{ { 0 }, "f:7: error: wrong\ng: warning: odd\nthpctl: error: nowhere\n" },
		{ { .quiet = true }, "f:7: error: wrong\nthpctl: error: nowhere\n" },
		{ { .verbose = true },
		  "f:7: error: wrong\ng: warning: odd\nf:2: note: so\n"
		  "thpctl: error: nowhere\n" },
		{ { .colour = true, .quiet = true },
		  "f:7: \033[31merror\033[0m: wrong\n"
		  "thpctl: \033[31merror\033[0m: nowhere\n" },
	};
	_cleanup_diags_ struct diags d = { 0 };

	diag_add(&d, SEVERITY_ERROR, "f", 7, "wrong");
	diag_add(&d, SEVERITY_WARNING, "g", 0, "odd");
	diag_add(&d, SEVERITY_NOTE, "f", 2, "so");
	diag_add(&d, SEVERITY_ERROR, NULL, 0, "nowhere");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		report_diags(&d, &cases[i].style, capture_begin());
		ck_assert_str_eq(capture_end(), cases[i].text);
	}
	diags_free(&d);
	for (int i = 0; i < 250; i++)
		diag_add(&d, SEVERITY_ERROR, "f", 1, "again");
	report_diags(&d, &cases[0].style, capture_begin());
	ck_assert(endswith(capture_end(), "thpctl: ... and 50 more errors\n"));
}
END_TEST

static const char *print_table(const char *const (*rows)[4], size_t n, bool colour)
{
	struct table t = { 0 };
	const char *s;

	for (size_t i = 0; i < n; i++) {
		struct cell cells[4] = { { 0 } };

		for (size_t j = 0; j < 4; j++)
			cells[j] = (struct cell){ .text = rows[i][j],
						  .colour = i ? COLOUR_RED : COLOUR_NONE };
		table_row(&t, cells, 4);
	}
	ck_assert_int_eq(table_print(&t, colour, capture_begin()), 0);
	s = capture_end();
	arena_free(&t.arena);
	return s;
}

START_TEST(table_aligns_columns)
{
	static const char *const rows[][4] = { { "KEY", "NOW", "WANTED", "X" },
					       { "enabled", "always", "never", "1" },
					       { "d", "", "n", "2" },
					       { "e", NULL, NULL, NULL } };

	ck_assert_str_eq(print_table(rows, ARRAY_SIZE(rows), false), "KEY      NOW     WANTED  X\n"
								     "enabled  always  never   1\n"
								     "d                n       2\n"
								     "e\n");
}
END_TEST

START_TEST(table_leaves_out_empty_columns)
{
	static const char *const rows[][4] = { { "KEY", "A LONG HEADING", "B", "NOTE" },
					       { "k", "", "b", NULL },
					       { "l", NULL, "bb", "" } };

	ck_assert_str_eq(print_table(rows, ARRAY_SIZE(rows), false), "KEY  B\n"
								     "k    b\n"
								     "l    bb\n");
}
END_TEST

START_TEST(table_counts_characters_not_bytes)
{
	static const char *const rows[][4] = { { "NAME", "V", NULL, NULL },
					       { "\xc3\xa9t\xc3\xa9", "1", NULL, NULL },
					       { "\xe2\x82\xac\xe2\x82\xac", "2", NULL, NULL } };

	ck_assert_str_eq(print_table(rows, ARRAY_SIZE(rows), false),
			 "NAME  V\n"
			 "\xc3\xa9t\xc3\xa9   1\n"
			 "\xe2\x82\xac\xe2\x82\xac    2\n");
}
END_TEST

START_TEST(table_colours_do_not_count_as_width)
{
	static const char *const rows[][4] = { { "K", "V", NULL, NULL },
					       { "kk", "v", NULL, NULL } };

	ck_assert_str_eq(print_table(rows, 2, true), "\033[2mK\033[0m   \033[2mV\033[0m\n"
						     "\033[31mkk\033[0m  \033[31mv\033[0m\n");
}
END_TEST

START_TEST(table_puts_figures_to_the_right)
{
	static const char *const sizes[] = { "9", "1000", "" };
	struct table t = { 0 };

	table_row(&t,
		  (struct cell[]){
			  { .text = "NAME" }, { .text = "SIZE", .right = true }, { .text = "X" } },
		  3);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		table_row(&t,
			  (struct cell[]){ { .text = "a" },
					   { .text = sizes[i], .right = true },
					   { .text = i == 1 ? "" : "x" } },
			  3);
		/* A line makes no column wider. */
		table_line(&t, i == 0 ? "  and a line of its own" : "");
	}
	ck_assert_int_eq(table_print(&t, false, capture_begin()), 0);
	ck_assert_str_eq(capture_end(), "NAME  SIZE  X\n"
					"a        9  x\n"
					"  and a line of its own\n"
					"a     1000\n"
					"\n"
					"a           x\n"
					"\n");
	table_line(&t, NULL);
	ck_assert_int_eq(table_print(&t, false, capture_begin()), -ENOMEM);
	ck_assert_str_eq(capture_end(), "");
	arena_free(&t.arena);
}
END_TEST

START_TEST(table_refuses_too_many_cells)
{
	struct cell cells[TABLE_COLUMNS + 1] = { { 0 } };
	struct table t = { 0 };

	table_row(&t, cells, TABLE_COLUMNS);
	ck_assert_int_eq(table_print(&t, false, capture_begin()), 0);
	(void)capture_end();
	table_row(&t, cells, TABLE_COLUMNS + 1);
	ck_assert_int_eq(table_print(&t, false, capture_begin()), -ENOMEM);
	ck_assert_str_eq(capture_end(), "");
	arena_free(&t.arena);
}
END_TEST

START_TEST(compliance_hangs_on_outcome_and_tolerance)
{
	for (int o = 0; o < OUTCOMES; o++) {
		struct plan_item it = { .outcome = (enum outcome)o };
		bool good = o == OUTCOME_OK || o == OUTCOME_CHANGED;

		ck_assert_msg(plan_item_failed(&it) == !good, "%s", outcome_words[o]);
		it.tolerated = true;
		ck_assert_msg(!plan_item_failed(&it), "%s", outcome_words[o]);
	}
	ck_assert_ptr_null(outcome_words[OUTCOMES]);
}
END_TEST

/* An item for each letter: ok, changed, drifted, absent (and tolerated) or rejected. */
static void make_items(struct plan *plan, const char *outcomes)
{
	for (; *outcomes; outcomes++) {
		struct plan_item *it = array_add(&plan->arena, &plan->items);

		it->key = "enabled";
		it->wanted = "never";
		switch (*outcomes) {
		case 'c':
			it->outcome = OUTCOME_CHANGED;
			break;
		case 'd':
			it->outcome = OUTCOME_DRIFTED;
			break;
		case 'a':
			it->outcome = OUTCOME_ABSENT;
			it->tolerated = true;
			break;
		case 'r':
			it->outcome = OUTCOME_REJECTED;
			break;
		}
	}
}

START_TEST(report_result_says_how_it_went)
{
	static const struct {
		const char *verb, *items;
		int exit_status;
		const char *result;
	} cases[] = {
		{ "plan", "oo", 0, "nothing to change: 2 settings ok" },
		{ "plan", "dd", 1, "2 to change: 2 settings drifted" },
		{ "plan", "doda", 1, "2 to change: 4 settings (1 ok, 2 drifted, 1 absent)" },
		{ "plan", "", 0, "nothing to change: no settings" },
		{ "plan", "o", 2, "trouble: the policy could not be held against this host" },
		{ "apply", "cco", 0,
		  "applied: 3 settings (2 changed, 1 ok); all values read back" },
		{ "apply", "ca", 0,
		  "applied: 2 settings (1 changed, 1 absent); all values read back" },
		{ "apply", "cr", 1,
		  "not all applied: 2 settings (1 changed, 1 rejected); all values read back" },
		{ "apply", "c", 2, "trouble: nothing was changed" },
		{ "restore", "c", 0, "restored: 1 setting changed; all values read back" },
		{ "restore", "r", 1, "not all restored: 1 setting rejected; all values read back" },
		{ "restore", "", 0, "nothing to restore: no apply in this boot" },
		{ "restore", "", 2, "trouble: nothing was changed" },
		{ "verify", "oao", 0, "in compliance: 3 settings (2 ok, 1 absent)" },
		{ "verify", "od", 1, "not in compliance: 2 settings (1 ok, 1 drifted)" },
		{ "verify", "o", 2, "trouble: the policy could not be held against this host" },
		{ "status", "o", 0, "in compliance: 1 setting ok" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_plan_ struct plan plan = { 0 };
		struct diags d = { 0 };
		struct report r = { .verb = cases[i].verb,
				    .exit_status = cases[i].exit_status,
				    .plan = &plan,
				    .policy = &policy,
				    .diags = &d };

		make_items(&plan, cases[i].items);
		ck_assert_str_eq(report_result(&r, &scratch), cases[i].result);
	}
}
END_TEST

START_TEST(report_result_of_check_counts)
{
	_cleanup_diags_ struct diags d = { 0 };
	struct report r = { .verb = "check", .policy = &policy, .diags = &d };

	ck_assert_str_eq(report_result(&r, &scratch),
			 "valid: 0 files, 0 roles, 0 settings, 0 service rules");
	add_string(&policy.files, "a.conf");
	section_set(&policy, &policy.host, "enabled", "never", here);
	section_set(&policy, policy_section(&policy, "db", here), "enabled", "always", here);
	section_rule(&policy, policy_role(&policy, "db"), "a.service", here);
	ck_assert_str_eq(report_result(&r, &scratch),
			 "valid: 1 file, 1 role, 2 settings, 1 service rule");
	diag_add(&d, SEVERITY_WARNING, NULL, 0, "odd");
	ck_assert(startswith(report_result(&r, &scratch), "valid: "));
	diag_add(&d, SEVERITY_ERROR, NULL, 0, "wrong");
	r.exit_status = 1;
	ck_assert_str_eq(report_result(&r, &scratch), "invalid: 1 error");
	diag_trouble(&d, NULL, "unreadable");
	r.exit_status = 2;
	ck_assert_str_eq(report_result(&r, &scratch), "not checked: 2 errors");
}
END_TEST

START_TEST(report_result_of_doctor_counts)
{
	_cleanup_diags_ struct diags d = { 0 };
	struct report r = { .verb = "doctor", .diags = &d };

	diag_add(&d, SEVERITY_NOTE, NULL, 0, "by the way");
	ck_assert_str_eq(report_result(&r, &scratch), "nothing found that fights the policy");
	diag_add(&d, SEVERITY_WARNING, NULL, 0, "odd");
	ck_assert_str_eq(report_result(&r, &scratch), "1 finding");
	diag_add(&d, SEVERITY_ERROR, NULL, 0, "wrong");
	ck_assert_str_eq(report_result(&r, &scratch), "2 findings");
}
END_TEST

START_TEST(report_text_shows_every_item)
{
	_cleanup_plan_ struct plan plan = { 0 };
	const struct report_style plain = { 0 }, verbose = { .verbose = true },
				  quiet = { .quiet = true };
	struct facts facts = { .hostname = "h", .release = "6.12" };
	struct diags d = { 0 };
	struct report r = { .verb = "plan",
			    .exit_status = 1,
			    .root = "",
			    .facts = &facts,
			    .policy = &policy,
			    .plan = &plan,
			    .diags = &d };
	struct plan_item *it;
	const char *s;

	make_items(&plan, "dr");
	it = &plan.items.items[0];
	it->found = "always";
	it->pos = here;
	it->overrides = there;
	it = &plan.items.items[1];
	it->key = "defrag";
	it->note = "not offered";
	ck_assert_int_eq(report_text(&r, &plain, capture_begin()), 0);
	ck_assert_str_eq(capture_end(),
			 "KEY      NOW         WANTED  OUTCOME   WHY       NOTE\n"
			 "enabled  always  ->  never   drifted   a.conf:1\n"
			 "defrag   -           never   rejected            not offered\n"
			 "\n"
			 "1 to change: 2 settings (1 drifted, 1 rejected)\n");
	ck_assert_int_eq(report_text(&r, &verbose, capture_begin()), 0);
	s = capture_end();
	ck_assert_msg(contains(s, "overrides b.conf:20"), "%s", s);
	ck_assert_int_eq(report_text(&r, &quiet, capture_begin()), 0);
	ck_assert_str_eq(capture_end(), "1 to change: 2 settings (1 drifted, 1 rejected)\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("report");
	TCase *c = new_case(s, "diags");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, diags_count_and_copy);
	tcase_add_test(c, diags_are_limited_but_counted);
	tcase_add_test(c, diags_print_as_file_line_message);

	c = new_case(s, "table");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, table_aligns_columns);
	tcase_add_test(c, table_leaves_out_empty_columns);
	tcase_add_test(c, table_counts_characters_not_bytes);
	tcase_add_test(c, table_colours_do_not_count_as_width);
	tcase_add_test(c, table_puts_figures_to_the_right);
	tcase_add_test(c, table_refuses_too_many_cells);

	c = new_case(s, "result");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, compliance_hangs_on_outcome_and_tolerance);
	tcase_add_test(c, report_result_says_how_it_went);
	tcase_add_test(c, report_result_of_check_counts);
	tcase_add_test(c, report_result_of_doctor_counts);
	tcase_add_test(c, report_text_shows_every_item);
	return run_suite(s);
}
