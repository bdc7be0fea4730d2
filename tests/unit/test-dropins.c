/* SPDX-License-Identifier: MIT */
/*
 * Drop-ins against what they are to come to: for many policies over few names, each unit, known or
 * not, gets from the drop-ins what the last rule that matches it gives, or nothing. The examples
 * are in tests/suite-generator.sh.
 */
#include "helper.h"

#include <fnmatch.h>

#include "base/unit-name.h"
#include "plan/resolve-dropins.h"
#include "plan/resolve.h"

static const char *const patterns[] = {
	"*",
	"*.service",
	"a-*.service",
	"a-b*.service",
	"a-b-*",
	"t@*.service",
	"t@x*.service",
	"*x.service",
	"a.service",
	"t@x.service",
	"a-b.service",
	"?.service",
	"[ab]*.service",
	"z.service",
	"*.scope",
	"system.slice",
	"s*.slice",
	"alias.service",
	"alias-*.service",
	"system-t.slice",
	"a-b@*.service",
	"*@*.service",
	"t*",
	"a\\-b.service",
};

/* The last five have no file, and are not enabled. */
static const char *const names[] = {
	"a.service",	 "b.service",	 "a-b.service",	   "a-b-c.service",
	"t@x.service",	 "real.service", "sliced.service", "t@y.service",
	"a-b@x.service", "a-z.service",	 "z.service",	   "alias-z.service",
};

static const struct dropin_unit units[] = {
	{ .name = "a.service" },
	{ .name = "b.service" },
	{ .name = "a-b.service" },
	{ .name = "a-b-c.service" },
	{ .name = "t@x.service" },
	{ .name = "t@.service" },
	{ .name = "real.service" },
	{ .name = "alias.service", .alias_of = "real.service" },
	{ .name = "alias-r.service", .alias_of = "real.service" },
	{ .name = "sliced.service", .own_slice = true },
	{ .name = "masked.service", .masked = true },
};

#define ROUNDS 1000

static uint32_t seed;

static uint32_t chance(uint32_t n)
{
	seed = seed * 1664525U + 1013904223U;
	return (seed >> 16) % n;
}

static struct policy policy;
static struct facts facts;
static struct plan plan;
static struct dropins dropins;

static void make_plan(void)
{
	static const enum thp_mode modes[] = { THP_MODE_DISABLE, THP_MODE_SYSTEM, THP_MODE_INHERIT,
					       THP_MODE_MADVISE };
	struct role_choice choice = { .source = ROLE_NONE };
	uint32_t n = 1 + chance(4);

	policy_init(&policy);
	facts.release = "6.18.0";
	facts.hostname = "h";
	for (uint32_t i = 0; i < n; i++) {
		const char *title = arena_printf(&policy.arena, "rule %u", i);
		struct rule *r = section_rule(&policy, &policy.host, title,
					      (struct pos){ "rules.conf", i + 1 });
		const char **slot = array_add(&policy.arena, &r->unit);

		*slot = patterns[chance(ARRAY_SIZE(patterns))];
		r->thp = modes[chance(ARRAY_SIZE(modes))];
		if (chance(8) == 0)
			r->start = START_NO;
		if (chance(8) == 0)
			*(const char **)array_add(&policy.arena, &r->user) = "nobody";
	}
	ck_assert_int_eq(resolve_wanted(&policy, &choice, &plan), 0);
	ck_assert_int_eq(resolve_found(&policy, &facts, &plan), 0);
	ck_assert_int_eq(resolve_dropins(&plan, units, ARRAY_SIZE(units), &dropins), 0);
}

static void forget(void)
{
	dropins_free(&dropins);
	plan_free(&plan);
	policy_free(&policy);
	plan = (struct plan){ 0 };
}

/* As systemd does: the first file of our name among the places for a unit's names. */
static enum thp_mode from_dropins(const char *name)
{
	const char *own[] = { name, NULL, NULL };
	char place[64];
	const struct dropin *d;

	if (streq(name, "real.service")) {
		own[1] = "alias.service";
		own[2] = "alias-r.service";
	}
	for (size_t i = 0; i < 3 && own[i]; i++) {
		(void)snprintf(place, sizeof(place), "%s", own[i]);
		do {
			array_foreach(d, &dropins.list)
				if (strchr(place, '.') && streq(d->place, place))
					return d->mode;
		} while (unit_name_broaden(place));
	}
	array_foreach(d, &dropins.list)
		if (streq(d->place, "service"))
			return d->mode;
	return THP_MODE_UNSET;
}

static bool rule_fits(const struct rule *r, const char *name, const char *slice)
{
	const char *pattern = r->unit.items[0];

	return fnmatch(pattern, name, 0) == 0 || fnmatch(pattern, slice, 0) == 0 ||
	       fnmatch(pattern, "system.slice", 0) == 0;
}

/* As for a process: the last rule that matches. @user: the rules for a user match. */
static enum thp_mode from_rules(const char *name, const char *slice, bool user)
{
	enum thp_mode mode = THP_MODE_UNSET;
	const struct plan_rule *pr;

	array_foreach(pr, &plan.rules)
		if (rule_fits(pr->rule, name, slice) && (user || pr->rule->user.n == 0))
			mode = pr->rule->start == START_NO || pr->mode == THP_MODE_INHERIT ?
				       THP_MODE_UNSET :
				       pr->mode;
	return mode;
}

START_TEST(last_rule_wins_or_nobody)
{
	size_t given = 0, wanted = 0;

	seed = 20261123;
	for (int round = 0; round < ROUNDS; round++) {
		make_plan();
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			const char *slice = strchr(names[i], '@') ?
						    unit_name_default_slice(&policy.arena,
									    names[i]) :
						    "system.slice";
			enum thp_mode d = from_dropins(names[i]);
			enum thp_mode a = from_rules(names[i], slice, false);
			enum thp_mode b = from_rules(names[i], slice, true);

			wanted += a == b && a != THP_MODE_UNSET;
			given += d != THP_MODE_UNSET;
			ck_assert_msg(d == THP_MODE_UNSET || (d == a && d == b),
				      "round %d: %s has %s, wanted %s or %s", round, names[i],
				      thp_mode_words[d], thp_mode_words[a], thp_mode_words[b]);
		}
		forget();
	}
	/* And most units that have such a rule get it. */
	ck_assert_msg(given * 10 > wanted * 7, "%zu of %zu", given, wanted);
}
END_TEST

START_TEST(known_units_get_what_they_should)
{
	seed = 42;
	for (int round = 0; round < ROUNDS; round++) {
		const struct plan_rule *pr;
		bool narrowed = false;

		make_plan();
		/* Whose processes a narrowed rule is for, only they tell. */
		array_foreach(pr, &plan.rules)
			narrowed |= pr->rule->user.n > 0;
		/* Those whose slice is known, too: up to t@x.service. */
		for (size_t i = 0; i < 5 && !narrowed; i++) {
			const char *slice = i == 4 ? "system-t.slice" : "system.slice";
			enum thp_mode wanted = from_rules(names[i], slice, true);
			enum thp_mode got = from_dropins(names[i]);

			ck_assert_msg(got == wanted, "round %d: %s has %s, wanted %s", round,
				      names[i], thp_mode_words[got], thp_mode_words[wanted]);
		}
		forget();
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dropins");
	TCase *c = new_case(s, "dropins");

	tcase_add_test(c, last_rule_wins_or_nobody);
	tcase_add_test(c, known_units_get_what_they_should);
	return run_suite(s);
}
