/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "model/facts.h"
#include "model/originals.h"
#include "model/policy.h"

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

START_TEST(policy_has_the_documented_defaults)
{
	ck_assert_uint_eq(policy.verify_interval, 60);
	ck_assert_int_eq(policy.on_drift, ON_DRIFT_REAPPLY);
	ck_assert_int_eq(policy.missing, MISSING_UNSET);
	ck_assert_int_eq(policy.fallback, FALLBACK_UNSET);
	ck_assert_ptr_null(policy.metrics_file);
	ck_assert_ptr_null(policy.host_role);
	ck_assert_uint_eq(policy.roles.n + policy.files.n + policy.host.settings.n, 0);
}
END_TEST

START_TEST(policy_section_is_made_once)
{
	char name[] = "cache";
	struct section *s = policy_section(&policy, name, here);

	ck_assert_ptr_nonnull(s);
	memset(name, 'x', 5);
	ck_assert_str_eq(s->name, "cache");
	ck_assert_ptr_eq(policy_section(&policy, "cache", there), s);
	ck_assert_ptr_eq(policy_role(&policy, "cache"), s);
	ck_assert_ptr_ne(policy_section(&policy, "db", there), s);
	ck_assert_uint_eq(policy.roles.n, 2);
	ck_assert_str_eq(policy.roles.items[0]->name, "cache");
	ck_assert_ptr_null(policy_role(&policy, "web"));
	ck_assert_ptr_eq(policy_section(&policy, NULL, here), &policy.host);
	ck_assert_uint_eq(policy.roles.n, 2);
}
END_TEST

START_TEST(policy_holds_many_roles)
{
	struct section *first = policy_section(&policy, "role0", here);

	for (int i = 1; i < 1000; i++)
		ck_assert_ptr_nonnull(
			policy_section(&policy, arena_printf(&scratch, "role%d", i), here));
	ck_assert_ptr_eq(policy_role(&policy, "role0"), first);
	for (int i = 0; i < 1000; i++) {
		const char *name = arena_printf(&scratch, "role%d", i);

		ck_assert_str_eq(policy_role(&policy, name)->name, name);
	}
}
END_TEST

START_TEST(section_set_overrides_in_place)
{
	struct section *s = &policy.host;
	char value[] = "always";

	ck_assert_int_eq(section_set(&policy, s, "enabled", value, here), 0);
	ck_assert_int_eq(section_set(&policy, s, "defrag", "never", here), 0);
	memset(value, 'x', 6);
	ck_assert_str_eq(s->settings.items[0].value, "always");
	ck_assert_int_eq(section_set(&policy, s, "enabled", "madvise", there), 0);
	ck_assert_uint_eq(s->settings.n, 2);
	ck_assert_str_eq(s->settings.items[0].key, "enabled");
	ck_assert_str_eq(s->settings.items[0].value, "madvise");
	ck_assert_str_eq(s->settings.items[0].pos.file, "b.conf");
	ck_assert_uint_eq(s->settings.items[0].pos.line, 20);
	ck_assert_uint_eq(s->settings.items[1].pos.line, 1);
}
END_TEST

START_TEST(section_rule_keeps_its_place)
{
	struct section *s = &policy.host;
	struct rule *r = section_rule(&policy, s, "a.service", here);

	r->thp = THP_MODE_DISABLE;
	ck_assert_ptr_nonnull(section_rule(&policy, s, "b.service", here));
	r = section_rule(&policy, s, "a.service", there);
	ck_assert_uint_eq(s->rules.n, 2);
	ck_assert_ptr_eq(r, &s->rules.items[0]);
	ck_assert_int_eq(r->thp, THP_MODE_DISABLE);
	ck_assert_str_eq(r->pos.file, "b.conf");
	ck_assert_str_eq(s->rules.items[1].pos.file, "a.conf");
}
END_TEST

START_TEST(policy_merge_role_goes_key_by_key)
{
	struct section *below = policy_section(&policy, "db", here);
	struct section above = { .name = "db" };

	section_set(&policy, below, "enabled", "always", here);
	section_set(&policy, below, "defrag", "defer", here);
	section_set(&policy, &above, "shmem_enabled", "never", there);
	section_set(&policy, &above, "enabled", "never", there);
	add_string(&below->hosts, "db*");

	ck_assert_int_eq(policy_merge_role(&policy, below, &above), 0);
	ck_assert_uint_eq(below->settings.n, 3);
	ck_assert_str_eq(below->settings.items[0].value, "never");
	ck_assert_str_eq(below->settings.items[0].pos.file, "b.conf");
	ck_assert_str_eq(below->settings.items[1].value, "defer");
	ck_assert_str_eq(below->settings.items[1].pos.file, "a.conf");
	ck_assert_str_eq(below->settings.items[2].key, "shmem_enabled");
	ck_assert_uint_eq(below->hosts.n, 1);

	add_string(&above.hosts, "sql*");
	add_string(&above.hosts, "pg*");
	ck_assert_int_eq(policy_merge_role(&policy, below, &above), 0);
	ck_assert_uint_eq(below->hosts.n, 2);
	ck_assert_str_eq(below->hosts.items[0], "sql*");
}
END_TEST

START_TEST(policy_merge_role_merges_rules_by_title)
{
	struct section *below = policy_section(&policy, "db", here);
	struct section above = { 0 };
	struct rule *r = section_rule(&policy, below, "a.service", here);

	*r = (struct rule){ .title = r->title,
			    .thp = THP_MODE_MADVISE,
			    .reclaim = RECLAIM_ONCE,
			    .apply = APPLY_START,
			    .start = START_GATE,
			    .fallback = FALLBACK_INHERIT,
			    .pos = here };
	add_string(&r->exe, "/usr/bin/a");
	add_string(&r->user, "adm");
	section_rule(&policy, below, "b.service", here)->thp = THP_MODE_SYSTEM;

	r = section_rule(&policy, &above, "new.service", there);
	r->thp = THP_MODE_INHERIT;
	r = section_rule(&policy, &above, "a.service", there);
	r->thp = THP_MODE_DISABLE;
	r->start = START_NO;
	add_string(&r->exe, "/opt/a");
	add_string(&r->exe, "/opt/b");
	add_string(&r->comm, "worker");

	ck_assert_int_eq(policy_merge_role(&policy, below, &above), 0);
	ck_assert_uint_eq(below->rules.n, 3);
	r = &below->rules.items[0];
	ck_assert_str_eq(r->title, "a.service");
	ck_assert_str_eq(r->pos.file, "b.conf");
	ck_assert_int_eq(r->thp, THP_MODE_DISABLE);
	ck_assert_int_eq(r->start, START_NO);
	ck_assert_int_eq(r->reclaim, RECLAIM_ONCE);
	ck_assert_int_eq(r->apply, APPLY_START);
	ck_assert_int_eq(r->fallback, FALLBACK_INHERIT);
	ck_assert_uint_eq(r->exe.n, 2);
	ck_assert_str_eq(r->exe.items[0], "/opt/a");
	ck_assert_str_eq(r->user.items[0], "adm");
	ck_assert_str_eq(r->comm.items[0], "worker");
	ck_assert_int_eq(below->rules.items[1].thp, THP_MODE_SYSTEM);
	ck_assert_str_eq(below->rules.items[2].title, "new.service");
}
END_TEST

START_TEST(rule_fallback_asks_the_rule_first)
{
	struct rule r = { 0 };

	ck_assert_int_eq(rule_fallback(&policy, &r), FALLBACK_UNSET);
	policy.fallback = FALLBACK_DISABLE;
	ck_assert_int_eq(rule_fallback(&policy, &r), FALLBACK_DISABLE);
	r.fallback = FALLBACK_INHERIT;
	ck_assert_int_eq(rule_fallback(&policy, &r), FALLBACK_INHERIT);
}
END_TEST

START_TEST(facts_tell_files_apart)
{
	_cleanup_facts_ struct facts f = { 0 };
	const struct knob_fact *k;

	ck_assert_ptr_null(facts_knob(&f, "enabled"));
	ck_assert_int_eq(facts_add_knob(&f, "enabled", 0, "never", "always never"), 0);
	ck_assert_int_eq(facts_add_knob(&f, "defrag", -EACCES, NULL, NULL), 0);
	k = facts_knob(&f, "enabled");
	ck_assert_str_eq(k->value, "never");
	ck_assert_str_eq(k->words, "always never");
	k = facts_knob(&f, "defrag");
	ck_assert_int_eq(k->error, -EACCES);
	ck_assert_str_eq(k->value, "");
	ck_assert_ptr_null(facts_knob(&f, "shmem_enabled"));
}
END_TEST

START_TEST(originals_keep_the_first_value)
{
	_cleanup_originals_ struct originals o = { 0 };
	char key[] = "enabled", value[] = "always";

	ck_assert_int_eq(originals_add(&o, key, value), 1);
	memset(key, 'x', 7);
	memset(value, 'x', 6);
	ck_assert_int_eq(originals_add(&o, "enabled", "never"), 0);
	ck_assert_int_eq(originals_add(&o, "defrag", "defer"), 1);
	ck_assert_uint_eq(o.list.n, 2);
	ck_assert_str_eq(o.list.items[0].key, "enabled");
	ck_assert_str_eq(o.list.items[0].value, "always");
}
END_TEST

static const char *const saved[][2] = { { "shmem_enabled", "never" },
					{ "defrag", "defer+madvise" },
					{ "hugepages-64kB/enabled", "inherit" },
					{ "khugepaged/max_ptes_none", "511" },
					{ "odd", "\"quoted\" \\ \xc3\xa9\n" } };

START_TEST(originals_survive_the_file)
{
	_cleanup_originals_ struct originals o = { 0 }, back = { 0 };
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(saved); i++)
		ck_assert_int_eq(originals_add(&o, saved[i][0], saved[i][1]), 1);
	ck_assert_int_eq(originals_format(&o, &text), 0);
	ck_assert_int_eq(originals_parse(text, strlen(text), &back), 0);
	ck_assert_uint_eq(back.list.n, ARRAY_SIZE(saved));
	for (size_t i = 0; i < ARRAY_SIZE(saved); i++) {
		ck_assert_str_eq(back.list.items[i].key, saved[i][0]);
		ck_assert_str_eq(back.list.items[i].value, saved[i][1]);
	}
	ck_assert_int_eq(originals_add(&back, "defrag", "x"), 0);
}
END_TEST

START_TEST(originals_may_be_none)
{
	_cleanup_originals_ struct originals o = { 0 }, back = { 0 };
	_cleanup_free_ char *text = NULL;

	ck_assert_int_eq(originals_format(&o, &text), 0);
	ck_assert_int_eq(originals_parse(text, strlen(text), &back), 0);
	ck_assert_uint_eq(back.list.n, 0);
}
END_TEST

#define TOP(settings) "{\"schema\": \"thpd.original/1\", \"settings\": " settings "}"

START_TEST(originals_refuse_a_damaged_file)
{
	static const char *const bad[] = {
		"",
		" ",
		"\n",
		"{}",
		"[]",
		"null",
		"42",
		"\"thpd.original/1\"",
		"{\"schema\": \"thpd.original/1\"}",
		"{\"settings\": {}}",
		"{\"schema\": \"thpd.original/2\", \"settings\": {}}",
		"{\"schema\": 1, \"settings\": {}}",
		TOP("[]"),
		TOP("null"),
		TOP("\"\""),
		TOP("{}") "{}",
		TOP("{}") " x",
		TOP("{\"enabled\": 1}"),
		TOP("{\"enabled\": null}"),
		TOP("{\"enabled\": [\"always\"]}"),
		TOP("{\"enabled\": \"always\", \"enabled\": \"never\"}"),
		TOP("{\"\": \"always\"}"),
		TOP("{\"/etc/passwd\": \"always\"}"),
		TOP("{\"..\": \"always\"}"),
		TOP("{\"khugepaged/../../../etc/passwd\": \"always\"}"),
		TOP("{\"enabled\": \"\\u0000\"}"),
		TOP("{\"enabled\": \"\xff\"}"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct originals o = { .list.n = 77 };

		ck_assert_msg(originals_parse(bad[i], strlen(bad[i]), &o) == -EBADMSG, "%s",
			      bad[i]);
		ck_assert_uint_eq(o.list.n, 77);
	}
}
END_TEST

START_TEST(originals_refuse_a_cut_file)
{
	_cleanup_originals_ struct originals o = { 0 }, back = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(saved); i++)
		ck_assert_int_eq(originals_add(&o, saved[i][0], saved[i][1]), 1);
	ck_assert_int_eq(originals_format(&o, &text), 0);
	len = strlen(text);
	for (size_t n = 0; n < len; n++) {
		/* A copy of just that size: what is read beyond it would be seen. */
		_cleanup_free_ char *part = malloc(n ? n : 1);

		ck_assert_ptr_nonnull(part);
		memcpy(part, text, n);
		ck_assert_msg(originals_parse(part, n, &back) == -EBADMSG, "%zu of %zu", n, len);
	}
}
END_TEST

START_TEST(originals_limit_the_length_of_a_key)
{
	for (size_t n = 127; n <= 128; n++) {
		_cleanup_originals_ struct originals o = { 0 };
		char key[129];
		const char *text;

		memset(key, 'k', n);
		key[n] = '\0';
		text = arena_printf(&scratch, TOP("{\"%s\": \"1\"}"), key);
		ck_assert_int_eq(originals_parse(text, strlen(text), &o), n < 128 ? 0 : -EBADMSG);
	}
}
END_TEST

static void add_policy_tests(Suite *s)
{
	TCase *c = new_case(s, "policy");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, policy_has_the_documented_defaults);
	tcase_add_test(c, policy_section_is_made_once);
	tcase_add_test(c, policy_holds_many_roles);
	tcase_add_test(c, section_set_overrides_in_place);
	tcase_add_test(c, section_rule_keeps_its_place);
	tcase_add_test(c, policy_merge_role_goes_key_by_key);
	tcase_add_test(c, policy_merge_role_merges_rules_by_title);
	tcase_add_test(c, rule_fallback_asks_the_rule_first);
	tcase_add_test(c, facts_tell_files_apart);
}

int main(void)
{
	Suite *s = suite_create("model");
	TCase *c;

	add_policy_tests(s);
	c = new_case(s, "originals");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, originals_keep_the_first_value);
	tcase_add_test(c, originals_survive_the_file);
	tcase_add_test(c, originals_may_be_none);
	tcase_add_test(c, originals_refuse_a_damaged_file);
	tcase_add_test(c, originals_refuse_a_cut_file);
	tcase_add_test(c, originals_limit_the_length_of_a_key);
	return run_suite(s);
}
