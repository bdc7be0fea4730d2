/* SPDX-License-Identifier: MIT */
/* Foreign writes to this very machine's settings: heard, undone, and laid at somebody's door. */
#include "helper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "app/drift-repair.h"
#include "app/drift-who.h"
#include "thp-files.h"

static const struct root live = ROOT_LIVE;
static const struct fight_limits unlimited = { 0 };
static struct drift *drift;
static struct drift_key wanted[THP_FILES_MAX];

static void sleep_ms(unsigned int ms)
{
	(void)usleep(ms * 1000);
}

/* In a process of its own: writers are others. */
static pid_t spawn(void (*run)(const void *), const void *data)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(data);
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void setup(void)
{
	thp_put_back();
	ck_assert(thp_all_right());
	for (size_t i = 0; i < thp_files_n; i++)
		wanted[i] = (struct drift_key){ thp_files[i].key, thp_files[i].was };
}

static void teardown(void)
{
	drift_stop(drift);
	drift = NULL;
	thp_put_back();
}

static void start(const struct fight_limits *limits, bool repair)
{
	struct drift_counts counts;

	ck_assert_int_eq(drift_start(&live, limits, &drift), 0);
	ck_assert_int_eq(drift_set(drift, wanted, thp_files_n, repair, NULL), 0);
	do { /* it looks at all of them once */
		sleep_ms(1);
		drift_count(drift, &counts);
	} while (counts.looks < thp_files_n);
}

/* The next event within @ms; whether there was one. */
static bool event_within(unsigned int ms, struct drift_event *e)
{
	struct pollfd p = { .fd = drift_fd(drift), .events = POLLIN };
	int r = drift_next(drift, e);

	if (r == 0 && poll(&p, 1, (int)ms) > 0)
		r = drift_next(drift, e);
	ck_assert_int_ge(r, 0);
	return r > 0;
}

static struct drift_event event(void)
{
	struct drift_event e = { 0 };

	ck_assert(event_within(5000, &e));
	return e;
}

static void no_event(void)
{
	struct drift_event e;

	ck_assert(!event_within(100, &e));
}

static const struct thp_file *file(const char *key)
{
	size_t i = thp_index(key);

	ck_assert_msg(i != SIZE_MAX, "%s cannot be written here", key);
	return &thp_files[i];
}

static bool all_right_within(unsigned int ms)
{
	uint64_t until = now_ms() + ms;

	while (!thp_all_right() && now_ms() < until)
		sleep_ms(1);
	return thp_all_right();
}

/* The watch alone. */
START_TEST(watch_tells_of_writes_and_of_nothing_else)
{
	const char *keys[] = { "enabled", "no-such-file", "khugepaged/defrag" };
	const struct thp_file *f = file("khugepaged/defrag");
	struct driftwatch w;
	size_t absent, i;
	struct knob k;

	ck_assert_int_eq(driftwatch_open(&w), 0);
	ck_assert_int_eq(driftwatch_set(&w, &live, thp_dirfd, keys, 3, &absent), 0);
	ck_assert_uint_eq(absent, 1);
	ck_assert_int_lt(w.wds[1], 0);
	ck_assert_int_eq(driftwatch_next(&w, &i), 0);
	ck_assert_int_eq(knob_read(&live, thp_dirfd, f->key, &k), 0);
	ck_assert_int_lt(thp_write(f->key, "nonsense"), 0);
	ck_assert_int_eq(driftwatch_next(&w, &i), 0);

	ck_assert_int_eq(thp_write(f->key, f->was), 0); /* the same value is a write, too */
	ck_assert_int_eq(driftwatch_next(&w, &i), 1);
	ck_assert_uint_eq(i, 2);
	ck_assert_int_eq(driftwatch_next(&w, &i), 0);

	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	driftwatch_drop(&w, 2);
	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert_int_eq(driftwatch_next(&w, &i), 0);
	ck_assert_int_eq(driftwatch_add(&w, &live, thp_dirfd, 2, f->key), 0);
	ck_assert_int_eq(driftwatch_next(&w, &i), 0);
	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert_int_eq(driftwatch_next(&w, &i), 1);

	ck_assert_int_eq(driftwatch_set(&w, &live, thp_dirfd, keys, 1, NULL), 0);
	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert_int_eq(driftwatch_next(&w, &i), 0);
	driftwatch_close(&w);
}
END_TEST

START_TEST(watch_needs_files_of_the_kernel)
{
	const char *keys[] = { "enabled" };
	struct driftwatch w;

	ck_assert_int_eq(driftwatch_open(&w), 0);
	ck_assert_int_eq(driftwatch_set(&w, &live, -1, keys, 1, NULL), -EBADF);
	ck_assert_int_eq(driftwatch_set(&w, &live, thp_dirfd, keys, 0, NULL), 0);
	driftwatch_close(&w);
	ck_assert_int_eq(w.fd, -1);
}
END_TEST

/* The thread. */
START_TEST(a_write_is_undone_and_told)
{
	const struct thp_file *f = &thp_files[_i % (int)thp_files_n];
	struct drift_event e;

	start(NULL, true);
	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	e = event();
	ck_assert_str_eq(e.key, f->key);
	ck_assert_uint_eq(e.key_index, (uint32_t)(f - thp_files));
	ck_assert_str_eq(e.wanted, f->was);
	ck_assert_str_eq(e.found, f->other);
	ck_assert_str_eq(e.now, f->was);
	ck_assert_int_eq(e.outcome, OUTCOME_CHANGED);
	ck_assert_int_eq(e.error, 0);
	ck_assert_int_eq(e.fight, FIGHT_CALM);
	ck_assert(e.written);
	ck_assert_uint_gt(e.latency_ns, 0);
	ck_assert_uint_eq(e.lost, 0);
	ck_assert(thp_is(f->key, f->was));
	no_event();
}
END_TEST

/*
 * A repair is a write, too: one wake-up and one look more, and there it ends. A watch that a look
 * raises as well, as IN_CLOSE is, would go on for ever.
 */
START_TEST(own_writes_come_to_an_end)
{
	const struct thp_file *f = file("defrag");
	struct drift_counts before, after, later;

	start(&unlimited, true);
	drift_count(drift, &before);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(thp_write(f->key, f->other), 0);
		ck_assert_int_eq(event().outcome, OUTCOME_CHANGED);
	}
	sleep_ms(50);
	drift_count(drift, &after);
	ck_assert_uint_eq(after.writes - before.writes, 200);
	ck_assert_uint_le(after.looks - before.looks, 400);
	ck_assert_uint_le(after.wakes - before.wakes, 400);
	sleep_ms(500);
	drift_count(drift, &later);
	ck_assert_uint_eq(later.wakes, after.wakes);
	ck_assert_uint_eq(later.looks, after.looks);
}
END_TEST

/* A quarter of the files each, the next write as soon as the last one has been undone. */
static void write_patiently(const void *data)
{
	const size_t which = *(const size_t *)data;

	for (size_t i = 0; i < 2500; i++) {
		const struct thp_file *f = &thp_files[(4 * i + which) % (thp_files_n & ~3UL)];
		uint64_t until = now_ms() + 20000;

		if (thp_write(f->key, f->other) < 0)
			_exit(1);
		while (!thp_is(f->key, f->was)) {
			if (now_ms() > until)
				_exit(2);
			(void)usleep(20);
		}
	}
}

static void write_impatiently(const void *data)
{
	for (size_t i = 0; i < 2500; i++) {
		const struct thp_file *f = &thp_files[(i + *(const size_t *)data) % thp_files_n];

		if (thp_write(f->key, f->other) < 0)
			_exit(1);
	}
}

static uint64_t four_writers(void (*run)(const void *))
{
	uint64_t begun = now_ms();
	struct drift_event e;
	size_t which[4];
	pid_t pids[4];

	for (size_t i = 0; i < 4; i++) {
		which[i] = i;
		pids[i] = spawn(run, &which[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		int status, r;

		/* What is told is taken, as the daemon does. */
		while ((r = waitpid(pids[i], &status, WNOHANG)) == 0)
			(void)event_within(1, &e);
		ck_assert_int_eq(r, pids[i]);
		ck_assert_int_eq(status, 0);
	}
	return now_ms() - begun;
}

START_TEST(each_of_10000_writes_is_undone)
{
	struct drift_counts counts;

	start(&unlimited, true);
	(void)four_writers(write_patiently);
	ck_assert(all_right_within(1000));
	drift_count(drift, &counts);
	ck_assert_uint_eq(counts.writes, 10000);
	ck_assert_uint_le(counts.looks, 20000 + 2 * thp_files_n);
}
END_TEST

START_TEST(after_10000_writes_at_once_all_is_right)
{
	uint64_t took;
	struct drift_counts counts;

	start(NULL, true);
	took = four_writers(write_impatiently);
	/* The rests add up to the time that it took; and time for a busy machine. */
	ck_assert(all_right_within((unsigned int)took + 3000));
	drift_count(drift, &counts);
	ck_assert_uint_lt(counts.writes, 10000);
	ck_assert_uint_gt(counts.writes, thp_files_n);
}
END_TEST

struct loop {
	const char *key, *a, *b;
};

static void write_for_ever(const void *data)
{
	const struct loop *l = data;
	int fd = openat(thp_dirfd, l->key, O_WRONLY | O_CLOEXEC);

	for (;;)
		if (pwrite(fd, l->a, strlen(l->a), 0) < 0 || pwrite(fd, l->b, strlen(l->b), 0) < 0)
			_exit(1);
}

/* Events of @ms, by what they say of a fight. */
static void events_for(unsigned int ms, size_t counted[4])
{
	uint64_t until = now_ms() + ms, now;
	struct drift_event e;

	for (int i = 0; i < 4; i++)
		counted[i] = 0;
	while ((now = now_ms()) < until)
		if (event_within((unsigned int)(until - now), &e)) {
			ck_assert_uint_eq(e.lost, 0);
			counted[e.fight]++;
		}
}

START_TEST(without_a_thread_nothing_rests)
{
	drift_lock(NULL);
	ck_assert(!drift_rests(NULL, "enabled"));
	ck_assert_uint_eq(drift_fights(NULL), 0);
	drift_unlock(NULL);
}
END_TEST

START_TEST(a_writer_in_a_loop_costs_little)
{
	const struct thp_file *f = file("defrag");
	struct loop l = { f->key, f->other, f->other };
	size_t counted[4];
	uint64_t cpu;
	pid_t pid;

	start(NULL, true);
	cpu = cpu_us();
	pid = spawn(write_for_ever, &l);
	events_for(5000, counted);
	end(pid);
	cpu = cpu_us() - cpu;
	ck_assert_msg(cpu < 100000, "%lu us in 5 s", (unsigned long)cpu);
	ck_assert_uint_eq(counted[FIGHT_CALM], fight_limits.repairs);
	ck_assert_uint_eq(counted[FIGHT_BEGINS], 1);
	ck_assert_uint_gt(counted[FIGHT_ON], 2);
	ck_assert_uint_lt(counted[FIGHT_ON], 20);
	ck_assert_uint_eq(drift_fights(drift), 1);
	ck_assert(drift_rests(drift, "defrag"));
	ck_assert(!drift_rests(drift, "enabled"));
	/* The rest under way is no longer than the fight was. */
	ck_assert(all_right_within(6000));
	printf("# a writer in a loop, 5 s: %lu us of CPU, %zu repairs at once, %zu events more\n",
	       (unsigned long)cpu, counted[FIGHT_CALM], counted[FIGHT_ON]);
}
END_TEST

START_TEST(right_values_in_a_loop_cost_little)
{
	const struct thp_file *f = file("defrag");
	struct loop l = { f->key, f->was, f->was };
	struct drift_counts before, after;
	size_t counted[4];
	uint64_t cpu;
	pid_t pid;

	start(NULL, true);
	drift_count(drift, &before);
	cpu = cpu_us();
	pid = spawn(write_for_ever, &l);
	events_for(3000, counted);
	end(pid);
	cpu = cpu_us() - cpu;
	drift_count(drift, &after);
	ck_assert_msg(cpu < 60000, "%lu us in 3 s", (unsigned long)cpu);
	ck_assert_uint_eq(counted[0] + counted[1] + counted[2] + counted[3], 0);
	ck_assert_uint_gt(after.looks - before.looks, fight_limits.looks);
	ck_assert_uint_le(after.looks - before.looks, 4 * (fight_limits.looks + 2));
	ck_assert_uint_eq(after.writes, before.writes);
	printf("# right values in a loop, 3 s: %lu us of CPU\n", (unsigned long)cpu);
}
END_TEST

START_TEST(a_fight_ends_and_is_told_once)
{
	const struct fight_limits quick = {
		.repairs = 3,
		.window_us = 60000000,
		.first_us = 20000,
		.longest_us = 100000,
		.quiet_us = 300000,
	};
	const struct thp_file *f = file("defrag");
	struct drift_event e;
	size_t counted[4];

	start(&quick, true);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(thp_write(f->key, f->other), 0);
		ck_assert_int_eq(event().outcome, OUTCOME_CHANGED);
	}
	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	e = event();
	ck_assert_int_eq(e.outcome, OUTCOME_DRIFTED);
	ck_assert_int_eq(e.fight, FIGHT_BEGINS);
	ck_assert_str_eq(e.now, "");
	ck_assert(thp_is(f->key, f->other));
	e = event(); /* the rest is over */
	ck_assert_int_eq(e.outcome, OUTCOME_CHANGED);
	ck_assert_int_eq(e.fight, FIGHT_ON);
	ck_assert(!e.written);
	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	e = event();
	ck_assert_int_eq(e.outcome, OUTCOME_DRIFTED);
	ck_assert_int_eq(e.fight, FIGHT_ON);
	ck_assert_int_eq(event().outcome, OUTCOME_CHANGED);
	events_for(1000, counted);
	ck_assert_uint_eq(counted[FIGHT_OVER], 1);
	ck_assert_uint_eq(counted[FIGHT_CALM] + counted[FIGHT_BEGINS] + counted[FIGHT_ON], 0);
	ck_assert_uint_eq(drift_fights(drift), 0);
	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	e = event();
	ck_assert_int_eq(e.outcome, OUTCOME_CHANGED);
	ck_assert_int_eq(e.fight, FIGHT_CALM);
}
END_TEST

START_TEST(on_report_nothing_is_written)
{
	const struct thp_file *f = file("khugepaged/pages_to_scan");
	struct drift_counts counts;
	struct drift_event e;

	start(NULL, false);
	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	e = event();
	ck_assert_int_eq(e.outcome, OUTCOME_DRIFTED);
	ck_assert_int_eq(e.fight, FIGHT_CALM);
	ck_assert_str_eq(e.found, f->other);
	ck_assert_str_eq(e.now, "");
	ck_assert_int_eq(thp_write(f->key, f->other), 0); /* the same again */
	no_event();
	ck_assert_int_eq(thp_write(f->key, "4000"), 0);
	ck_assert_str_eq(event().found, "4000");
	ck_assert(thp_is(f->key, "4000"));
	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	no_event();
	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	ck_assert_str_eq(event().found, f->other);
	drift_count(drift, &counts);
	ck_assert_uint_eq(counts.writes, 0);
}
END_TEST

START_TEST(a_cycle_and_the_thread_keep_out_of_each_others_way)
{
	const struct thp_file *f = file("defrag"), *g = file("enabled");
	struct drift_key other[] = { { f->key, f->other } };
	struct drift_counts before, after;
	uint32_t serial;

	start(NULL, true);
	drift_count(drift, &before);
	/* Somebody writes, and the cycle repairs: nothing is left to be told. */
	drift_lock(drift);
	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	ck_assert_int_eq(thp_write(g->key, g->other), 0);
	sleep_ms(50);
	ck_assert(thp_is(f->key, f->other));
	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert_int_eq(thp_write(g->key, g->was), 0);
	drift_unlock(drift);
	no_event();
	drift_count(drift, &after);
	ck_assert_uint_eq(after.writes, before.writes);

	/* Another policy: what has been written after it is not undone after the old one. */
	drift_lock(drift);
	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	ck_assert_int_eq(drift_set(drift, other, 1, true, &serial), 0);
	drift_unlock(drift);
	no_event();
	ck_assert(thp_is(f->key, f->other));
	ck_assert_int_eq(thp_write(g->key, g->other), 0);
	no_event();
	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert_uint_eq(event().serial, serial);
	ck_assert(thp_is(f->key, f->other));
}
END_TEST

START_TEST(a_new_list_is_looked_at_once)
{
	const struct thp_file *f = file("defrag");
	struct drift_key keys[] = { { "no-such-file", "1" }, { f->key, f->was } };
	struct drift_event e;

	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	ck_assert_int_eq(drift_start(&live, NULL, &drift), 0);
	ck_assert_int_eq(drift_set(drift, keys, 2, true, NULL), 0);
	e = event();
	ck_assert_int_eq(e.outcome, OUTCOME_CHANGED);
	ck_assert_uint_eq(e.key_index, 1);
	ck_assert(!e.written);
	no_event();
}
END_TEST

START_TEST(what_is_refused_is_tried_again_when_the_way_is_free)
{
	const char *size = "hugepages-64kB/shmem_enabled", *all = "shmem_enabled";
	struct drift_key keys[] = { { all, "force" }, { size, "never" } };
	struct drift_event e;

	if (thp_index(size) == SIZE_MAX)
		return; /* before Linux 6.12 no file stands in another's way */
	(void)thp_write(size, "never");
	ck_assert_int_eq(drift_start(&live, NULL, &drift), 0);
	drift_lock(drift);
	ck_assert_int_eq(drift_set(drift, keys, 2, true, NULL), 0);
	ck_assert_int_eq(thp_write(all, "never"), 0);
	ck_assert_int_eq(thp_write(size, "inherit"), 0);
	drift_unlock(drift);
	e = event();
	ck_assert_str_eq(e.key, all);
	ck_assert_int_eq(e.outcome, OUTCOME_REJECTED);
	ck_assert_int_eq(e.error, EINVAL);
	e = event();
	ck_assert_str_eq(e.key, size);
	ck_assert_int_eq(e.outcome, OUTCOME_CHANGED);
	e = event();
	ck_assert_str_eq(e.key, all);
	ck_assert_int_eq(e.outcome, OUTCOME_CHANGED);
	ck_assert(thp_is(all, "force"));
	ck_assert_int_eq(thp_write(all, "never"), 0);
	ck_assert_str_eq(event().now, "force");
	drift_stop(drift);
	drift = NULL;
	ck_assert_int_eq(thp_write(all, "never"), 0);
}
END_TEST

START_TEST(nobody_who_listens_is_nobody_who_waits)
{
	const struct thp_file *f = file("defrag");
	struct drift_event e;
	uint32_t lost = 0;
	size_t n = 0;

	start(&unlimited, true);
	/* More than the pipe holds. */
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(thp_write(f->key, f->other), 0);
		ck_assert(all_right_within(5000));
	}
	while (event_within(0, &e)) {
		n++;
		lost += e.lost;
	}
	ck_assert_uint_lt(n, 1000);
	ck_assert_int_eq(thp_write(f->key, f->other), 0);
	e = event();
	ck_assert_uint_eq(n + lost + e.lost, 1000);
}
END_TEST

static void write_and_stay(const void *data)
{
	const struct thp_file *f = data;

	(void)prctl(PR_SET_NAME, "culprit");
	if (thp_write(f->key, f->other) < 0)
		_exit(1);
	(void)pause();
}

/* All of it together, as the daemon and its helper process do it. */
START_TEST(the_writer_is_found_out)
{
	const struct thp_file *f = file("khugepaged/pages_to_scan");
	static const char *keys[THP_FILES_MAX];
	const int32_t self = (int32_t)getpid();
	struct drift_who pairs = { 0 };
	struct writers writers;
	struct drift_event e;
	struct writer who;

	for (size_t i = 0; i < thp_files_n; i++)
		keys[i] = thp_files[i].key;
	ck_assert_int_eq(writers_open(&live, thp_dirfd, &writers), 0);
	ck_assert_int_eq(writers_set(&writers, keys, thp_files_n), 0);
	writers.ignore = &self;
	writers.n_ignore = 1;
	start(NULL, true);
	for (int i = 0; i < 5; i++) {
		pid_t pid = spawn(write_and_stay, f);

		e = event();
		drift_who_event(&pairs, &e, e.woken_ns);
		while (!drift_who_next(&pairs, e.woken_ns, &e, &who)) {
			struct pollfd p = { .fd = writers.fd, .events = POLLIN };

			ck_assert_int_eq(poll(&p, 1, 5000), 1);
			while (writers_next(&writers, &who) > 0)
				drift_who_writer(&pairs, &who);
		}
		end(pid);
		ck_assert_str_eq(e.key, f->key);
		ck_assert_int_eq(e.outcome, OUTCOME_CHANGED);
		ck_assert_int_eq(who.pid, pid);
		ck_assert_str_eq(who.comm, "culprit");
		ck_assert_str_ne(who.exe, "");
		sleep_ms(120);
	}
	ck_assert_int_eq(writers_next(&writers, &who), 0); /* the repairs were ours */
	writers_close(&writers);
}
END_TEST

static int run(void *data)
{
	Suite *s = suite_create("drift");
	TCase *c = new_case(s, "watch");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, watch_tells_of_writes_and_of_nothing_else);
	tcase_add_test(c, watch_needs_files_of_the_kernel);
	c = new_case(s, "thread");
	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, a_write_is_undone_and_told, 0, (int)thp_files_n);
	tcase_add_test(c, own_writes_come_to_an_end);
	tcase_add_test(c, each_of_10000_writes_is_undone);
	tcase_add_test(c, after_10000_writes_at_once_all_is_right);
	tcase_add_test(c, without_a_thread_nothing_rests);
	tcase_add_test(c, a_writer_in_a_loop_costs_little);
	tcase_add_test(c, right_values_in_a_loop_cost_little);
	tcase_add_test(c, a_fight_ends_and_is_told_once);
	tcase_add_test(c, on_report_nothing_is_written);
	tcase_add_test(c, a_cycle_and_the_thread_keep_out_of_each_others_way);
	tcase_add_test(c, a_new_list_is_looked_at_once);
	tcase_add_test(c, what_is_refused_is_tried_again_when_the_way_is_free);
	tcase_add_test(c, nobody_who_listens_is_nobody_who_waits);
	tcase_add_test(c, the_writer_is_found_out);
	return run_suite(s);
}

int main(void)
{
	return thp_files_main(run, "drift");
}
