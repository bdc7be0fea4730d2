/* SPDX-License-Identifier: MIT */
/* Flags that were set: what is on record, what a second look makes of it, what is put back. */
#include "helper.h"

#include "engine/records.h"
#include "plan/resolve-procs.h"

#define FLAGS(records) "{\"schema\":\"thpd.flags/1\",\"processes\":[" records "]}"

static struct root root;
static const char *tree;
static struct arena scratch;
static struct facts facts;
static struct plan plan;
static struct policy policy;

static void setup(void)
{
	tree = tree_make(&scratch, NULL, 0);
	ck_assert_int_eq(root_open_tree(tree, &root), 0);
	tree_add(tree, PATH_STATE, NULL);
	policy_init(&policy);
}

static void teardown(void)
{
	plan_free(&plan);
	facts_free(&facts);
	policy_free(&policy);
	root_close(&root);
	arena_free(&scratch);
}

/* --- the text */

static struct flag_records parse(const char *text)
{
	struct flag_records f = { 0 };

	ck_assert_int_eq(flags_parse(text, strlen(text), &f), 0);
	return f;
}

START_TEST(a_text_comes_back_as_it_was)
{
	static const struct flag_record records[] = {
		{ 2, 0, "", 0, 1 },
		{ 812, 4711, "redis-server.service", 1, 0 },
		{ 812, 4712, "the same pid, \"later\" \\ \xc3\xa9\n", 3, -1 },
		{ INT32_MAX, INT64_MAX, "a.scope", 0, 3 },
	};
	_cleanup_flags_ struct flag_records before = { 0 };
	_cleanup_flags_ struct flag_records after = { 0 };
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		ck_assert_int_eq(flags_add(&before, records[i].pid, records[i].start,
					   records[i].unit, records[i].set, records[i].was),
				 0);
	ck_assert_int_eq(flags_format(&before, &text), 0);
	after = parse(text);
	ck_assert_uint_eq(after.list.n, ARRAY_SIZE(records));
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		const struct flag_record *it = flags_find(&after, records[i].pid, records[i].start);

		ck_assert_ptr_nonnull(it);
		ck_assert_str_eq(it->unit, records[i].unit);
		ck_assert_int_eq(it->set, records[i].set);
		ck_assert_int_eq(it->was, records[i].was);
	}
}
END_TEST

/* The name of a cgroup is any bytes: one that JSON cannot hold must not stand in the way. */
START_TEST(units_may_have_any_name)
{
	_cleanup_flags_ struct flag_records f = { 0 };
	_cleanup_flags_ struct flag_records after = { 0 };
	_cleanup_free_ char *text = NULL;

	ck_assert_int_eq(flags_add(&f, 5, 6, "gr\374n.service", 1, 0), 0);
	ck_assert_int_eq(flags_format(&f, &text), 0);
	after = parse(text);
	ck_assert_ptr_nonnull(flags_find(&after, 5, 6));
}
END_TEST

START_TEST(none_is_a_text_too)
{
	_cleanup_flags_ struct flag_records f = { 0 };
	_cleanup_flags_ struct flag_records after = { 0 };
	_cleanup_free_ char *text = NULL;

	ck_assert_ptr_null(flags_find(&f, 1, 1));
	ck_assert_int_eq(flags_format(&f, &text), 0);
	ck_assert_str_eq(text, "{\"schema\":\"thpd.flags/1\",\"processes\":[]}");
	after = parse(text);
	ck_assert_uint_eq(after.list.n, 0);
	ck_assert_ptr_null(flags_find(&after, 1, 1));
}
END_TEST

#define RECORD(pid, start, set, was) \
	"{\"pid\":" pid ",\"start\":" start ",\"unit\":\"u\",\"set\":" set ",\"was\":" was "}"

START_TEST(records_are_found_by_pid_and_start)
{
	_cleanup_flags_ struct flag_records f = parse(
		FLAGS(RECORD("30", "5", "1", "0") "," RECORD("4", "9", "3", "1") "," RECORD(
			"30", "4", "0", "1") "," RECORD("1000", "1", "1", "-1")));

	ck_assert_int_eq(flags_find(&f, 30, 5)->set, 1);
	ck_assert_int_eq(flags_find(&f, 30, 4)->set, 0);
	ck_assert_int_eq(flags_find(&f, 4, 9)->was, 1);
	ck_assert_int_eq(flags_find(&f, 1000, 1)->was, -1);
	ck_assert_ptr_null(flags_find(&f, 30, 6));
	ck_assert_ptr_null(flags_find(&f, 4, 5));
	ck_assert_ptr_null(flags_find(&f, 5, 9));
	/* What is added is not among those that were read. */
	ck_assert_int_eq(flags_add(&f, 5, 9, "u", 1, 0), 0);
	ck_assert_ptr_null(flags_find(&f, 5, 9));
	ck_assert_int_eq(flags_find(&f, 30, 5)->set, 1);
}
END_TEST

START_TEST(damaged_texts)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"null",
		"{}",
		"{\"schema\":\"thpd.flags/1\"}",
		"{\"schema\":\"thpd.flags/2\",\"processes\":[]}",
		"{\"schema\":1,\"processes\":[]}",
		"{\"processes\":[]}",
		"{\"schema\":\"thpd.flags/1\",\"processes\":{}}",
		"{\"schema\":\"thpd.flags/1\",\"processes\":[],\"processes\":[]}",
		FLAGS("") "x",
		FLAGS("1"),
		FLAGS("{}"),
		FLAGS("[]"),
		FLAGS("null"),
		/* Process 1 is never set; 0 and less are no processes. */
		FLAGS(RECORD("1", "5", "1", "0")),
		FLAGS(RECORD("0", "5", "1", "0")),
		FLAGS(RECORD("-5", "5", "1", "0")),
		FLAGS(RECORD("2147483648", "5", "1", "0")),
		FLAGS(RECORD("99999999999999999999", "5", "1", "0")),
		FLAGS(RECORD("5.0", "5", "1", "0")),
		FLAGS(RECORD("\"5\"", "5", "1", "0")),
		FLAGS(RECORD("5", "-1", "1", "0")),
		FLAGS(RECORD("5", "true", "1", "0")),
		FLAGS(RECORD("5", "5", "2", "0")),
		FLAGS(RECORD("5", "5", "4", "0")),
		FLAGS(RECORD("5", "5", "-1", "0")),
		FLAGS(RECORD("5", "5", "1", "2")),
		FLAGS(RECORD("5", "5", "1", "-2")),
		FLAGS("{\"pid\":5,\"start\":5,\"unit\":5,\"set\":1,\"was\":0}"),
		FLAGS("{\"pid\":5,\"start\":5,\"set\":1,\"was\":0}"),
		FLAGS("{\"pid\":5,\"start\":5,\"unit\":\"u\",\"set\":1}"),
		/* One that is right does not save the text. */
		FLAGS(RECORD("5", "5", "1", "0") "," RECORD("6", "5", "2", "0")),
		FLAGS(RECORD("5", "5", "1", "0") ","),
	};
	struct flag_records f = { .sorted = 77 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int r = flags_parse(texts[i], strlen(texts[i]), &f);

		ck_assert_msg(r == -EBADMSG, "%s: %d", texts[i], r);
		ck_assert_uint_eq(f.sorted, 77);
	}
	/* Cut anywhere, it is damaged. */
	for (size_t n = strlen(FLAGS(RECORD("5", "5", "1", "0"))); n-- > 0;)
		ck_assert_int_eq(flags_parse(FLAGS(RECORD("5", "5", "1", "0")), n, &f), -EBADMSG);
}
END_TEST

/* --- what becomes of processes */

static const struct rule *add_rule(enum thp_mode mode, enum apply_mode apply)
{
	struct plan_rule *pr = array_add(&plan.arena, &plan.rules);
	struct pos pos = { "p.conf", 1 };
	const char *title = arena_printf(&scratch, "r%zu", plan.rules.n);
	struct rule *r = section_rule(&policy, &policy.host, title, pos);

	ck_assert(pr && r);
	r->thp = mode;
	r->apply = apply;
	*pr = (struct plan_rule){ .rule = r, .mode = mode };
	return r;
}

/* A process with facts of its own, which goes by the last rule. */
static struct plan_proc *add_proc(struct plan *p, int32_t pid, enum thp_mode mode)
{
	struct proc_fact *fact = arena_alloc(&scratch, sizeof(*fact));
	struct plan_proc *pp = array_add(&p->arena, &p->procs);

	ck_assert(fact && pp);
	*fact = (struct proc_fact){
		.pid = pid, .start = 100, .comm = "c", .flag = -1, .thp_enabled = 1
	};
	*pp = (struct plan_proc){ .fact = fact,
				  .rule = p->rules.n ? (uint32_t)p->rules.n - 1 : UINT32_MAX,
				  .mode = mode,
				  .outcome = OUTCOME_UNKNOWN,
				  .found = -1,
				  .now = -1 };
	return pp;
}

static struct proc_fact *fact_of(struct plan_proc *pp)
{
	return (struct proc_fact *)pp->fact;
}

START_TEST(outcomes)
{
	static const struct {
		enum thp_mode mode;
		int error, thp_enabled, found;
		enum outcome outcome;
	} rows[] = {
		{ THP_MODE_DISABLE, 0, 0, 1, OUTCOME_OK },
		{ THP_MODE_DISABLE, 0, 1, 0, OUTCOME_DRIFTED },
		{ THP_MODE_DISABLE, 0, 1, 3, OUTCOME_DRIFTED },
		/* Not asked, but it shows from outside. */
		{ THP_MODE_DISABLE, 0, 1, -1, OUTCOME_DRIFTED },
		{ THP_MODE_DISABLE, 0, -1, -1, OUTCOME_UNKNOWN },
		{ THP_MODE_DISABLE, 0, -1, 1, OUTCOME_OK },
		{ THP_MODE_DISABLE, 0, -1, 0, OUTCOME_DRIFTED },
		{ THP_MODE_MADVISE, 0, 1, 3, OUTCOME_OK },
		{ THP_MODE_MADVISE, 0, 1, 0, OUTCOME_DRIFTED },
		{ THP_MODE_MADVISE, 0, 0, 1, OUTCOME_DRIFTED },
		/* Never ok by assumption. */
		{ THP_MODE_MADVISE, 0, 1, -1, OUTCOME_UNKNOWN },
		{ THP_MODE_MADVISE, 0, -1, -1, OUTCOME_UNKNOWN },
		{ THP_MODE_SYSTEM, 0, 1, 0, OUTCOME_OK },
		{ THP_MODE_SYSTEM, 0, 0, 1, OUTCOME_DRIFTED },
		{ THP_MODE_SYSTEM, 0, 1, 3, OUTCOME_DRIFTED },
		{ THP_MODE_SYSTEM, 0, 1, -1, OUTCOME_UNKNOWN },
		{ THP_MODE_INHERIT, 0, 1, 0, OUTCOME_OK },
		{ THP_MODE_INHERIT, 0, 0, 1, OUTCOME_OK },
		{ THP_MODE_INHERIT, 0, 1, 3, OUTCOME_OK },
		{ THP_MODE_INHERIT, 0, 1, -1, OUTCOME_OK },
		{ THP_MODE_INHERIT, 0, -1, -1, OUTCOME_OK },
		{ THP_MODE_DISABLE, -ESRCH, -1, -1, OUTCOME_GONE },
		{ THP_MODE_DISABLE, -ESRCH, 0, 1, OUTCOME_GONE },
		{ THP_MODE_INHERIT, -ESRCH, -1, -1, OUTCOME_GONE },
		{ THP_MODE_DISABLE, -EACCES, -1, -1, OUTCOME_UNKNOWN },
		{ THP_MODE_DISABLE, -EACCES, 0, 1, OUTCOME_UNKNOWN },
		{ THP_MODE_INHERIT, -EIO, -1, -1, OUTCOME_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan_proc *pp = add_proc(&plan, (int32_t)i + 2, rows[i].mode);

		fact_of(pp)->error = rows[i].error;
		fact_of(pp)->thp_enabled = rows[i].thp_enabled;
		pp->found = rows[i].found;
	}
	resolve_procs(&plan);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct plan_proc *pp = &plan.procs.items[i];

		ck_assert_msg(pp->outcome == rows[i].outcome, "row %zu: %s", i,
			      outcome_words[pp->outcome]);
		/* What is not known has a reason. */
		ck_assert_int_eq(pp->outcome == OUTCOME_UNKNOWN, pp->note != NULL);
		ck_assert_int_eq(pp->error, pp->outcome == OUTCOME_UNKNOWN ? -rows[i].error : 0);
	}
}
END_TEST

/* What was learnt meanwhile counts, and a reason that was given stays. */
START_TEST(resolved_once_more)
{
	struct plan_proc *a = add_proc(&plan, 2, THP_MODE_MADVISE);
	struct plan_proc *b;

	resolve_procs(&plan);
	ck_assert_int_eq(a->outcome, OUTCOME_UNKNOWN);
	b = add_proc(&plan, 3, THP_MODE_MADVISE);
	a = &plan.procs.items[0];
	b->note = "because";
	a->found = THP_WANT_EXCEPT_ADVISED;
	resolve_procs(&plan);
	ck_assert_int_eq(a->outcome, OUTCOME_OK);
	ck_assert_int_eq(b->outcome, OUTCOME_UNKNOWN);
	ck_assert_str_eq(b->note, "because");
}
END_TEST

START_TEST(a_second_look)
{
	static const struct {
		const char *name;
		/* What was done to it: */
		enum outcome earlier;
		int found, now;
		/* What is seen of it then: */
		enum thp_mode mode;
		int error, thp_enabled, flag;
		/* What comes of that: */
		enum outcome outcome;
		int then_found, then_now;
	} rows[] = {
		{ "set, and has it", OUTCOME_CHANGED, 0, 1, THP_MODE_DISABLE, 0, 0, 1,
		  OUTCOME_CHANGED, 0, 1 },
		{ "set, and has cleared it", OUTCOME_CHANGED, 0, 1, THP_MODE_DISABLE, 0, 1, 0,
		  OUTCOME_DRIFTED, 0, 1 },
		{ "the same, seen from outside alone", OUTCOME_CHANGED, 0, 1, THP_MODE_DISABLE, 0,
		  1, -1, OUTCOME_DRIFTED, 0, 1 },
		{ "set, and nobody can say", OUTCOME_CHANGED, 0, 3, THP_MODE_MADVISE, 0, 1, -1,
		  OUTCOME_CHANGED, 0, 3 },
		{ "set, and ended", OUTCOME_CHANGED, 0, 1, THP_MODE_DISABLE, -ESRCH, -1, -1,
		  OUTCOME_GONE, -1, -1 },
		{ "denied, and still without", OUTCOME_DENIED, -1, -1, THP_MODE_DISABLE, 0, 1, -1,
		  OUTCOME_DENIED, -1, -1 },
		{ "denied, and ended", OUTCOME_DENIED, -1, -1, THP_MODE_DISABLE, -ESRCH, -1, -1,
		  OUTCOME_GONE, -1, -1 },
		{ "ok, and still", OUTCOME_OK, 1, -1, THP_MODE_DISABLE, 0, 0, 1, OUTCOME_OK, 1,
		  -1 },
		{ "ok, and has cleared it", OUTCOME_OK, 1, -1, THP_MODE_DISABLE, 0, 1, 0,
		  OUTCOME_DRIFTED, 0, -1 },
		{ "set, but another rule's now", OUTCOME_CHANGED, 0, 1, THP_MODE_SYSTEM, 0, 0, 1,
		  OUTCOME_DRIFTED, 1, -1 },
	};
	struct plan_proc earlier[ARRAY_SIZE(rows)];

	/* In another order than then: they are told apart by pid and start. */
	for (size_t i = ARRAY_SIZE(rows); i-- > 0;) {
		struct plan_proc *pp = add_proc(&plan, (int32_t)i + 2, rows[i].mode);

		fact_of(pp)->error = rows[i].error;
		fact_of(pp)->thp_enabled = rows[i].thp_enabled;
		pp->found = rows[i].flag;
		earlier[i] = *pp;
		earlier[i].mode = rows[i].mode == THP_MODE_SYSTEM ? THP_MODE_DISABLE : pp->mode;
		earlier[i].outcome = rows[i].earlier;
		earlier[i].found = rows[i].found;
		earlier[i].now = rows[i].now;
		earlier[i].note = "then";
	}
	resolve_procs(&plan);
	ck_assert_uint_eq(resolve_again(earlier, ARRAY_SIZE(rows), &plan), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct plan_proc *pp = &plan.procs.items[ARRAY_SIZE(rows) - 1 - i];

		ck_assert_msg(pp->outcome == rows[i].outcome, "%s: %s", rows[i].name,
			      outcome_words[pp->outcome]);
		ck_assert_msg(pp->found == rows[i].then_found && pp->now == rows[i].then_now,
			      "%s: %d -> %d", rows[i].name, pp->found, pp->now);
	}
}
END_TEST

START_TEST(new_ones_in_a_second_look)
{
	struct plan_proc earlier[2];
	struct proc_fact then;
	struct plan_proc *pp;

	pp = add_proc(&plan, 10, THP_MODE_DISABLE);
	earlier[0] = *pp;
	earlier[0].outcome = OUTCOME_CHANGED;
	earlier[0].found = 0;
	earlier[0].now = 1;
	pp->found = 1;
	/* Another one has got the pid: it is new, and has not been touched. */
	pp = add_proc(&plan, 11, THP_MODE_DISABLE);
	earlier[1] = earlier[0];
	then = *pp->fact;
	earlier[1].fact = &then;
	fact_of(pp)->start = 101;
	/* New and right, or inheriting: no reason to look again. New and not known: one. */
	add_proc(&plan, 12, THP_MODE_DISABLE)->found = 1;
	(void)add_proc(&plan, 13, THP_MODE_INHERIT);
	(void)add_proc(&plan, 14, THP_MODE_MADVISE);
	resolve_procs(&plan);
	ck_assert_uint_eq(resolve_again(earlier, 2, &plan), 2);
	ck_assert_int_eq(plan.procs.items[0].outcome, OUTCOME_CHANGED);
	ck_assert_int_eq(plan.procs.items[1].outcome, OUTCOME_DRIFTED);
	ck_assert_int_eq(plan.procs.items[1].now, -1);
}
END_TEST

/* Between the list and the look at it, it may have forked: the child is in no list yet. */
START_TEST(one_that_ended_may_have_left_a_child)
{
	fact_of(add_proc(&plan, 15, THP_MODE_DISABLE))->error = -ESRCH;
	resolve_procs(&plan);
	ck_assert_uint_eq(resolve_again(NULL, 0, &plan), 1);
}
END_TEST

/* --- the file */

static void add_process(int32_t pid, int32_t ppid, uint64_t start)
{
	tree_add(tree, arena_printf(&scratch, "/proc/%d/stat", pid),
		 arena_printf(&scratch,
			      "%d (c) S %d 1 1 0 -1 4194560 100 0 0 0 9 4 0 0 20 0 1 0 %llu 1 1 1 "
			      "1 1 0 0 0 0 0 0 0 0 0 0 17 5 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
			      pid, ppid, (unsigned long long)start));
	tree_add(tree, arena_printf(&scratch, "/proc/%d/status", pid),
		 "Name:\tc\nUid:\t0\t0\t0\t0\nVmRSS:\t4 kB\nTHP_enabled:\t1\nThreads:\t1\n"
		 "Seccomp:\t0\n");
}

static void end_process(int32_t pid)
{
	ck_assert_int_eq(unlink(tree_path(&scratch, tree,
					  arena_printf(&scratch, "/proc/%d/stat", pid))),
			 0);
}

static void add_unit(void)
{
	struct unit_fact *unit = array_add(&facts.arena, &facts.units);
	struct plan_unit *pu = array_add(&plan.arena, &plan.units);

	ck_assert(unit && pu);
	*unit = (struct unit_fact){ .name = "a.service", .parent = UNIT_NONE };
	*pu = (struct plan_unit){ .fact = unit };
}

/* A process of the tree that is drifted, and which the next apply will set. */
static struct plan_proc *add_drifted(int32_t pid, enum thp_mode mode)
{
	struct plan_proc *pp = add_proc(&plan, pid, mode);

	add_process(pid, 1, pp->fact->start);
	pp->outcome = OUTCOME_DRIFTED;
	return pp;
}

static void succeed(struct plan_proc *pp, int before)
{
	pp->found = before;
	pp->now = thp_mode_flag(pp->mode);
	pp->outcome = OUTCOME_CHANGED;
}

static const char *held(void)
{
	return tree_read(&scratch, tree, FLAGS_FILE);
}

static const char *on_record(int32_t pid)
{
	_cleanup_flags_ struct flag_records f = { 0 };
	const struct flag_record *it;

	ck_assert_int_eq(records_load(&root, &f), 0);
	it = flags_find(&f, pid, 100);
	return it ? arena_printf(&scratch, "%d was %d", it->set, it->was) : "";
}

START_TEST(nothing_on_record)
{
	_cleanup_flags_ struct flag_records f = { .sorted = 77 };

	ck_assert_int_eq(records_load(&root, &f), 0);
	ck_assert_uint_eq(f.list.n, 0);
	ck_assert_int_eq(records_after(&root, &plan), 0);
	ck_assert_int_eq(records_forget(&root, &plan), 0);
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	ck_assert_str_eq(held(), "(none)");
}
END_TEST

START_TEST(written_before_and_completed_after)
{
	struct stat st;

	add_unit();
	(void)add_rule(THP_MODE_DISABLE, APPLY_ALL);
	(void)add_drifted(10, THP_MODE_DISABLE);
	(void)add_drifted(11, THP_MODE_DISABLE);
	(void)add_drifted(12, THP_MODE_DISABLE);
	plan.procs.items[2].outcome = OUTCOME_OK;
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	ck_assert_str_eq(on_record(10), "1 was -1");
	ck_assert_str_eq(on_record(11), "1 was -1");
	ck_assert_str_eq(on_record(12), "");
	ck_assert(contains(held(), "\"unit\":\"a.service\""));
	ck_assert_int_eq(stat(tree_path(&scratch, tree, FLAGS_FILE), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	succeed(&plan.procs.items[0], THP_WANT_CLEAR);
	/* Of this one nothing was done: its own flag, should it get one, is not thpd's. */
	plan.procs.items[1].outcome = OUTCOME_DENIED;
	ck_assert_int_eq(records_after(&root, &plan), 0);
	ck_assert_str_eq(on_record(10), "1 was 0");
	ck_assert_str_eq(on_record(11), "");
	ck_assert(!plan.procs.items[0].again);
	/* It undoes it. */
	plan.procs.items[0].outcome = OUTCOME_DRIFTED;
	plan.procs.items[0].now = -1;
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	ck_assert(plan.procs.items[0].again);
	ck_assert(!plan.procs.items[1].again);
	ck_assert_str_eq(on_record(10), "1 was 0");
}
END_TEST

START_TEST(denied_though_its_flag_was_known)
{
	add_unit();
	(void)add_rule(THP_MODE_MADVISE, APPLY_ALL);
	add_drifted(10, THP_MODE_MADVISE)->found = THP_WANT_CLEAR;
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	plan.procs.items[0].outcome = OUTCOME_DENIED;
	ck_assert_int_eq(records_after(&root, &plan), 0);
	ck_assert_str_eq(on_record(10), "");
}
END_TEST

START_TEST(left_alone_is_not_on_record)
{
	static const enum apply_mode modes[] = { APPLY_START, APPLY_VERIFY };

	add_unit();
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		(void)add_rule(THP_MODE_DISABLE, modes[i]);
		(void)add_drifted(10 + (int32_t)i, THP_MODE_DISABLE);
	}
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	ck_assert_str_eq(held(), "(none)");
	/* Nor is what was done in an earlier look of this run. */
	(void)add_rule(THP_MODE_DISABLE, APPLY_UNSET);
	add_drifted(12, THP_MODE_DISABLE)->now = 0;
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	ck_assert_str_eq(held(), "(none)");
	plan.procs.items[2].now = -1;
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	ck_assert_str_eq(on_record(12), "1 was -1");
}
END_TEST

/* Whatever is set later, what it had before the first time is what it gets back. */
START_TEST(the_first_time_counts)
{
	struct plan_proc *pp;

	add_unit();
	(void)add_rule(THP_MODE_DISABLE, APPLY_ALL);
	pp = add_drifted(10, THP_MODE_DISABLE);
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	succeed(pp, THP_WANT_EXCEPT_ADVISED);
	ck_assert_int_eq(records_after(&root, &plan), 0);
	ck_assert_str_eq(on_record(10), "1 was 3");
	pp->mode = THP_MODE_SYSTEM;
	pp->outcome = OUTCOME_DRIFTED;
	pp->found = THP_WANT_DISABLE;
	pp->now = -1;
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	succeed(pp, THP_WANT_DISABLE);
	ck_assert_int_eq(records_after(&root, &plan), 0);
	ck_assert_str_eq(on_record(10), "0 was 3");
	/* Back to what it had: nothing to be put back any more. */
	pp->mode = THP_MODE_MADVISE;
	pp->outcome = OUTCOME_DRIFTED;
	pp->now = -1;
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	succeed(pp, THP_WANT_CLEAR);
	ck_assert_int_eq(records_after(&root, &plan), 0);
	ck_assert_str_eq(on_record(10), "");
}
END_TEST

START_TEST(who_has_ended_is_dropped)
{
	add_unit();
	(void)add_rule(THP_MODE_DISABLE, APPLY_ALL);
	(void)add_drifted(10, THP_MODE_DISABLE);
	(void)add_drifted(11, THP_MODE_DISABLE);
	(void)add_drifted(12, THP_MODE_DISABLE);
	for (size_t i = 0; i < 3; i++)
		plan.procs.items[i].found = 0;
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	for (size_t i = 0; i < 3; i++)
		succeed(&plan.procs.items[i], 0);
	end_process(10);
	add_process(11, 1, 101); /* another one by now */
	(void)add_drifted(13, THP_MODE_DISABLE);
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), 0);
	ck_assert_str_eq(on_record(10), "");
	ck_assert_str_eq(on_record(11), "");
	ck_assert_str_eq(on_record(12), "1 was 0");
	ck_assert_str_eq(on_record(13), "1 was -1");
}
END_TEST

START_TEST(a_damaged_file_stays)
{
	static const char damaged[] = FLAGS(RECORD("5", "5", "2", "0"));
	_cleanup_flags_ struct flag_records f = { .sorted = 77 };

	add_unit();
	(void)add_rule(THP_MODE_DISABLE, APPLY_ALL);
	(void)add_drifted(10, THP_MODE_DISABLE);
	tree_add(tree, FLAGS_FILE, damaged);
	ck_assert_int_eq(records_load(&root, &f), -EBADMSG);
	ck_assert_uint_eq(f.sorted, 77);
	f.sorted = 0;
	ck_assert_int_eq(records_before(&root, &(struct facts){ 0 }, &plan), -EBADMSG);
	ck_assert_int_eq(records_after(&root, &plan), -EBADMSG);
	ck_assert_int_eq(records_forget(&root, &plan), -EBADMSG);
	ck_assert_str_eq(held(), damaged);
}
END_TEST

START_TEST(no_place_for_a_record)
{
	add_unit();
	(void)add_rule(THP_MODE_DISABLE, APPLY_ALL);
	(void)add_drifted(10, THP_MODE_DISABLE);
	ck_assert_int_eq(rmdir(tree_path(&scratch, tree, PATH_STATE)), 0);
	ck_assert_int_lt(records_before(&root, &(struct facts){ 0 }, &plan), 0);
}
END_TEST

/* --- putting back */

static void add_fact(int32_t pid, int32_t ppid, int flag)
{
	struct proc_fact *fact = array_add(&facts.arena, &facts.procs);

	ck_assert_ptr_nonnull(fact);
	*fact = (struct proc_fact){ .pid = pid,
				    .ppid = ppid,
				    .start = 100,
				    .comm = "c",
				    .flag = flag,
				    .thp_enabled = flag != 1 };
}

static const struct plan_proc *planned(int32_t pid)
{
	const struct plan_proc *pp;

	array_foreach(pp, &plan.procs)
		if (pp->fact->pid == pid)
			return pp;
	return NULL;
}

START_TEST(what_is_put_back)
{
	_cleanup_flags_ struct flag_records f = parse(
		FLAGS(RECORD("10", "100", "1", "0") "," RECORD("20", "100", "1", "3") "," RECORD(
			"30", "99", "1", "0") "," RECORD("40", "100", "0",
							 "1") "," RECORD("50", "100", "1", "-1")));
	struct unit_fact *unit = array_add(&facts.arena, &facts.units);

	*unit = (struct unit_fact){ .name = "a.service", .parent = UNIT_NONE };
	add_fact(10, 1, 1);
	add_fact(11, 10, 1); /* its child */
	add_fact(12, 11, 1); /* and that one's */
	add_fact(20, 10, 1); /* a child with a record of its own */
	add_fact(21, 20, 1);
	add_fact(30, 1, 1); /* only the number is the same */
	add_fact(40, 1, 0);
	add_fact(50, 1, 1);
	add_fact(60, 999, 1); /* nobody's whom we know */
	add_fact(70, 71, 1);  /* parents that lead nowhere */
	add_fact(71, 70, 1);
	ck_assert_int_eq(records_plan(&f, &facts, &plan), 0);
	ck_assert_int_eq(planned(10)->mode, THP_MODE_SYSTEM);
	ck_assert_int_eq(planned(11)->mode, THP_MODE_SYSTEM);
	ck_assert_int_eq(planned(12)->mode, THP_MODE_SYSTEM);
	ck_assert_int_eq(planned(20)->mode, THP_MODE_MADVISE);
	ck_assert_int_eq(planned(21)->mode, THP_MODE_MADVISE);
	ck_assert_int_eq(planned(40)->mode, THP_MODE_DISABLE);
	ck_assert_int_eq(planned(50)->mode, THP_MODE_SYSTEM);
	ck_assert_ptr_null(planned(30));
	ck_assert_ptr_null(planned(60));
	ck_assert_ptr_null(planned(70));
	ck_assert_uint_eq(plan.procs.n, 7);
	ck_assert_uint_eq(plan.units.n, 1);
	ck_assert_uint_eq(plan.units.items[0].n, 7);
}
END_TEST

START_TEST(who_is_exempt_or_gone_is_left_out)
{
	_cleanup_flags_ struct flag_records f = parse(
		FLAGS(RECORD("10", "100", "1", "0") "," RECORD("11", "100", "1", "0")));
	struct unit_fact *unit = array_add(&facts.arena, &facts.units);

	*unit = (struct unit_fact){ .name = "a.service", .parent = UNIT_NONE };
	add_fact(10, 1, 1);
	facts.procs.items[0].exempt = true;
	add_fact(11, 1, 1);
	facts.procs.items[1].error = -ESRCH;
	ck_assert_int_eq(records_plan(&f, &facts, &plan), 0);
	ck_assert_uint_eq(plan.procs.n, 0);
}
END_TEST

/* What a process has set itself since is its own, and so is what its child has. */
START_TEST(another_flag_by_now)
{
	_cleanup_flags_ struct flag_records f = parse(
		FLAGS(RECORD("10", "100", "1", "0") "," RECORD("11", "100", "1", "0") "," RECORD(
			"12", "100", "0", "1") "," RECORD("13", "100", "3", "1")));
	struct unit_fact *unit = array_add(&facts.arena, &facts.units);

	*unit = (struct unit_fact){ .name = "a.service", .parent = UNIT_NONE };
	add_fact(10, 1, THP_WANT_DISABLE);
	add_fact(11, 1, THP_WANT_EXCEPT_ADVISED);
	add_fact(12, 1, THP_WANT_EXCEPT_ADVISED);
	add_fact(13, 1, -1); /* did not answer */
	add_fact(20, 10, THP_WANT_DISABLE);
	add_fact(21, 10, THP_WANT_EXCEPT_ADVISED);
	ck_assert_int_eq(records_plan(&f, &facts, &plan), 0);
	resolve_procs(&plan);
	records_limit(&plan);
	ck_assert_int_eq(planned(10)->outcome, OUTCOME_DRIFTED);
	ck_assert_int_eq(planned(11)->outcome, OUTCOME_OK);
	ck_assert(contains(planned(11)->note, "left alone"));
	ck_assert_int_eq(planned(12)->outcome, OUTCOME_OK);
	ck_assert_int_eq(planned(13)->outcome, OUTCOME_UNKNOWN);
	ck_assert_int_eq(planned(20)->outcome, OUTCOME_DRIFTED);
	ck_assert_int_eq(planned(21)->outcome, OUTCOME_OK);
}
END_TEST

START_TEST(forgotten_is_what_was_put_back)
{
	static const enum outcome done[] = { OUTCOME_CHANGED, OUTCOME_OK, OUTCOME_DENIED,
					     OUTCOME_FAILED, OUTCOME_UNKNOWN };

	tree_add(tree, FLAGS_FILE,
		 FLAGS(RECORD("10", "100", "1", "0") "," RECORD("11", "100", "1", "0") "," RECORD(
			 "12", "100", "1",
			 "0") "," RECORD("13", "100", "1",
					 "-1") "," RECORD("14", "100", "3",
							  "0") "," RECORD("15", "100", "1",
									  "0") "," RECORD("16",
											  "100",
											  "1",
											  "0")));
	for (size_t i = 0; i < ARRAY_SIZE(done); i++)
		add_drifted(10 + (int32_t)i, THP_MODE_SYSTEM)->outcome = done[i];
	add_process(15, 1, 100); /* not in the plan; 16 has ended */
	ck_assert_int_eq(records_forget(&root, &plan), 0);
	ck_assert_str_eq(on_record(10), "");
	ck_assert_str_eq(on_record(11), "");
	ck_assert_str_eq(on_record(12), "1 was 0");
	ck_assert_str_eq(on_record(13), "1 was -1");
	ck_assert_str_eq(on_record(14), "3 was 0");
	ck_assert_str_eq(on_record(15), "1 was 0");
	ck_assert_str_eq(on_record(16), "");
	/* With the last record goes the file. */
	for (size_t i = 0; i < plan.procs.n; i++)
		plan.procs.items[i].outcome = OUTCOME_CHANGED;
	end_process(15);
	ck_assert_int_eq(records_forget(&root, &plan), 0);
	ck_assert_str_eq(held(), "(none)");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("records");
	TCase *c = new_case(s, "text");
	int r;

	test_dir_make();
	tcase_add_test(c, a_text_comes_back_as_it_was);
	tcase_add_test(c, units_may_have_any_name);
	tcase_add_test(c, none_is_a_text_too);
	tcase_add_test(c, records_are_found_by_pid_and_start);
	tcase_add_test(c, damaged_texts);

	c = new_case(s, "resolve");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, outcomes);
	tcase_add_test(c, resolved_once_more);
	tcase_add_test(c, a_second_look);
	tcase_add_test(c, new_ones_in_a_second_look);
	tcase_add_test(c, one_that_ended_may_have_left_a_child);

	c = new_case(s, "file");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, nothing_on_record);
	tcase_add_test(c, written_before_and_completed_after);
	tcase_add_test(c, denied_though_its_flag_was_known);
	tcase_add_test(c, left_alone_is_not_on_record);
	tcase_add_test(c, the_first_time_counts);
	tcase_add_test(c, who_has_ended_is_dropped);
	tcase_add_test(c, a_damaged_file_stays);
	tcase_add_test(c, no_place_for_a_record);

	c = new_case(s, "put back");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, what_is_put_back);
	tcase_add_test(c, who_is_exempt_or_gone_is_left_out);
	tcase_add_test(c, another_flag_by_now);
	tcase_add_test(c, forgotten_is_what_was_put_back);
	r = run_suite(s);
	test_dir_remove();
	return r;
}
