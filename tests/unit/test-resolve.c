/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "plan/resolve.h"

static struct policy policy;
static struct facts facts;
static struct plan plan;
static struct arena scratch;

#define OFFER "always madvise never"

static void setup(void)
{
	policy_init(&policy);
	facts.hostname = "db1.example.org";
	facts.release = "6.12.5-amd64";
}

static void teardown(void)
{
	plan_free(&plan);
	facts_free(&facts);
	policy_free(&policy);
	arena_free(&scratch);
}

static void start_again(void)
{
	teardown();
	setup();
}

static void set(const char *role, const char *key, const char *value, uint32_t line)
{
	struct pos pos = { role ? "role.conf" : "host.conf", line };
	struct section *s = policy_section(&policy, role, pos);

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(section_set(&policy, s, key, value, pos), 0);
}

static void add_string(strlist *l, const char *s)
{
	const char **slot = array_add(&policy.arena, l);

	ck_assert_ptr_nonnull(slot);
	*slot = s;
}

static void add_hosts(const char *role, const char *pattern, const char *file, uint32_t line)
{
	struct section *s = policy_section(&policy, role, (struct pos){ file, line });

	ck_assert_ptr_nonnull(s);
	s->hosts_pos = (struct pos){ file, line };
	add_string(&s->hosts, pattern);
}

/* Rules may move when one is added: the pointer is for filling it at once. */
static struct rule *add_rule(const char *role, const char *title, enum thp_mode thp, uint32_t line)
{
	struct section *s = role ? policy_section(&policy, role, (struct pos){ "r", 1 }) :
				   &policy.host;
	struct rule *r = section_rule(&policy, s, title, (struct pos){ "rules.conf", line });

	ck_assert_ptr_nonnull(r);
	r->thp = thp;
	return r;
}

static void knob(const char *key, const char *value, const char *words)
{
	ck_assert_int_eq(facts_add_knob(&facts, key, 0, value, words), 0);
}

static void resolve(const char *role)
{
	struct role_choice choice = { .name = role, .source = role ? ROLE_OPTION : ROLE_NONE };

	ck_assert_int_eq(resolve_wanted(&policy, &choice, &plan), 0);
	ck_assert_int_eq(resolve_found(&policy, &facts, &plan), 0);
}

static const struct plan_item *item(const char *key)
{
	const struct plan_item *it;

	array_foreach(it, &plan.items)
		if (streq(it->key, key))
			return it;
	ck_abort_msg("%s is not in the plan", key);
	return NULL;
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

static size_t notes_about(const char *what)
{
	const struct diag *it;
	size_t n = 0;

	array_foreach(it, &plan.findings.list)
		n += it->severity == SEVERITY_NOTE && contains(it->message, what);
	return n;
}

/* Each source in turn is silenced, and the next one answers. */
START_TEST(role_sources_have_an_order)
{
	static const struct {
		const char *name;
		enum role_source source;
		const char *where;
		uint32_t line;
	} order[] = {
		{ "opt", ROLE_OPTION, NULL, 0 },
		{ "cmd", ROLE_CMDLINE, "/proc/cmdline", 0 },
		{ "cred", ROLE_CREDENTIAL, "/run/c", 2 },
		{ "file", ROLE_FILE, "/etc/thpd/role", 3 },
		{ "pol", ROLE_POLICY, "p.conf", 4 },
		{ "matched", ROLE_HOSTS, "h.conf", 5 },
		{ NULL, ROLE_NONE, NULL, 0 },
	};
	const char *option = "opt";

	facts.cmdline_role = (struct role_word){ "cmd", "/proc/cmdline", 0 };
	facts.credential_role = (struct role_word){ "cred", "/run/c", 2 };
	facts.file_role = (struct role_word){ "file", "/etc/thpd/role", 3 };
	policy.host_role = "pol";
	policy.host_role_pos = (struct pos){ "p.conf", 4 };
	add_hosts("matched", "db1.*", "h.conf", 5);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct role_choice c = { .name = "stale", .pattern = "stale", .line = 99 };

		resolve_role(&policy, &facts, option, &c);
		ck_assert_int_eq(c.source, order[i].source);
		ck_assert_pstr_eq(c.name, order[i].name);
		ck_assert_pstr_eq(c.where, order[i].where);
		ck_assert_uint_eq(c.line, order[i].line);
		ck_assert_pstr_eq(c.pattern, order[i].source == ROLE_HOSTS ? "db1.*" : NULL);
		switch (order[i].source) {
		case ROLE_OPTION:
			option = NULL;
			break;
		case ROLE_CMDLINE:
			facts.cmdline_role.word = NULL;
			break;
		case ROLE_CREDENTIAL:
			facts.credential_role.word = NULL;
			break;
		case ROLE_FILE:
			facts.file_role.word = NULL;
			break;
		case ROLE_POLICY:
			policy.host_role = NULL;
			break;
		default:
			facts.hostname = "other";
		}
	}
}
END_TEST

START_TEST(first_role_whose_hosts_match)
{
	static const char *const cases[][2] = {
		{ "db1", "first" }, { "db77", "second" },  { "cache", "second" },
		{ "CACHE", NULL },  { "xdb1", NULL },	   { "web-a", "third" },
		{ "web-d", NULL },  { "a.b.c", "fourth" }, { "", NULL },
	};

	policy_section(&policy, "none", (struct pos){ "h.conf", 1 });
	add_hosts("first", "db?", "h.conf", 2);
	add_hosts("second", "db*", "h.conf", 3);
	add_hosts("second", "cache", "h.conf", 3);
	add_hosts("third", "web-[a-c]", "h.conf", 4);
	add_hosts("fourth", "a.*", "h.conf", 5);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct role_choice c;

		facts.hostname = cases[i][0];
		resolve_role(&policy, &facts, NULL, &c);
		ck_assert_msg((!c.name && !cases[i][1]) ||
				      (c.name && cases[i][1] && streq(c.name, cases[i][1])),
			      "'%s' has role %s", cases[i][0], c.name ? c.name : "(none)");
	}
}
END_TEST

/* The place that is shown is where the pattern stands, not where the role was named first. */
START_TEST(matched_role_points_to_its_pattern)
{
	struct role_choice c;

	policy_section(&policy, "db", (struct pos){ "a.conf", 7 });
	add_hosts("db", "db*", "b.conf", 2);
	resolve_role(&policy, &facts, NULL, &c);
	ck_assert_str_eq(c.name, "db");
	ck_assert_str_eq(c.where, "b.conf");
	ck_assert_uint_eq(c.line, 2);
}
END_TEST

START_TEST(unknown_role_is_an_error)
{
	struct role_choice c = {
		.name = "nobody", .source = ROLE_FILE, .where = "/etc/thpd/role", .line = 3
	};

	set(NULL, "enabled", "never", 1);
	set("db", "enabled", "always", 1);
	ck_assert_int_eq(resolve_wanted(&policy, &c, &plan), 0);
	ck_assert_uint_eq(plan.findings.errors, 1);
	ck_assert_str_eq(plan.findings.list.items[0].file, "/etc/thpd/role");
	ck_assert_uint_eq(plan.findings.list.items[0].line, 3);
	ck_assert(contains(plan.findings.list.items[0].message, "'nobody'"));
	plan_free(&plan);
	c = (struct role_choice){ .name = "nobody", .source = ROLE_OPTION };
	ck_assert_int_eq(resolve_wanted(&policy, &c, &plan), 0);
	ck_assert_str_eq(plan.findings.list.items[0].file, "--role");
}
END_TEST

START_TEST(role_overrides_host_key_by_key)
{
	set(NULL, "enabled", "never", 1);
	set(NULL, "defrag", "defer", 2);
	set("db", "shmem_enabled", "advise", 7);
	set("db", "enabled", "always", 8);
	set("web", "defrag", "never", 9);
	resolve("db");
	ck_assert_uint_eq(plan.items.n, 3);
	ck_assert_str_eq(item("enabled")->wanted, "always");
	ck_assert_str_eq(item("enabled")->pos.file, "role.conf");
	ck_assert_uint_eq(item("enabled")->pos.line, 8);
	ck_assert_str_eq(item("enabled")->overrides.file, "host.conf");
	ck_assert_uint_eq(item("enabled")->overrides.line, 1);
	ck_assert_str_eq(item("defrag")->wanted, "defer");
	ck_assert_ptr_null(item("defrag")->overrides.file);
	ck_assert_ptr_null(item("shmem_enabled")->overrides.file);
	plan_free(&plan);
	resolve(NULL);
	ck_assert_uint_eq(plan.items.n, 2);
	ck_assert_str_eq(item("enabled")->wanted, "never");
}
END_TEST

START_TEST(items_have_a_fixed_order)
{
	static const char *const order[] = {
		"enabled",
		"defrag",
		"shmem_enabled",
		"use_zero_page",
		"shrink_underused",
		"khugepaged/alloc_sleep_millisecs",
		"khugepaged/defrag",
		"khugepaged/max_ptes_none",
		"khugepaged/pages_to_scan",
		"hugepages-16kB/enabled",
		"hugepages-16kB/shmem_enabled",
		"hugepages-64kB/enabled",
		"hugepages-512kB/enabled",
		"hugepages-2048kB/enabled",
		"hugepages-1048576kB/enabled",
	};
	size_t n = ARRAY_SIZE(order);

	/* Neither forwards nor backwards, half of them in the role. */
	for (size_t i = 0; i < n; i++)
		set(i % 2 ? NULL : "r", order[i * 7 % n], "1", (uint32_t)i + 1);
	resolve("r");
	ck_assert_uint_eq(plan.items.n, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(plan.items.items[i].key, order[i]);
}
END_TEST

START_TEST(found_is_held_against_wanted)
{
	set(NULL, "enabled", "never", 1);
	set(NULL, "defrag", "defer", 2);
	set(NULL, "use_zero_page", "1", 3);
	set(NULL, "shrink_underused", "0", 4);
	knob("enabled", "never", OFFER);
	knob("defrag", "madvise", "always defer defer+madvise madvise never");
	knob("use_zero_page", "1", "");
	knob("shrink_underused", "1", "");
	resolve(NULL);
	ck_assert_int_eq(item("enabled")->outcome, OUTCOME_OK);
	ck_assert_int_eq(item("defrag")->outcome, OUTCOME_DRIFTED);
	ck_assert_str_eq(item("defrag")->found, "madvise");
	ck_assert_int_eq(item("use_zero_page")->outcome, OUTCOME_OK);
	ck_assert_int_eq(item("shrink_underused")->outcome, OUTCOME_DRIFTED);
	ck_assert_str_eq(item("shrink_underused")->found, "1");
	ck_assert_ptr_null(item("enabled")->now);
	ck_assert_uint_eq(plan.findings.errors + plan.findings.warnings, 0);
}
END_TEST

START_TEST(missing_decides_about_files_and_words)
{
	static const struct {
		enum missing missing;
		bool word;
		size_t errors, warnings;
		bool tolerated;
	} cases[] = {
		{ MISSING_UNSET, false, 0, 1, true },  { MISSING_UNSET, true, 1, 0, false },
		{ MISSING_ERROR, false, 1, 0, false }, { MISSING_ERROR, true, 1, 0, false },
		{ MISSING_WARN, false, 0, 1, true },   { MISSING_WARN, true, 0, 1, true },
		{ MISSING_IGNORE, false, 0, 0, true }, { MISSING_IGNORE, true, 0, 0, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct plan_item *it;

		start_again();
		policy.missing = cases[i].missing;
		set(NULL, "shmem_enabled", "within_size", 12);
		if (cases[i].word)
			knob("shmem_enabled", "never", "always never");
		else
			facts_add_knob(&facts, "shmem_enabled", -ENOENT, NULL, NULL);
		resolve(NULL);
		it = item("shmem_enabled");
		ck_assert_int_eq(it->outcome, cases[i].word ? OUTCOME_REJECTED : OUTCOME_ABSENT);
		ck_assert_int_eq(it->tolerated, cases[i].tolerated);
		ck_assert_ptr_nonnull(it->note);
		ck_assert_msg(plan.findings.errors == cases[i].errors, "case %zu", i);
		ck_assert_msg(plan.findings.warnings == cases[i].warnings, "case %zu", i);
		if (cases[i].errors + cases[i].warnings) {
			ck_assert_str_eq(plan.findings.list.items[0].file, "host.conf");
			ck_assert_uint_eq(plan.findings.list.items[0].line, 12);
		}
		if (cases[i].word)
			ck_assert(contains(it->note, "it offers always never"));
	}
}
END_TEST

START_TEST(words_are_compared_whole)
{
	static const struct {
		const char *wanted, *words;
		bool good;
	} cases[] = {
		{ "defer", "always defer+madvise madvise never", false },
		{ "madvise", "always defer+madvise never", false },
		{ "madvise", "defer+madvise madvise", true },
		{ "defer", "defer+madvise defer", true },
		{ "defer+madvise", "always defer+madvise", true },
		{ "always", "always", true },
		{ "never", "nevermore never", true },
		{ "never", "nevermore", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start_again();
		set(NULL, "defrag", cases[i].wanted, 1);
		knob("defrag", "x", cases[i].words);
		resolve(NULL);
		ck_assert_msg(item("defrag")->outcome ==
				      (cases[i].good ? OUTCOME_DRIFTED : OUTCOME_REJECTED),
			      "%s among %s", cases[i].wanted, cases[i].words);
	}
}
END_TEST

START_TEST(max_ptes_must_fit_the_huge_page)
{
	static const struct {
		const char *key, *wanted;
		uint64_t pmd_pages;
		bool good;
	} cases[] = {
		{ "khugepaged/max_ptes_none", "511", 512, true },
		{ "khugepaged/max_ptes_none", "512", 512, false },
		{ "khugepaged/max_ptes_swap", "512", 512, false },
		{ "khugepaged/max_ptes_shared", "600", 512, false },
		{ "khugepaged/max_ptes_none", "8191", 8192, true },
		{ "khugepaged/max_ptes_none", "65535", 0,
		  true }, /* not known: the kernel decides */
		{ "khugepaged/pages_to_scan", "4096", 512, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start_again();
		/* Not a question of what the kernel has not got: `missing` has no say in it. */
		policy.missing = MISSING_IGNORE;
		facts.pmd_pages = cases[i].pmd_pages;
		set(NULL, cases[i].key, cases[i].wanted, 4);
		knob(cases[i].key, "0", "");
		resolve(NULL);
		ck_assert_msg(item(cases[i].key)->outcome ==
				      (cases[i].good ? OUTCOME_DRIFTED : OUTCOME_REJECTED),
			      "case %zu", i);
		ck_assert_uint_eq(plan.findings.errors, cases[i].good ? 0 : 1);
		ck_assert(!item(cases[i].key)->tolerated);
	}
}
END_TEST

START_TEST(kernel_without_thp_is_one_finding)
{
	static const struct {
		enum missing missing;
		size_t errors, warnings;
	} cases[] = {
		{ MISSING_UNSET, 0, 1 },
		{ MISSING_ERROR, 1, 0 },
		{ MISSING_WARN, 0, 1 },
		{ MISSING_IGNORE, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start_again();
		facts.thp_error = -ENOENT;
		policy.missing = cases[i].missing;
		set(NULL, "enabled", "always", 1);
		set(NULL, "defrag", "never", 2);
		set(NULL, "khugepaged/max_ptes_none", "0", 3);
		resolve(NULL);
		ck_assert_uint_eq(plan.findings.errors, cases[i].errors);
		ck_assert_uint_eq(plan.findings.warnings, cases[i].warnings);
		ck_assert_int_eq(item("enabled")->outcome, OUTCOME_ABSENT);
		ck_assert_int_eq(item("khugepaged/max_ptes_none")->outcome, OUTCOME_ABSENT);
		ck_assert_int_eq(item("defrag")->tolerated, cases[i].errors == 0);
	}
	/* A policy without settings misses nothing. */
	start_again();
	facts.thp_error = -ENOENT;
	policy.missing = MISSING_ERROR;
	resolve(NULL);
	ck_assert_uint_eq(plan.findings.list.n, 0);
}
END_TEST

START_TEST(unreadable_is_unknown)
{
	set(NULL, "enabled", "always", 1);
	set(NULL, "defrag", "never", 2);
	set(NULL, "use_zero_page", "1", 3);
	policy.missing = MISSING_IGNORE;
	facts_add_knob(&facts, "enabled", -EACCES, NULL, NULL);
	facts_add_knob(&facts, "defrag", -EBADMSG, NULL, NULL);
	resolve(NULL);
	ck_assert_int_eq(item("enabled")->outcome, OUTCOME_UNKNOWN);
	ck_assert_int_eq(item("enabled")->error, EACCES);
	ck_assert(contains(item("enabled")->note, strerror(EACCES)));
	ck_assert_int_eq(item("defrag")->error, EBADMSG);
	/* Nobody looked. */
	ck_assert_int_eq(item("use_zero_page")->outcome, OUTCOME_UNKNOWN);
	for (size_t i = 0; i < plan.items.n; i++) {
		ck_assert(plan_item_failed(&plan.items.items[i]));
		ck_assert_ptr_null(plan.items.items[i].found);
	}
	plan_free(&plan);
	facts.thp_error = -EACCES;
	resolve(NULL);
	ck_assert_int_eq(item("use_zero_page")->outcome, OUTCOME_UNKNOWN);
	ck_assert_int_eq(item("use_zero_page")->error, EACCES);
}
END_TEST

START_TEST(never_is_noted_where_it_does_not_hold)
{
	set(NULL, "enabled", "never", 1);
	set(NULL, "hugepages-64kB/enabled", "madvise", 2);
	set(NULL, "hugepages-32kB/enabled", "never", 3);
	set(NULL, "hugepages-2048kB/enabled", "inherit", 4);
	set(NULL, "hugepages-64kB/shmem_enabled", "always", 5);
	resolve(NULL);
	ck_assert_uint_eq(notes_about("still gives huge pages"), 1);
	ck_assert_uint_eq(notes_about("hugepages-64kB/enabled = madvise"), 1);
	plan_free(&plan);
	/* The role turns it on: then there is nothing to say. */
	set("on", "enabled", "always", 9);
	resolve("on");
	ck_assert_uint_eq(notes_about(""), 0);
}
END_TEST

START_TEST(defrag_is_idle_while_enabled_is_never)
{
	set(NULL, "enabled", "never", 1);
	set(NULL, "defrag", "always", 2);
	set(NULL, "khugepaged/defrag", "1", 3);
	resolve(NULL);
	ck_assert_uint_eq(notes_about("defrag has no effect"), 1);
	ck_assert_uint_eq(plan.findings.list.items[0].line, 2);
	ck_assert_uint_eq(plan.findings.errors + plan.findings.warnings, 0);
}
END_TEST

/* A fault that takes a page of such a size asks `defrag` how hard to try, alloc_anon_folio(). */
START_TEST(defrag_is_not_idle_while_a_size_gives_pages)
{
	set(NULL, "enabled", "never", 1);
	set(NULL, "defrag", "always", 2);
	set(NULL, "hugepages-64kB/enabled", "always", 3);
	resolve(NULL);
	ck_assert_uint_eq(notes_about("still gives huge pages"), 1);
	ck_assert_uint_eq(notes_about("defrag has no effect"), 0);
}
END_TEST

START_TEST(madvise_needs_618)
{
	static const struct {
		const char *release;
		bool good;
	} cases[] = {
		{ "6.18.0", true },   { "6.18", true },	 { "6.18-rc1", true }, { "6.19.2", true },
		{ "7.0.0", true },    { "10.1", true },	 { "6.17.99", false }, { "6.2.0", false },
		{ "5.19.17", false }, { "5.10", false }, { "", false },	       { "linux", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start_again();
		facts.release = cases[i].release;
		add_rule(NULL, "a.service", THP_MODE_MADVISE, 5);
		resolve(NULL);
		ck_assert_msg(plan.findings.errors == (cases[i].good ? 0 : 1), "%s",
			      cases[i].release);
		ck_assert_int_eq(rule("a.service")->mode, THP_MODE_MADVISE);
		if (cases[i].good)
			continue;
		ck_assert_int_eq(rule("a.service")->outcome, OUTCOME_UNSUPPORTED);
		ck_assert_str_eq(plan.findings.list.items[0].file, "rules.conf");
		ck_assert_uint_eq(plan.findings.list.items[0].line, 5);
	}
}
END_TEST

START_TEST(madvise_falls_back_as_told)
{
	static const struct {
		enum fallback policy, rule;
		enum thp_mode mode;
	} cases[] = {
		{ FALLBACK_DISABLE, FALLBACK_UNSET, THP_MODE_DISABLE },
		{ FALLBACK_INHERIT, FALLBACK_UNSET, THP_MODE_INHERIT },
		{ FALLBACK_UNSET, FALLBACK_DISABLE, THP_MODE_DISABLE },
		{ FALLBACK_UNSET, FALLBACK_INHERIT, THP_MODE_INHERIT },
		{ FALLBACK_DISABLE, FALLBACK_INHERIT, THP_MODE_INHERIT },
		{ FALLBACK_INHERIT, FALLBACK_DISABLE, THP_MODE_DISABLE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (int modern = 0; modern < 2; modern++) {
			start_again();
			facts.release = modern ? "6.18.1" : "6.17.1";
			policy.fallback = cases[i].policy;
			add_rule(NULL, "a.service", THP_MODE_MADVISE, 1)->fallback = cases[i].rule;
			resolve(NULL);
			ck_assert_uint_eq(plan.findings.errors, 0);
			ck_assert_int_eq(rule("a.service")->mode,
					 modern ? THP_MODE_MADVISE : cases[i].mode);
			ck_assert_int_eq(rule("a.service")->outcome == OUTCOME_UNSUPPORTED,
					 !modern);
			ck_assert_int_eq(rule("a.service")->note != NULL, !modern);
		}
}
END_TEST

START_TEST(other_modes_need_no_kernel)
{
	static const enum thp_mode modes[] = { THP_MODE_DISABLE, THP_MODE_SYSTEM,
					       THP_MODE_INHERIT };

	facts.release = "4.18.0";
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		add_rule(NULL, arena_printf(&scratch, "%zu.service", i), modes[i], 1);
	resolve(NULL);
	ck_assert_uint_eq(plan.findings.list.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		ck_assert_int_eq(plan.rules.items[i].mode, modes[i]);
}
END_TEST

START_TEST(rules_of_the_role_come_last)
{
	add_rule("db", "r1.service", THP_MODE_DISABLE, 1);
	add_rule(NULL, "h1.service", THP_MODE_SYSTEM, 2);
	add_rule(NULL, "h2.service", THP_MODE_SYSTEM, 3);
	add_rule("web", "w.service", THP_MODE_SYSTEM, 4);
	resolve("db");
	ck_assert_uint_eq(plan.rules.n, 3);
	ck_assert_str_eq(plan.rules.items[0].rule->title, "h1.service");
	ck_assert_str_eq(plan.rules.items[1].rule->title, "h2.service");
	ck_assert_str_eq(plan.rules.items[2].rule->title, "r1.service");
	ck_assert_ptr_null(plan.rules.items[0].section);
	ck_assert_str_eq(plan.rules.items[2].section, "db");
	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_null(plan.rules.items[i].loses_to);
}
END_TEST

START_TEST(the_last_of_equal_rules_wins)
{
	add_rule(NULL, "a.service", THP_MODE_DISABLE, 1);
	add_rule(NULL, "b.service", THP_MODE_SYSTEM, 2);
	add_string(&add_rule(NULL, "narrower", THP_MODE_SYSTEM, 3)->exe, "/bin/x");
	add_string(&policy.host.rules.items[2].unit, "a.service");
	add_rule("db", "a.service", THP_MODE_MADVISE, 4)->fallback = FALLBACK_DISABLE;
	resolve("db");
	ck_assert_uint_eq(plan.rules.n, 4);
	ck_assert_ptr_eq(plan.rules.items[0].loses_to, plan.rules.items[3].rule);
	ck_assert_uint_eq(plan.rules.items[0].loses_to->pos.line, 4);
	ck_assert_ptr_null(rule("b.service")->loses_to);
	ck_assert_ptr_null(rule("narrower")->loses_to);
	ck_assert_ptr_null(plan.rules.items[3].loses_to);
}
END_TEST

/* Spelled out or as the title, it is the same pattern. */
START_TEST(a_title_and_a_unit_may_be_equal)
{
	add_string(&add_rule(NULL, "spelled out", THP_MODE_SYSTEM, 1)->unit, "a.service");
	add_rule(NULL, "a.service", THP_MODE_DISABLE, 2);
	add_string(&add_rule(NULL, "again", THP_MODE_SYSTEM, 3)->unit, "a.service");
	resolve(NULL);
	ck_assert_ptr_null(rule("again")->loses_to);
	ck_assert_ptr_eq(rule("spelled out")->loses_to, rule("again")->rule);
	ck_assert_ptr_eq(rule("a.service")->loses_to, rule("again")->rule);
}
END_TEST

START_TEST(rules_that_differ_do_not_lose)
{
	struct rule *r = add_rule(NULL, "x", THP_MODE_SYSTEM, 1);

	add_string(&r->unit, "a.service");
	add_string(&r->exe, "p");
	r = add_rule(NULL, "y", THP_MODE_SYSTEM, 2);
	add_string(&r->unit, "a.service");
	add_string(&r->user, "p");
	r = add_rule(NULL, "z", THP_MODE_SYSTEM, 3);
	add_string(&r->unit, "a.service");
	add_string(&r->comm, "p");
	r = add_rule(NULL, "w", THP_MODE_SYSTEM, 4);
	add_string(&r->unit, "a.service");
	add_string(&r->exe, "p");
	add_string(&r->exe, "q");
	resolve(NULL);
	for (size_t i = 0; i < plan.rules.n; i++)
		ck_assert_ptr_null(plan.rules.items[i].loses_to);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("resolve");
	TCase *c = new_case(s, "role");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, role_sources_have_an_order);
	tcase_add_test(c, first_role_whose_hosts_match);
	tcase_add_test(c, matched_role_points_to_its_pattern);
	tcase_add_test(c, unknown_role_is_an_error);
	tcase_add_test(c, role_overrides_host_key_by_key);

	c = new_case(s, "settings");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, items_have_a_fixed_order);
	tcase_add_test(c, found_is_held_against_wanted);
	tcase_add_test(c, missing_decides_about_files_and_words);
	tcase_add_test(c, words_are_compared_whole);
	tcase_add_test(c, max_ptes_must_fit_the_huge_page);
	tcase_add_test(c, kernel_without_thp_is_one_finding);
	tcase_add_test(c, unreadable_is_unknown);
	tcase_add_test(c, never_is_noted_where_it_does_not_hold);
	tcase_add_test(c, defrag_is_idle_while_enabled_is_never);
	tcase_add_test(c, defrag_is_not_idle_while_a_size_gives_pages);

	c = new_case(s, "rules");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, madvise_needs_618);
	tcase_add_test(c, madvise_falls_back_as_told);
	tcase_add_test(c, other_modes_need_no_kernel);
	tcase_add_test(c, rules_of_the_role_come_last);
	tcase_add_test(c, the_last_of_equal_rules_wins);
	tcase_add_test(c, a_title_and_a_unit_may_be_equal);
	tcase_add_test(c, rules_that_differ_do_not_lose);
	return run_suite(s);
}
