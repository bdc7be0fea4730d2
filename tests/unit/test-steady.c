/* SPDX-License-Identifier: MIT */
/* What is noted of units and processes, and what makes it another matter. */
#include "helper.h"

#include <dirent.h>
#include <sys/resource.h>

#include "sys/steady.h"

#define GROUPS "/sys/fs/cgroup/system.slice"
#define STAT(pid, start)                                                \
#pid " (sleep) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " #start \
	     " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
#define STATUS(thp) "Name:\tsleep\nState:\tS (sleeping)\nTHP_enabled:\t" #thp "\nSeccomp:\t0\n"

static struct arena scratch;
static const char *tree;
static struct root root = { .fd = -1 };
static struct unit_tree units;
static struct steady steady;

static const struct file host[] = {
	{ "/sys/fs/cgroup/cgroup.controllers", "" },
	{ GROUPS "/cgroup.procs", "" },
	{ GROUPS "/a.service/cgroup.procs", "100\n101\n" },
	{ GROUPS "/b.service/cgroup.procs", "" },
	{ GROUPS "/b.service/inner/cgroup.procs", "200\n" },
	{ "/proc/100/stat", STAT(100, 7) },
	{ "/proc/100/status", STATUS(0) },
	{ "/proc/101/stat", STAT(101, 8) },
	{ "/proc/101/status", STATUS(1) },
	{ "/proc/200/stat", STAT(200, 9) },
	{ "/proc/200/status", STATUS(0) },
};

static const struct steady_proc of_a[] = { { 100, 7, true }, { 101, 8, false } },
				of_b[] = { { 200, 9, true } };

static void setup(void)
{
	tree = tree_make(&scratch, host, ARRAY_SIZE(host));
	ck_assert_int_eq(root_open_tree(tree, &root), 0);
	ck_assert_int_eq(units_read(&root, &units), 0);
	steady_begin(&steady, &units);
}

static void teardown(void)
{
	steady_forget(&steady);
	units_free(&units);
	root_close(&root);
	arena_free(&scratch);
}

/* As the kernel changes its files: what is open stays the same file. */
static void change(const char *path, const char *content)
{
	const char *full = tree_path(&scratch, tree, path);
	FILE *f;

	if (!content || access(full, F_OK) < 0) {
		tree_add(tree, path, content);
		return;
	}
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(content, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static int add(const char *name, const struct steady_proc *procs, size_t n)
{
	const struct unit *u;

	array_foreach(u, &units.units)
		if (streq(u->name, name))
			return steady_add(&steady, &root, &units, (uint32_t)u_i, procs, n);
	ck_abort_msg("%s is there", name);
	return -1;
}

static void add_all(void)
{
	ck_assert_int_eq(add("a.service", of_a, ARRAY_SIZE(of_a)), 0);
	ck_assert_int_eq(add("b.service", of_b, ARRAY_SIZE(of_b)), 0);
	ck_assert(steady_holds(&steady, &root));
	ck_assert(steady_holds(&steady, &root));
}

START_TEST(what_is_noted_holds_until_something_changes)
{
	static const struct file changes[] = {
		{ GROUPS "/a.service/cgroup.procs", "100\n101\n102\n" },
		{ GROUPS "/a.service/cgroup.procs", "100\n" },
		{ GROUPS "/a.service/cgroup.procs", "100\n103\n" },
		{ GROUPS "/b.service/cgroup.procs", "201\n" },
		{ GROUPS "/b.service/inner/cgroup.procs", "" },
		{ GROUPS "/a.service/new", NULL },
		{ GROUPS "/b.service/inner/new", NULL },
		{ GROUPS "/c.service", NULL },
		{ "/sys/fs/cgroup/machine.slice/d.scope", NULL },
		{ "/proc/100/status", STATUS(1) },
		{ "/proc/200/status", STATUS(1) },
		/* A zombie, or a kernel that does not tell. */
		{ "/proc/200/status", "Name:\tsleep\nState:\tZ (zombie)\nSeccomp:\t0\n" },
		{ "/proc/100/status", "" },
	};

	add_all();
	change(changes[_i].path, changes[_i].content);
	ck_assert_msg(!steady_holds(&steady, &root), "%s", changes[_i].path);
}
END_TEST

START_TEST(what_does_not_matter_is_not_looked_at)
{
	add_all();
	change("/proc/101/status", STATUS(0));
	change("/proc/300/status", STATUS(1));
	change("/proc/100/status", "Name:\tother\nTHP_enabled:\t0\nSeccomp:\t2\n");
	ck_assert(steady_holds(&steady, &root));
}
END_TEST

START_TEST(what_is_not_as_it_was_found_is_not_noted)
{
	static const struct steady_proc other_start[] = { { 100, 6, true }, { 101, 8, false } },
					other_pid[] = { { 100, 7, true }, { 102, 8, false } },
					not_disabled[] = { { 100, 7, true }, { 101, 8, true } };

	ck_assert_int_eq(add("a.service", other_start, 2), -ESTALE);
	ck_assert_int_eq(add("a.service", other_pid, 2), -ESTALE);
	ck_assert_int_eq(add("a.service", not_disabled, 2), -ESTALE);
	ck_assert_int_eq(add("a.service", of_a, 1), -ESTALE);
	ck_assert_int_eq(add("b.service", NULL, 0), -ESTALE);
	steady_begin(&steady, &units);
	add_all();
}
END_TEST

static size_t descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	ck_assert_int_eq(closedir(d), 0);
	return n;
}

START_TEST(descriptors_are_few_and_are_closed)
{
	struct rlimit limit;
	size_t before = descriptors();

	for (int i = 0; i < 100; i++) {
		add_all();
		ck_assert_uint_eq(descriptors(), before + 8); /* 3 groups, and 2 who are asked */
		steady_begin(&steady, &units);
		ck_assert_uint_eq(descriptors(), before);
	}
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 256;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(add("a.service", of_a, ARRAY_SIZE(of_a)), -EMFILE);
	limit.rlim_cur = 260;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert(steady_fits(4));
	ck_assert(!steady_fits(5));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("steady");
	TCase *c = new_case(s, "trees");
	int status;

	test_dir_make();
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, what_is_noted_holds_until_something_changes, 0, 13);
	tcase_add_test(c, what_does_not_matter_is_not_looked_at);
	tcase_add_test(c, what_is_not_as_it_was_found_is_not_noted);
	tcase_add_test(c, descriptors_are_few_and_are_closed);
	status = run_suite(s);
	test_dir_remove();
	return status;
}
