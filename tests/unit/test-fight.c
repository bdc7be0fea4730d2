/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "engine/fight.h"

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)

static const struct fight_limits *const limits = &fight_limits;
static struct fight f;
static uint64_t now;

static void setup(void)
{
	f = (struct fight){ 0 };
	now = 1000 * SECOND;
}

static enum fight_news found(void)
{
	return fight_found(&f, limits, now);
}

/* Up to where a fight begins. */
static void provoke(void)
{
	for (uint32_t i = 0; i < limits->repairs; i++)
		ck_assert_int_eq(found(), FIGHT_CALM);
	ck_assert_int_eq(found(), FIGHT_BEGINS);
}

START_TEST(single_writes_are_repaired_at_once_always)
{
	for (int i = 0; i < 10000; i++) {
		ck_assert_int_eq(found(), FIGHT_CALM);
		ck_assert(fight_due(&f) == UINT64_MAX);
		ck_assert(!fight_right(&f, limits, now + 100));
		ck_assert(!fight_over(&f, now));
		now += 10 * SECOND;
	}
}
END_TEST

START_TEST(as_many_as_allowed_within_any_window)
{
	/* All at once, and again when they have just left the window. */
	for (int i = 0; i < 100; i++) {
		for (uint32_t j = 0; j < limits->repairs; j++)
			ck_assert_int_eq(found(), FIGHT_CALM);
		now += limits->window_us;
	}
	now -= 1;
	ck_assert_int_eq(found(), FIGHT_BEGINS);
}
END_TEST

START_TEST(rests_double_up_to_a_limit)
{
	uint64_t rest = limits->first_us;

	provoke();
	for (int i = 0; i < 100; i++) {
		ck_assert(fight_due(&f) == now + rest);
		ck_assert(!fight_over(&f, now));
		now = fight_due(&f);
		ck_assert(!fight_over(&f, now));
		fight_rested(&f, limits, now);
		ck_assert(fight_due(&f) == now + limits->quiet_us);
		now += i;
		ck_assert_int_eq(found(), FIGHT_ON);
		rest = rest * 2 > limits->longest_us ? limits->longest_us : rest * 2;
	}
	ck_assert(rest == limits->longest_us);
}
END_TEST

START_TEST(over_is_told_once_and_all_is_forgotten)
{
	provoke();
	now = fight_due(&f);
	fight_rested(&f, limits, now);
	now = fight_due(&f) - 1;
	ck_assert(!fight_over(&f, now));
	now++;
	ck_assert(fight_over(&f, now));
	ck_assert(!fight_over(&f, now));
	ck_assert(fight_due(&f) == UINT64_MAX);
	provoke();
	ck_assert(fight_due(&f) == now + limits->first_us);
}
END_TEST

START_TEST(a_write_just_before_the_end_prolongs_it)
{
	provoke();
	now = fight_due(&f);
	fight_rested(&f, limits, now);
	now += limits->quiet_us - 1;
	ck_assert_int_eq(found(), FIGHT_ON);
	now += 2;
	ck_assert(!fight_over(&f, now));
}
END_TEST

/* A writer that never waits: what it costs and what is said in an hour. */
START_TEST(a_loop_costs_little_and_says_little)
{
	uint64_t end = now + 60 * MINUTE, begun = now;
	unsigned int repairs = 0, begins = 0, early = 0, rests = 0;

	while (now < end) {
		enum fight_news news = found();

		begins += news == FIGHT_BEGINS;
		repairs += news == FIGHT_CALM;
		if (news == FIGHT_CALM) {
			now += 5;
			continue;
		}
		rests++;
		early += now - begun < MINUTE;
		now = fight_due(&f);
		ck_assert(!fight_over(&f, now));
		fight_rested(&f, limits, now);
	}
	ck_assert_uint_eq(begins, 1);
	ck_assert_uint_eq(repairs, limits->repairs);
	ck_assert_uint_lt(repairs + begins, 10);
	ck_assert_uint_le(early, 10);
	ck_assert_uint_le(rests, 10 + 60);
}
END_TEST

/* The rest that is under way when a fight ends is no longer than the fight was, and the first. */
START_TEST(a_fight_is_mended_within_its_own_length)
{
	for (uint64_t length = SECOND / 10; length < MINUTE; length += SECOND / 3) {
		uint64_t begun;

		setup();
		begun = now;
		provoke();
		while (fight_due(&f) < begun + length) {
			now = fight_due(&f);
			fight_rested(&f, limits, now);
			ck_assert_int_eq(found(), FIGHT_ON);
		}
		ck_assert(fight_due(&f) - (begun + length) <= length + limits->first_us);
	}
}
END_TEST

START_TEST(right_values_written_in_a_loop_are_looked_at_in_moderation)
{
	uint64_t end = now + MINUTE;
	unsigned int looks = 0;

	while (now < end) {
		looks++;
		if (!fight_right(&f, limits, now)) {
			now += 10;
			continue;
		}
		ck_assert(fight_due(&f) == now + limits->respite_us);
		ck_assert(!fight_over(&f, fight_due(&f)));
		now = fight_due(&f);
		fight_rested(&f, limits, now);
		ck_assert(fight_due(&f) == UINT64_MAX);
	}
	ck_assert_uint_le(looks, 61 * (limits->looks + 1));
	/* As often, but not so fast, is no burden. */
	for (int i = 0; i < 10000; i++, now += SECOND / limits->looks)
		ck_assert(!fight_right(&f, limits, now));
}
END_TEST

START_TEST(respite_in_a_fight_keeps_the_fight)
{
	provoke();
	now = fight_due(&f);
	fight_rested(&f, limits, now);
	while (!fight_right(&f, limits, now))
		;
	now = fight_due(&f);
	ck_assert(!fight_over(&f, now));
	fight_rested(&f, limits, now);
	ck_assert_int_eq(found(), FIGHT_ON);
}
END_TEST

START_TEST(without_limits_everything_is_repaired)
{
	static const struct fight_limits none = { 0 };

	for (int i = 0; i < 100000; i++) {
		ck_assert_int_eq(fight_found(&f, &none, now), FIGHT_CALM);
		ck_assert(!fight_right(&f, &none, now));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fight");
	TCase *c = new_case(s, "fight");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, single_writes_are_repaired_at_once_always);
	tcase_add_test(c, as_many_as_allowed_within_any_window);
	tcase_add_test(c, rests_double_up_to_a_limit);
	tcase_add_test(c, over_is_told_once_and_all_is_forgotten);
	tcase_add_test(c, a_write_just_before_the_end_prolongs_it);
	tcase_add_test(c, a_loop_costs_little_and_says_little);
	tcase_add_test(c, a_fight_is_mended_within_its_own_length);
	tcase_add_test(c, right_values_written_in_a_loop_are_looked_at_in_moderation);
	tcase_add_test(c, respite_in_a_fight_keeps_the_fight);
	tcase_add_test(c, without_limits_everything_is_repaired);
	return run_suite(s);
}
