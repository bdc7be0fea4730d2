/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "policy/policy-check.h"
#include "policy/policy-load.h"
#include "policy/policy-scan.h"

static struct policy policy;
static struct diags diags;
static struct arena scratch;

static void setup(void)
{
	policy_init(&policy);
}

static void teardown(void)
{
	policy_free(&policy);
	diags_free(&diags);
	arena_free(&scratch);
}

static void start_again(void)
{
	policy_free(&policy);
	diags_free(&diags);
}

static const char *first_error(void)
{
	const struct diag *it = diags.list.n ? &diags.list.items[0] : NULL;

	return it ? arena_printf(&scratch, "%s:%u: %s", it->file, it->line, it->message) :
		    "no error";
}

/* A copy of just the size of the text, so that what is read behind it would be seen. */
static void load(const char *file, const char *text, size_t len)
{
	_cleanup_free_ char *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	ck_assert_int_eq(policy_load(&policy, file, copy, len, &diags), 0);
}

static void load_good(const char *file, const char *text)
{
	load(file, text, strlen(text));
	ck_assert_msg(diags.list.n == 0, "%s", first_error());
}

static void check_good(void)
{
	ck_assert_int_eq(policy_check(&policy, &diags), 0);
	ck_assert_msg(diags.list.n == 0, "%s", first_error());
}

static void library(const char *role, const char *text)
{
	ck_assert_int_eq(policy_load_library(&policy, role, "lib.conf", text, strlen(text), &diags),
			 0);
}

/* Whether there is a fault in that line that speaks of that. */
static bool has_error(uint32_t line, const char *what)
{
	const struct diag *it;

	array_foreach(it, &diags.list)
		if (it->severity == SEVERITY_ERROR && it->line == line &&
		    contains(it->message, what))
			return true;
	return false;
}

static const struct setting *setting(const struct section *s, const char *key)
{
	uint32_t i;

	ck_assert_msg(strmap_get(&s->setting_index, key, &i), "%s is not set", key);
	return &s->settings.items[i];
}

static void expect(const struct section *s, const char *key, const char *value, const char *file,
		   uint32_t line)
{
	const struct setting *it = setting(s, key);

	ck_assert_str_eq(it->value, value);
	ck_assert_str_eq(it->pos.file, file);
	ck_assert_msg(it->pos.line == line, "%s in line %u, expected %u", key, it->pos.line, line);
}

START_TEST(scan_blanks_comments_and_keeps_lines)
{
	static const char text[] = "# one\n"
				   "host { // two\n"
				   "  /* three\n"
				   "     'four */ enabled = never /* five */\n"
				   "  khugepaged { defrag = 0 } # six }\n"
				   "}\n"
				   "role '# no comment' { }\n";
	_cleanup_scan_ struct policy_scan scan = { 0 };
	char *copy = arena_strdup(&scratch, text);
	size_t len = strlen(text), lines = 0;

	ck_assert_int_eq(policy_scan(&scan, "f", copy, &len, &diags), 0);
	ck_assert_msg(diags.list.n == 0 && !scan.unparsable, "%s", first_error());
	copy = arena_strndup(&scratch, copy, len);
	for (const char *s = copy; (s = strchr(s, '\n')); s++)
		lines++;
	ck_assert_uint_eq(lines, 7);
	ck_assert_str_eq(copy, "\nhost {\n\nenabled = never\nkhugepaged { defrag = 0 }\n}\n"
			       "role '# no comment' { }\n");
	ck_assert_uint_eq(scan.section_lines.n, 3);
	ck_assert_uint_eq(scan.section_lines.items[0], 5);
	ck_assert_uint_eq(scan.section_lines.items[1], 2);
	ck_assert_uint_eq(scan.section_lines.items[2], 7);
}
END_TEST

START_TEST(scan_blanks_faulty_statements_alone)
{
	static const char text[] = "swap = { a,\n b }\n"
				   "host {\n enabled = never bogus = 1 defrag = defer\n"
				   " what { no = 1 }\n}\n";
	_cleanup_scan_ struct policy_scan scan = { 0 };
	char *copy = arena_strdup(&scratch, text);
	size_t len = strlen(text);

	ck_assert_int_eq(policy_scan(&scan, "f", copy, &len, &diags), 0);
	ck_assert(!scan.unparsable);
	ck_assert_uint_eq(diags.errors, 3);
	copy = arena_strndup(&scratch, copy, len);
	ck_assert_ptr_null(strpbrk(copy, "w1"));
	ck_assert(contains(copy, "enabled = never") && contains(copy, "defrag = defer"));
	ck_assert_uint_eq(scan.section_lines.n, 1);
}
END_TEST

START_TEST(nothing_is_a_policy_too)
{
	static const char *const texts[] = { "",	 "\n",	       "   \t\n\n",
					     "# only\n", "/* only */", "// only",
					     "host { }", "role r { }", "host{}role r{}",
					     "\r\n",	 "host {\n}" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		load_good("a.conf", texts[i]);
		check_good();
		ck_assert_uint_eq(policy.host.settings.n, 0);
		ck_assert_uint_eq(policy.verify_interval, 60);
		start_again();
	}
}
END_TEST

START_TEST(top_level_keys)
{
	load_good("a.conf", "verify_interval = 0\non_drift = report\nmissing = ignore\n"
			    "madvise_fallback = inherit\nmetrics_file = '/var/lib/x y.prom'\n"
			    "host_role = db.primary@eu-1\n");
	ck_assert_uint_eq(policy.verify_interval, 0);
	ck_assert_int_eq(policy.on_drift, ON_DRIFT_REPORT);
	ck_assert_int_eq(policy.missing, MISSING_IGNORE);
	ck_assert_int_eq(policy.fallback, FALLBACK_INHERIT);
	ck_assert_str_eq(policy.metrics_file, "/var/lib/x y.prom");
	ck_assert_str_eq(policy.host_role, "db.primary@eu-1");
	ck_assert_str_eq(policy.host_role_pos.file, "a.conf");
	ck_assert_uint_eq(policy.host_role_pos.line, 6);
	/* A later file changes only what it names. */
	load_good("b.conf", "verify_interval = 86400\nhost_role = web");
	ck_assert_uint_eq(policy.verify_interval, 86400);
	ck_assert_int_eq(policy.on_drift, ON_DRIFT_REPORT);
	ck_assert_str_eq(policy.host_role, "web");
	ck_assert_str_eq(policy.host_role_pos.file, "b.conf");
	ck_assert_uint_eq(policy.host_role_pos.line, 2);
}
END_TEST

START_TEST(kernel_keys_and_their_positions)
{
	load_good("a.conf", "host {\n"
			    "  enabled = madvise\n"
			    "  defrag = 'defer+madvise'\n"
			    "  shmem_enabled = within_size\n"
			    "  use_zero_page = 0 shrink_underused = 1\n"
			    "  khugepaged {\n"
			    "    defrag = 1\n"
			    "    max_ptes_none = 0 max_ptes_swap = 64 max_ptes_shared = 65535\n"
			    "    pages_to_scan = 1\n"
			    "    scan_sleep_millisecs = 0\n"
			    "    alloc_sleep_millisecs = 4294967295\n"
			    "  }\n"
			    "  anon '64kB' {\n"
			    "    enabled = inherit\n"
			    "\n"
			    "    shmem_enabled = advise\n"
			    "  }\n"
			    "  anon 2048kB { enabled = always }\n"
			    "}\n");
	ck_assert_uint_eq(policy.host.settings.n, 15);
	expect(&policy.host, "enabled", "madvise", "a.conf", 2);
	expect(&policy.host, "defrag", "defer+madvise", "a.conf", 3);
	expect(&policy.host, "shmem_enabled", "within_size", "a.conf", 4);
	expect(&policy.host, "use_zero_page", "0", "a.conf", 5);
	expect(&policy.host, "shrink_underused", "1", "a.conf", 5);
	expect(&policy.host, "khugepaged/defrag", "1", "a.conf", 7);
	expect(&policy.host, "khugepaged/max_ptes_none", "0", "a.conf", 8);
	expect(&policy.host, "khugepaged/max_ptes_swap", "64", "a.conf", 8);
	expect(&policy.host, "khugepaged/max_ptes_shared", "65535", "a.conf", 8);
	expect(&policy.host, "khugepaged/pages_to_scan", "1", "a.conf", 9);
	expect(&policy.host, "khugepaged/scan_sleep_millisecs", "0", "a.conf", 10);
	expect(&policy.host, "khugepaged/alloc_sleep_millisecs", "4294967295", "a.conf", 11);
	expect(&policy.host, "hugepages-64kB/enabled", "inherit", "a.conf", 14);
	expect(&policy.host, "hugepages-64kB/shmem_enabled", "advise", "a.conf", 16);
	expect(&policy.host, "hugepages-2048kB/enabled", "always", "a.conf", 18);
	ck_assert_uint_eq(policy.host.pos.line, 1);
}
END_TEST

START_TEST(comments_do_not_shift_lines)
{
	static const char *const comments[] = {
		"\n\n",
		"# x\n\n",
		"// x\n\n",
		"/* x\n*/\n",
		"/* x */\n\n",
		"/*\n*/ // y\n",
		"\n/**/# '\n",
		"# \"\n// '\n",
		"/* } { = ' \" ${HOME} */\n# ${HOME}\n",
		"/***\n**/\n",
		"\r\n\r\n",
		"/* // */ # /*\n\n",
		"# \xe2\x82\xac\n// \xff\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(comments); i++) {
		const char *c = comments[i];

		load_good("a.conf", arena_printf(&scratch,
						 "%shost {%senabled %s=%snever %s"
						 "service x.service {%sthp = disable}}%s"
						 "role r { defrag = defer }",
						 c, c, c, c, c, c, c));
		expect(&policy.host, "enabled", "never", "a.conf", 9);
		ck_assert_uint_eq(policy.host.pos.line, 3);
		ck_assert_uint_eq(policy.host.rules.items[0].pos.line, 11);
		expect(policy_role(&policy, "r"), "defrag", "defer", "a.conf", 15);
		ck_assert_uint_eq(policy_role(&policy, "r")->pos.line, 15);
		start_again();
	}
}
END_TEST

START_TEST(later_files_override_key_by_key)
{
	load_good("a.conf",
		  "host { enabled = always defrag = never\n khugepaged { max_ptes_none = 1 } }"
		  "role r { hosts = { 'a*', 'b*' } enabled = never }");
	load_good("b.conf",
		  "\nhost {\n defrag = defer\n khugepaged { max_ptes_none = 2 defrag = 0 } }");
	load_good("c.conf", "\n\nrole r { enabled = madvise }\nrole s { hosts = 'c*' }");
	ck_assert_uint_eq(policy.files.n, 3);
	ck_assert_str_eq(policy.files.items[0], "a.conf");
	ck_assert_str_eq(policy.files.items[2], "c.conf");
	expect(&policy.host, "enabled", "always", "a.conf", 1);
	expect(&policy.host, "defrag", "defer", "b.conf", 3);
	expect(&policy.host, "khugepaged/max_ptes_none", "2", "b.conf", 4);
	expect(&policy.host, "khugepaged/defrag", "0", "b.conf", 4);
	ck_assert_uint_eq(policy.host.settings.n, 4);
	ck_assert_uint_eq(policy.roles.n, 2);
	expect(policy_role(&policy, "r"), "enabled", "madvise", "c.conf", 3);
	ck_assert_uint_eq(policy_role(&policy, "r")->hosts.n, 2);
	ck_assert_str_eq(policy_role(&policy, "r")->hosts.items[1], "b*");
	ck_assert_str_eq(policy_role(&policy, "s")->hosts.items[0], "c*");
	load_good("d.conf", "role r { hosts = { 'z' } }");
	ck_assert_uint_eq(policy_role(&policy, "r")->hosts.n, 1);
	ck_assert_str_eq(policy_role(&policy, "r")->hosts.items[0], "z");
}
END_TEST

START_TEST(rules_take_patterns_and_words)
{
	const struct rule *r;

	load_good("a.conf", "host {\n"
			    " service 'plain.service' { thp = inherit }\n"
			    " service 'the name' {\n"
			    "  unit = { 'a-*.service', b.scope,\n   'c?.slice', 'd[0-9]' }\n"
			    "  exe = '/usr/bin/x y' comm = { w, }\n"
			    "  thp = madvise reclaim = once apply = start start = gate\n"
			    "  madvise_fallback = disable }\n"
			    "}\n");
	check_good();
	ck_assert_uint_eq(policy.host.rules.n, 2);
	r = &policy.host.rules.items[0];
	ck_assert_str_eq(r->title, "plain.service");
	ck_assert_int_eq(r->thp, THP_MODE_INHERIT);
	ck_assert(!r->reclaim && !r->apply && !r->start && !r->fallback);
	ck_assert_uint_eq(r->unit.n + r->exe.n + r->user.n + r->comm.n, 0);
	r = &policy.host.rules.items[1];
	ck_assert_str_eq(r->title, "the name");
	ck_assert_uint_eq(r->pos.line, 3);
	ck_assert_uint_eq(r->unit.n, 4);
	ck_assert_str_eq(r->unit.items[0], "a-*.service");
	ck_assert_str_eq(r->unit.items[1], "b.scope");
	ck_assert_str_eq(r->unit.items[3], "d[0-9]");
	ck_assert_uint_eq(r->exe.n, 1);
	ck_assert_str_eq(r->exe.items[0], "/usr/bin/x y");
	ck_assert_uint_eq(r->user.n, 0);
	ck_assert_str_eq(r->comm.items[0], "w");
	ck_assert_int_eq(r->thp, THP_MODE_MADVISE);
	ck_assert_int_eq(r->reclaim, RECLAIM_ONCE);
	ck_assert_int_eq(r->apply, APPLY_START);
	ck_assert_int_eq(r->start, START_GATE);
	ck_assert_int_eq(r->fallback, FALLBACK_DISABLE);
}
END_TEST

START_TEST(rules_merge_by_title)
{
	const struct rule *r;

	load_good("a.conf", "host { service a.service { thp = disable exe = { x, y } }\n"
			    "service b.service { thp = system } }");
	load_good("b.conf", "host {\nservice c.service { thp = system }\n"
			    "service a.service { exe = z reclaim = yes } }");
	check_good();
	ck_assert_uint_eq(policy.host.rules.n, 3);
	r = &policy.host.rules.items[0];
	ck_assert_str_eq(r->title, "a.service");
	ck_assert_int_eq(r->thp, THP_MODE_DISABLE);
	ck_assert_int_eq(r->reclaim, RECLAIM_YES);
	ck_assert_uint_eq(r->exe.n, 1);
	ck_assert_str_eq(r->exe.items[0], "z");
	ck_assert_str_eq(r->pos.file, "b.conf");
	ck_assert_uint_eq(r->pos.line, 3);
	ck_assert_str_eq(policy.host.rules.items[2].title, "c.service");
}
END_TEST

START_TEST(strings_are_taken_as_they_are)
{
	static const char *const cases[][2] = {
		{ "'a b'", "a b" },
		{ "\"a b\"", "a b" },
		{ "'# // /* */'", "# // /* */" },
		{ "'${HOME}'", "${HOME}" },
		{ "'a\\\\b'", "a\\b" },
		{ "'it\\'s'", "it's" },
		{ "\"say \\\"hi\\\"\"", "say \"hi\"" },
		{ "\"a\\\\b\"", "a\\b" },
		{ "'{ } = , ( ) +='", "{ } = , ( ) +=" },
		{ "'\xc3\xa9t\xc3\xa9'", "\xc3\xa9t\xc3\xa9" },
		{ "/usr/bin/x", "/usr/bin/x" },
		{ "a_-.:@b", "a_-.:@b" },
		{ "'redis-*'", "redis-*" },
		{ "\"it's\"", "it's" },
		{ "'a|b'", "a|b" },
		{ "\"a|b=c\"", "a|b=c" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct rule *r;

		load_good("a.conf", arena_printf(&scratch,
						 "host { service s.service {\n thp = disable"
						 " exe = %s\n comm = { z, %s } } }",
						 cases[i][0], cases[i][0]));
		r = &policy.host.rules.items[0];
		ck_assert_str_eq(r->exe.items[0], cases[i][1]);
		ck_assert_str_eq(r->comm.items[1], cases[i][1]);
		start_again();
	}
}
END_TEST

START_TEST(strings_have_1024_bytes_at_most)
{
	for (size_t n = 1024; n <= 1025; n++)
		for (int quoted = 0; quoted < 2; quoted++) {
			char s[1026];
			const char *q = quoted ? "'" : "";

			memset(s, 'x', n);
			s[n] = '\0';
			s[0] = '/';
			start_again();
			load("a.conf", arena_printf(&scratch, "\nmetrics_file = %s%s%s ", q, s, q),
			     n + (size_t)(2 * quoted) + strlen("\nmetrics_file =  "));
			if (n == 1024) {
				ck_assert_msg(diags.list.n == 0, "%s", first_error());
				ck_assert_str_eq(policy.metrics_file, s);
			} else {
				ck_assert(has_error(2, "1025 bytes"));
			}
		}
}
END_TEST

START_TEST(library_lies_below_the_policy)
{
	const struct section *s;

	load_good("a.conf", "host { enabled = always }\n"
			    "role db {\n enabled = never\n service b.service { reclaim = yes }\n"
			    " service own.service { thp = disable } }\n"
			    "role web { enabled = madvise }");
	library("db", "# comment\nrole 'db' {\n"
		      " enabled = always defrag = defer\n"
		      " anon '64kB' { enabled = always }\n"
		      " service a.service { thp = system }\n"
		      " service b.service { thp = madvise start = gate exe = x }\n}\n");
	check_good();
	s = policy_role(&policy, "db");
	expect(s, "enabled", "never", "a.conf", 3);
	expect(s, "defrag", "defer", "lib.conf", 3);
	expect(s, "hugepages-64kB/enabled", "always", "lib.conf", 4);
	ck_assert_uint_eq(s->settings.n, 3);
	ck_assert_uint_eq(s->rules.n, 3);
	ck_assert_str_eq(s->rules.items[0].title, "a.service");
	ck_assert_str_eq(s->rules.items[1].title, "b.service");
	ck_assert_int_eq(s->rules.items[1].thp, THP_MODE_MADVISE);
	ck_assert_int_eq(s->rules.items[1].reclaim, RECLAIM_YES);
	ck_assert_str_eq(s->rules.items[1].exe.items[0], "x");
	ck_assert_str_eq(s->rules.items[1].pos.file, "a.conf");
	ck_assert_str_eq(s->rules.items[2].title, "own.service");
	expect(policy_role(&policy, "web"), "enabled", "madvise", "a.conf", 6);
	expect(&policy.host, "enabled", "always", "a.conf", 1);
}
END_TEST

START_TEST(library_stands_alone)
{
	load_good("a.conf", "host { enabled = always }");
	library("db", "role db { defrag = defer }");
	check_good();
	expect(policy_role(&policy, "db"), "defrag", "defer", "lib.conf", 1);
	ck_assert_uint_eq(policy.files.n, 2);
	ck_assert_str_eq(policy.files.items[1], "lib.conf");
}
END_TEST

START_TEST(library_holds_its_role_only)
{
	static const struct {
		const char *text;
		uint32_t line;
	} cases[] = {
		{ "\nhost { enabled = never }\nrole db { }", 2 },
		{ "role db { }\nrole web { }", 2 },
		{ "\nrole web { }", 2 },
		{ "role db { }\n\nmissing = warn", 3 },
		{ "verify_interval = 5\nrole db { }", 1 },
		{ "role db { }\nrole db { }", 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		library("db", cases[i].text);
		ck_assert_msg(diags.errors > 0 && diags.list.items[0].line == cases[i].line,
			      "text %zu: %s", i, first_error());
		start_again();
	}
}
END_TEST

START_TEST(library_without_its_role_is_a_fault)
{
	library("db", "# nothing\n");
	ck_assert(has_error(0, "holds no role 'db'"));
	start_again();
	/* It is one also when the policy itself has a section for the role. */
	load_good("a.conf", "role db { enabled = never }");
	library("db", "# nothing\n");
	ck_assert(has_error(0, "holds no role 'db'"));
}
END_TEST

START_TEST(repeated_keys_and_titles)
{
	static const struct {
		const char *text;
		uint32_t line;
		const char *what;
	} cases[] = {
		{ "missing = warn\nmissing = warn", 2, "missing is repeated; it is set in line 1" },
		{ "host { enabled = never\n enabled = never }", 2, "enabled is repeated" },
		{ "host { }\n\nhost { }", 3, "host is repeated" },
		{ "host { khugepaged { }\n khugepaged { } }", 2, "khugepaged is repeated" },
		{ "host { khugepaged { defrag = 0\n defrag = 0 } }", 2, "defrag is repeated" },
		{ "role a { }\nrole b { }\nrole 'a' { }", 3,
		  "role 'a' is repeated; it stands in line 1" },
		{ "host { anon 64kB { }\n anon '64kB' { } }", 2, "'64kB' is repeated" },
		{ "role r {\n service x.service { thp = system }\n"
		  " service \"x.service\" { thp = system } }",
		  3, "'x.service' is repeated; it stands in line 2" },
		{ "role r { service x.service { thp = system unit = a.slice\n unit = b.slice } }",
		  2, "unit is repeated" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		load("a.conf", cases[i].text, strlen(cases[i].text));
		ck_assert_msg(has_error(cases[i].line, cases[i].what), "text %zu: %s", i,
			      first_error());
		ck_assert_uint_eq(diags.errors, 1);
		start_again();
	}
}
END_TEST

START_TEST(same_names_in_different_sections)
{
	load_good(
		"a.conf",
		"host { enabled = never anon 64kB { enabled = never }\n"
		" khugepaged { defrag = 0 } defrag = never\n"
		" service x.service { thp = system } service 64kB { unit = 'a.*' thp = system } }\n"
		"role a { enabled = never anon 64kB { enabled = never }\n"
		" service x.service { thp = system } }\n"
		"role b { enabled = never anon 64kB { enabled = never }\n"
		" service x.service { thp = system } }\n"
		"role 64kB { }");
	check_good();
	expect(&policy.host, "defrag", "never", "a.conf", 2);
	expect(&policy.host, "khugepaged/defrag", "0", "a.conf", 2);
}
END_TEST

START_TEST(several_faults_are_found_at_once)
{
	static const char text[] = "verify_interval = soon\n"
				   "bogus = 1\n"
				   "host {\n"
				   "  enabled = sometimes\n"
				   "  enabeld = never\n"
				   "  khugepaged { max_ptes_none = -1\n defrag = 2 }\n"
				   "  anon '63kB' { enabled = never }\n"
				   "  khugepage { x = 1 }\n"
				   "  defrag = { a, b }\n"
				   "  enabled { }\n"
				   "  service { thp = system }\n"
				   "  service 'redis' { }\n"
				   "  use_zero_page = 1\n"
				   "}\n"
				   "enabled = never\n"
				   "role '-x' { hosts = '*' }\n";
	static const struct {
		uint32_t line;
		const char *what;
	} faults[] = {
		{ 1, "verify_interval: 'soon'" },
		{ 2, "unknown key bogus at the top level" },
		{ 4, "unknown word 'sometimes'; expected always, madvise or never" },
		{ 5, "unknown key enabeld in host; expected enabled?" },
		{ 6, "max_ptes_none: '-1'" },
		{ 7, "defrag: '2'" },
		{ 8, "'63kB'" },
		{ 9, "expected khugepaged?" },
		{ 10, "defrag takes one value" },
		{ 11, "enabled" },
		{ 12, "service needs a title" },
		{ 16, "enabled cannot stand at the top level; expected it in host" },
		{ 17, "'-x' cannot name a role" },
	};

	load("a.conf", text, strlen(text));
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		ck_assert_msg(has_error(faults[i].line, faults[i].what), "missed: %u: %s",
			      faults[i].line, faults[i].what);
	ck_assert_uint_eq(diags.errors, ARRAY_SIZE(faults));
	ck_assert_uint_eq(diags.troubles, 0);
	ck_assert_int_eq(policy_check(&policy, &diags), 0);
	ck_assert(has_error(13, "service 'redis' has no thp"));
	ck_assert(has_error(13, "'redis.service'"));
	for (size_t i = 0; i < diags.list.n; i++)
		ck_assert_str_eq(diags.list.items[i].file, "a.conf");
}
END_TEST

/* Texts with one fault each, with its line. */
static const struct {
	const char *text;
	uint32_t line;
	const char *what;
} bad_texts[] = {
	{ "host {\n enabled = never\n", 3, "the brace opened in line 1 is not closed" },
	{ "\n}", 2, "no section is open" },
	{ "host { } }", 1, "no section is open" },
	{ "\nhost { enabled = 'never }\n", 2, "string is not closed" },
	{ "host {\n enabled = \"never\n\" }", 2, "string is not closed" },
	{ "\n\nmissing = 'warn", 3, "string is not closed" },
	{ "\n/* never\nclosed", 2, "comment is not closed" },
	{ "\nmissing = \"${HOME}\"", 2, "${...}" },
	{ "\nmissing = ${HOME}", 2, "${...}" },
	{ "\nmissing += warn", 2, "+= is not supported" },
	{ "\ninclude('x')", 2, "include() is not supported" },
	{ "\n'missing' = warn", 2, "keys are not quoted" },
	{ "missing = warn;\n", 1, "unexpected ';'" },
	{ "\nmissing warn", 2, "= between key and value" },
	{ "\nmissing =", 2, "unexpected end of file" },
	{ "\nmissing", 2, "unexpected end of file" },
	{ "\nmissing = = warn", 2, "expected a value" },
	{ "role\n{ }", 1, "needs a title" },
	{ "host 'x' { }", 1, "takes no title" },
	{ "role x enabled = never", 1, "{ behind the title" },
	{ "host = never", 1, "host is a section" },
	{ "role = never", 1, "role is a section" },
	{ "role r { hosts = { a b } }", 1, ", or } in the list" },
	{ "role r { hosts = {\n a,\n , b } }", 3, "a value or }" },
	{ "role r { hosts = { { a } } }", 1, "a value or }" },
	{ "role r { hosts = redis-* }", 1, "must be quoted" },
	{ "role r { hosts = { a|b } }", 1, "must be quoted" },
	{ "host { defrag = defer+madvise }", 1, "must be quoted" },
	{ "metrics_file = /tmp/", 1, "must be quoted" },
	{ "\xef\xbb\xbfhost { }", 1, "byte order mark" },
	{ "\n\nmissing = \x01", 3, "control byte 0x01" },
	{ "\n# \x1b[0m", 2, "control byte 0x1b" },
	{ "\nhost { \xc3\xa9 = 1 }", 2, "0xc3" },
	{ "missing = \"w\\x61rn\"", 1, "escape \\x61" },
	{ "missing = ''", 1, "empty" },
	{ "\nmissing = 'wa\trn'", 2, "control character" },
	{ "\nverify_interval = 86401", 2, "0 to 86400" },
	{ "verify_interval = 01", 1, "is not a number" },
	{ "on_drift = never", 1, "expected reapply or report" },
	{ "missing = Warn", 1, "expected error, warn or ignore" },
	{ "metrics_file = 'x.prom'", 1, "no absolute file name" },
	{ "metrics_file = '/a/../b'", 1, "no absolute file name" },
	{ "metrics_file = '/a/'", 1, "no absolute file name" },
	{ "host_role = 'a/b'", 1, "cannot name a role" },
	{ "host_role = '.x'", 1, "cannot name a role" },
	{ "role '' { }", 1, "cannot name a role" },
	{ "host { hosts = 'x' }", 1, "hosts cannot stand in host" },
	{ "role r { missing = warn }", 1, "missing cannot stand in a role" },
	{ "host { khugepaged { enabled = never } }", 1, "enabled cannot stand in khugepaged" },
	{ "host { khugepaged { pages_to_scan = 0 } }", 1, "1 to 4294967295" },
	{ "host { khugepaged { scan_sleep_millisecs = 4294967296 } }", 1, "0 to 4294967295" },
	{ "host { use_zero_page = yes }", 1, "0 to 1" },
	{ "host { anon 64KB { } }", 1, "no size of the kernel's" },
	{ "host { anon 4kB { } }", 1, "no size of the kernel's" },
	{ "host { anon 064kB { } }", 1, "no size of the kernel's" },
	{ "host { anon 99999999999999999999kB { } }", 1, "no size of the kernel's" },
	{ "host { anon 64kB { enabled = force } }", 1, "always, inherit, madvise or never" },
	{ "host { service x.service {\n thp = off } }", 2, "inherit, disable, madvise or system" },
	{ "host { service x.service { thp = system\n unit = redis } }", 2, "'redis.service'" },
	{ "host { service x.service { thp = system\n unit = x.timer } }", 2, "matches no unit" },
	{ "host { service x {\n thp = system\n unit = x.device } }", 3,
	  ".socket, .mount or .swap" },
	{ "host { service '' { thp = system } }", 1, "empty title" },
};

START_TEST(each_fault_has_its_line)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_texts); i++) {
		const char *what = bad_texts[i].what;

		load("a.conf", bad_texts[i].text, strlen(bad_texts[i].text));
		ck_assert_msg(diags.errors == 1 && has_error(bad_texts[i].line, what),
			      "text %zu: %zu errors, the first: %s; expected line %u: %s", i,
			      diags.errors, first_error(), bad_texts[i].line, what);
		start_again();
	}
}
END_TEST

START_TEST(sections_nest_no_deeper_than_they_may)
{
	enum { N = 100000 };
	static const char deep[] = "host { khugepaged {\n x { } } }";
	_cleanup_free_ char *text = malloc(2 * N);

	load("a.conf", deep, strlen(deep));
	ck_assert(has_error(2, "nested deeper than 2"));
	start_again();
	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < N; i++)
		memcpy(text + 2 * i, "a{", 2);
	load("a.conf", text, 2 * N);
	ck_assert(has_error(1, "nested deeper than 2"));
}
END_TEST

START_TEST(metrics_file_is_no_directory)
{
	load("a.conf", "metrics_file = '/var/lib/..'", strlen("metrics_file = '/var/lib/..'"));
	ck_assert(has_error(1, "no absolute file name"));
}
END_TEST

START_TEST(a_faulty_list_item_has_its_own_line)
{
	static const char text[] = "host { service x {\n thp = system\n"
				   " unit = { 'a.service',\n"
				   "          'b.timer',\n"
				   "          'c.service',\n"
				   "          'd.service' } } }\n";

	load("a.conf", text, strlen(text));
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert_msg(has_error(4, "b.timer"), "%s", first_error());
}
END_TEST

START_TEST(a_failed_load_leaves_nothing_behind)
{
	static const char good[] =
		"\nhost {\n enabled = never\n service x.service { thp = system } }\n";

	for (size_t i = 0; i < ARRAY_SIZE(bad_texts); i++) {
		load("bad.conf", bad_texts[i].text, strlen(bad_texts[i].text));
		ck_assert_uint_gt(diags.errors, 0);
		start_again();
		load_good("good.conf", good);
		expect(&policy.host, "enabled", "never", "good.conf", 3);
		ck_assert_uint_eq(policy.host.rules.items[0].pos.line, 4);
		ck_assert_uint_eq(policy.host.settings.n + policy.host.rules.n, 2);
		start_again();
	}
}
END_TEST

START_TEST(a_cut_file_is_good_or_reported)
{
	static const char text[] =
		"missing = warn /* c */\nhost {\n defrag = 'defer+madvise' # x\n"
		" anon '64kB' { enabled = \"never\" }\n"
		" service a.service { thp = system exe = { 'x', \"y\\\\\" } }\n}\n"
		"role r { hosts = { 'a*',\n 'b' } }\n";
	size_t bad = 0;

	for (size_t n = 0; n <= strlen(text); n++) {
		load("a.conf", text, n);
		bad += diags.errors > 0;
		if (diags.errors > 0)
			ck_assert_msg(diags.list.items[0].line >= 1 &&
					      diags.list.items[0].line <= 8,
				      "%s", first_error());
		else
			check_good();
		start_again();
	}
	ck_assert_uint_gt(bad, 100);
	load_good("a.conf", text);
}
END_TEST

START_TEST(policy_check_sees_the_whole)
{
	load_good("a.conf", "host { service redis.service { exe = x } }\n"
			    "role r {\n service db { unit = 'db*' } }");
	ck_assert_int_eq(policy_check(&policy, &diags), 0);
	ck_assert_uint_eq(diags.errors, 2);
	ck_assert(has_error(1, "'redis.service' has no thp"));
	ck_assert(has_error(3, "'db' has no thp"));
	diags_free(&diags);
	/* Another file may give what is missing. */
	load_good("b.conf", "host { service redis.service { thp = madvise } }\n"
			    "role r { service db { thp = disable } }");
	check_good();
}
END_TEST

START_TEST(role_names)
{
	static const char *const good[] = { "a", "9", "mongodb-8", "db.primary", "x@y", "_" };
	static const char *const bad[] = { "",	  ".",	 "..",	".a",	    "-a",
					   "a/b", "a b", "a\n", "\xc3\xa9", "a*" };
	char name[66];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(role_name_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!role_name_valid(bad[i]), "%s", bad[i]);
	memset(name, 'r', 65);
	name[65] = '\0';
	ck_assert(!role_name_valid(name));
	name[64] = '\0';
	ck_assert(role_name_valid(name));
}
END_TEST

START_TEST(five_thousand_rules)
{
	enum { N = 5000 };
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	fprintf(f, "host {\n");
	for (int i = 0; i < N; i++)
		fprintf(f, "service 'unit%d.service' { thp = disable exe = '/bin/%d' }\n", i, i);
	fprintf(f, "}\n");
	ck_assert_int_eq(fclose(f), 0);
	load_good("a.conf", text);
	free(text);
	check_good();
	ck_assert_uint_eq(policy.host.rules.n, N);
	for (uint32_t i = 0; i < N; i++) {
		const struct rule *r = &policy.host.rules.items[i];

		ck_assert_uint_eq(r->pos.line, i + 2);
		ck_assert_uint_eq(strtoul(r->title + 4, NULL, 10), i);
		ck_assert_uint_eq(strtoul(r->exe.items[0] + 5, NULL, 10), i);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *c = new_case(s, "good");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, scan_blanks_comments_and_keeps_lines);
	tcase_add_test(c, scan_blanks_faulty_statements_alone);
	tcase_add_test(c, nothing_is_a_policy_too);
	tcase_add_test(c, top_level_keys);
	tcase_add_test(c, kernel_keys_and_their_positions);
	tcase_add_test(c, comments_do_not_shift_lines);
	tcase_add_test(c, later_files_override_key_by_key);
	tcase_add_test(c, rules_take_patterns_and_words);
	tcase_add_test(c, rules_merge_by_title);
	tcase_add_test(c, strings_are_taken_as_they_are);
	tcase_add_test(c, strings_have_1024_bytes_at_most);
	tcase_add_test(c, same_names_in_different_sections);
	tcase_add_test(c, five_thousand_rules);
	tcase_add_test(c, library_lies_below_the_policy);
	tcase_add_test(c, library_stands_alone);

	c = new_case(s, "bad");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, library_holds_its_role_only);
	tcase_add_test(c, library_without_its_role_is_a_fault);
	tcase_add_test(c, repeated_keys_and_titles);
	tcase_add_test(c, several_faults_are_found_at_once);
	tcase_add_test(c, each_fault_has_its_line);
	tcase_add_test(c, sections_nest_no_deeper_than_they_may);
	tcase_add_test(c, metrics_file_is_no_directory);
	tcase_add_test(c, a_faulty_list_item_has_its_own_line);
	tcase_add_test(c, a_failed_load_leaves_nothing_behind);
	tcase_add_test(c, a_cut_file_is_good_or_reported);
	tcase_add_test(c, policy_check_sees_the_whole);
	tcase_add_test(c, role_names);
	return run_suite(s);
}
