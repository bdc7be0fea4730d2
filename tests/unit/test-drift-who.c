/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "app/drift-who.h"

#define MS UINT64_C(1000000)

static struct drift_who w;
static struct drift_event e;
static struct writer who;
static const uint64_t t = 1000000 * MS;

static void setup(void)
{
	memset(&w, 0, sizeof(w));
}

static void event(uint32_t key, uint64_t woken, bool written)
{
	struct drift_event x = { .key_index = key, .woken_ns = woken, .written = written };

	drift_who_event(&w, &x, woken);
}

static void writer(uint32_t key, uint64_t time, int32_t pid)
{
	struct writer x = { .key = key, .time_ns = time, .pid = pid };

	drift_who_writer(&w, &x);
}

START_TEST(either_may_come_first)
{
	event(3, t, true);
	ck_assert(!drift_who_next(&w, t, &e, &who));
	ck_assert(drift_who_due(&w) == t + DRIFT_WHO_WAIT_NS);
	writer(3, t + MS, 42);
	ck_assert(drift_who_next(&w, t + MS, &e, &who));
	ck_assert_uint_eq(e.key_index, 3);
	ck_assert_int_eq(who.pid, 42);
	ck_assert(!drift_who_next(&w, t + MS, &e, &who));
	ck_assert(drift_who_due(&w) == UINT64_MAX);

	writer(4, t + 99 * MS, 43);
	event(4, t + 100 * MS, true);
	ck_assert(drift_who_next(&w, t + 100 * MS, &e, &who));
	ck_assert_int_eq(who.pid, 43);
}
END_TEST

START_TEST(waits_no_longer_than_it_must)
{
	event(1, t, true);
	writer(2, t, 42);	    /* another key */
	writer(1, t - 51 * MS, 43); /* long ago */
	ck_assert(!drift_who_next(&w, t + 50 * MS - 1, &e, &who));
	ck_assert(drift_who_next(&w, t + 50 * MS, &e, &who));
	ck_assert_int_eq(who.pid, 0);
	ck_assert_uint_eq(who.key, 1);
	ck_assert_str_eq(who.comm, "");

	event(1, t, false); /* nobody has written */
	ck_assert(drift_who_next(&w, t, &e, &who));
	event(1, t, true);
	ck_assert(drift_who_next(&w, UINT64_MAX, &e, &who));
	ck_assert_int_eq(who.pid, 0);
}
END_TEST

START_TEST(the_nearest_in_time_it_was)
{
	writer(1, t - 10 * MS, 10);
	writer(1, t + 1 * MS, 11);
	writer(1, t + 9 * MS, 12);
	event(1, t, true);
	event(1, t + 10 * MS, true);
	event(1, t - 9 * MS, true);
	ck_assert(drift_who_next(&w, t, &e, &who));
	ck_assert_int_eq(who.pid, 11);
	ck_assert(drift_who_next(&w, t, &e, &who));
	ck_assert_int_eq(who.pid, 12);
	ck_assert(drift_who_next(&w, t, &e, &who));
	ck_assert_int_eq(who.pid, 10);
}
END_TEST

START_TEST(one_that_waits_does_not_hold_the_others)
{
	event(1, t, true);
	event(2, t, true);
	writer(2, t, 42);
	ck_assert(drift_who_next(&w, t, &e, &who));
	ck_assert_uint_eq(e.key_index, 2);
	ck_assert(!drift_who_next(&w, t, &e, &who));
	writer(1, t, 43);
	ck_assert(drift_who_next(&w, t, &e, &who));
	ck_assert_int_eq(who.pid, 43);
}
END_TEST

START_TEST(all_come_out_in_their_order_when_there_is_no_room)
{
	size_t in = 0, out = 0;

	for (; in < 10 * (size_t)DRIFT_WHO_EVENTS; in++) {
		while (drift_who_full(&w)) {
			ck_assert(drift_who_next(&w, t, &e, &who));
			ck_assert_uint_eq(e.key_index, out++);
		}
		event((uint32_t)in, t, true);
	}
	while (drift_who_next(&w, t + 50 * MS, &e, &who))
		ck_assert_uint_eq(e.key_index, out++);
	ck_assert_uint_eq(in, out);
}
END_TEST

START_TEST(writers_of_another_list_are_forgotten)
{
	for (int i = 0; i < 100; i++)
		writer(1, t, 42);
	drift_who_forget(&w);
	event(1, t, true);
	ck_assert(!drift_who_next(&w, t, &e, &who));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("drift-who");
	TCase *c = new_case(s, "pairs");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, either_may_come_first);
	tcase_add_test(c, waits_no_longer_than_it_must);
	tcase_add_test(c, the_nearest_in_time_it_was);
	tcase_add_test(c, one_that_waits_does_not_hold_the_others);
	tcase_add_test(c, all_come_out_in_their_order_when_there_is_no_room);
	tcase_add_test(c, writers_of_another_list_are_forgotten);
	return run_suite(s);
}
