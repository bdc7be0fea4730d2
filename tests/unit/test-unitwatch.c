/* SPDX-License-Identifier: MIT */
/* New units, by their groups: in trees that look like a hierarchy, and in the machine's own. */
#include "helper.h"

#include "sys/units.h"
#include "sys/unitwatch.h"

static struct arena scratch;
static const char *tree;
static struct root root = { .fd = -1 };
static struct unitwatch *watch;
static char told[65536]; /* "NAME PATH\n"... */

static const struct file groups[] = {
	{ "/sys/fs/cgroup/cgroup.controllers", "" },
	{ "/sys/fs/cgroup/init.scope", NULL },
	{ "/sys/fs/cgroup/system.slice/old.service", NULL },
	{ "/sys/fs/cgroup/system.slice/system-pg.slice/pg@1.service", NULL },
	{ "/sys/fs/cgroup/user.slice/user-1.slice/user@1.service", NULL },
	{ "/sys/fs/cgroup/lxc.payload.x", NULL },
};

static void setup(void)
{
	tree = tree_make(&scratch, groups, ARRAY_SIZE(groups));
	ck_assert_int_eq(root_open_tree(tree, &root), 0);
}

static void teardown(void)
{
	unitwatch_close(watch);
	watch = NULL;
	root_close(&root);
	arena_free(&scratch);
}

static void open_watch(const char *const *patterns, size_t n, const char *const *skip)
{
	ck_assert_int_eq(unitwatch_open(&root, patterns, n, skip, &watch), 0);
	ck_assert_str_eq(unitwatch_base(watch), "/sys/fs/cgroup");
}

static void open_all(void)
{
	static const char *const all[] = { "*" };

	open_watch(all, 1, NULL);
}

static void make(const char *group)
{
	tree_add(tree, arena_printf(&scratch, "/sys/fs/cgroup/%s", group), NULL);
}

static void unmake(const char *group)
{
	ck_assert_int_eq(rmdir(tree_path(&scratch, tree,
					 arena_printf(&scratch, "/sys/fs/cgroup/%s", group))),
			 0);
}

static void tell(const char *name, const char *path, void *data)
{
	char *buf = data;
	size_t n = strlen(buf);

	(void)snprintf(buf + n, sizeof(told) - n, "%s %s\n", name, path);
}

static const char *read_watch(void)
{
	told[0] = '\0';
	ck_assert_int_eq(unitwatch_read(watch, tell, told), 0);
	return told;
}

START_TEST(nothing_new)
{
	open_all();
	ck_assert_str_eq(read_watch(), "");
}
END_TEST

START_TEST(new_units_of_every_kind)
{
	open_all();
	make("system.slice/a.service");
	make("system.slice/docker-4f5e.scope");
	make("system.slice/system-pg.slice/pg@2.service");
	make("system.slice/_cpu.service");
	make("top.scope");
	ck_assert_str_eq(read_watch(), "a.service system.slice/a.service\n"
				       "docker-4f5e.scope system.slice/docker-4f5e.scope\n"
				       "pg@2.service system.slice/system-pg.slice/pg@2.service\n"
				       "cpu.service system.slice/_cpu.service\n"
				       "top.scope top.scope\n");
	ck_assert_str_eq(read_watch(), "");
}
END_TEST

START_TEST(what_is_below_a_unit_or_not_systemd_s)
{
	open_all();
	make("system.slice/old.service/inner.service");
	make("user.slice/user-1.slice/user@1.service/app.slice/x.service");
	make("lxc.payload.x/system.slice/y.service");
	make("docker/z.scope");
	make("init.scope/system.slice");
	tree_add(tree, "/sys/fs/cgroup/system.slice/file.service", "");
	ck_assert_str_eq(read_watch(), "");
}
END_TEST

START_TEST(slice_that_was_filled_before_it_is_watched)
{
	open_all();
	make("new.slice/new-a.slice/deep.service");
	make("new.slice/odd/inside.service");
	ck_assert(contains(read_watch(), "deep.service new.slice/new-a.slice/deep.service\n"));
	ck_assert(contains(told, "inside.service new.slice/odd/inside.service\n"));
	ck_assert(contains(told, "new.slice new.slice\n"));
	make("new.slice/new-a.slice/later.service");
	make("new.slice/odd/later.scope");
	ck_assert_str_eq(read_watch(), "later.service new.slice/new-a.slice/later.service\n"
				       "later.scope new.slice/odd/later.scope\n");
}
END_TEST

START_TEST(only_what_the_patterns_match)
{
	static const char *const patterns[] = { "pg@2.service", "docker-*.scope", "db.slice" };

	open_watch(patterns, ARRAY_SIZE(patterns), NULL);
	make("system.slice/a.service");
	make("system.slice/system-pg.slice/pg@2.service");
	make("system.slice/system-pg.slice/pg@3.service");
	make("system.slice/docker-1.scope");
	ck_assert_str_eq(read_watch(), "pg@2.service system.slice/system-pg.slice/pg@2.service\n"
				       "docker-1.scope system.slice/docker-1.scope\n");
	make("db.slice");
	ck_assert_str_eq(read_watch(), "db.slice db.slice\n");
	make("db.slice/db-a.slice");
	ck_assert_str_eq(read_watch(), "db-a.slice db.slice/db-a.slice\n");
	make("db.slice/db-a.slice/any.service");
	ck_assert_str_eq(read_watch(), "any.service db.slice/db-a.slice/any.service\n");
}
END_TEST

START_TEST(slices_not_worth_it)
{
	static const char *const patterns[] = { "*.scope" }, *const skip[] = { "user.slice", NULL };

	open_watch(patterns, 1, skip);
	make("user.slice/session-1.scope");
	make("user.slice/user-1.slice/session-2.scope");
	make("system.slice/c.scope");
	ck_assert_str_eq(read_watch(), "c.scope system.slice/c.scope\n");
}
END_TEST

static size_t count_watches(void)
{
	char line[256];
	size_t n = 0;
	FILE *f;

	(void)snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", unitwatch_fd(watch));
	f = fopen(line, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strncmp(line, "inotify wd:", 11) == 0;
	ck_assert_int_eq(fclose(f), 0);
	return n;
}

START_TEST(slices_that_come_and_go)
{
	size_t before;

	open_all();
	before = count_watches();
	ck_assert_uint_eq(before, 5); /* the top and four slices */
	for (int i = 0; i < 1000; i++) {
		make("a.slice/a-b.slice/c.service");
		ck_assert(contains(read_watch(), "c.service a.slice/a-b.slice/c.service\n"));
		unmake("a.slice/a-b.slice/c.service");
		unmake("a.slice/a-b.slice");
		unmake("a.slice");
	}
	ck_assert_str_eq(read_watch(), "");
	ck_assert_uint_eq(count_watches(), before);
	make("a.slice");
	unmake("a.slice");
	ck_assert_str_eq(read_watch(), "a.slice a.slice\n");
	ck_assert_uint_eq(count_watches(), before);
}
END_TEST

static void find_missed(const char *name, const char *path, void *data)
{
	(void)path;
	*(bool *)data |= streq(name, "missed.service");
}

/* The kernel keeps fs.inotify.max_queued_events, 16384 if nobody has changed it. */
START_TEST(queue_that_ran_over_tells_what_is_there)
{
	static const char *const patterns[] = { "missed.service" };
	bool missed = false;

	open_watch(patterns, 1, NULL);
	for (int i = 0; i < 20000; i++) {
		char path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "%s/sys/fs/cgroup/system.slice/%d", root.path,
			       i);
		ck_assert_int_eq(mkdir(path, 0755), 0);
		ck_assert_int_eq(rmdir(path), 0);
	}
	make("system.slice/missed.service");
	ck_assert_int_eq(unitwatch_read(watch, find_missed, &missed), 0);
	ck_assert(missed);
}
END_TEST

START_TEST(no_tree_no_watch)
{
	const char *empty = tree_make(&scratch, NULL, 0);
	struct root other;

	ck_assert_int_eq(root_open_tree(empty, &other), 0);
	ck_assert_int_eq(unitwatch_open(&other, NULL, 0, NULL, &watch), -ENOENT);
	ck_assert_ptr_null(watch);
	root_close(&other);
}
END_TEST

/* The machine's own hierarchy. */

#define GROUPS 200

static char slice[PATH_MAX], slice_name[64];

static bool make_slice(void)
{
	static const char *const bases[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };

	(void)snprintf(slice_name, sizeof(slice_name), "thpdtest%d.slice", (int)getpid());
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		char mark[PATH_MAX];

		(void)snprintf(mark, sizeof(mark), "%s/cgroup.controllers", bases[i]);
		(void)snprintf(slice, sizeof(slice), "%s/%s", bases[i], slice_name);
		if (access(mark, F_OK) == 0 && mkdir(slice, 0755) == 0)
			return true;
	}
	slice[0] = '\0';
	return false;
}

static void remove_slice(void)
{
	char path[PATH_MAX + 64];

	if (!slice[0])
		return;
	for (int i = 0; i < GROUPS; i++) {
		(void)snprintf(path, sizeof(path), "%s/u%d.scope", slice, i);
		(void)rmdir(path);
	}
	(void)rmdir(slice);
}

struct seen {
	size_t n;
	char path[PATH_MAX];
};

static void see(const char *name, const char *path, void *data)
{
	struct seen *seen = data;

	(void)name;
	seen->n++;
	(void)snprintf(seen->path, sizeof(seen->path), "%s", path);
}

START_TEST(real_groups)
{
	static const char *const patterns[] = { "u*.scope" };
	char path[PATH_MAX + 64], want[128];
	struct seen seen = { 0 };
	struct unit_tree units;

	if (!make_slice()) {
		(void)fprintf(stderr, "# no cgroup tree that can be written to\n");
		ck_assert(geteuid() != 0 || !getenv("CI"));
		return;
	}
	ck_assert_int_eq(unitwatch_open(&ROOT_LIVE, patterns, 1, NULL, &watch), 0);
	ck_assert_int_eq(units_read(&ROOT_LIVE, &units), 0);
	ck_assert_str_eq(unitwatch_base(watch), units.base);
	units_free(&units);
	for (int i = 0; i < GROUPS; i++) {
		(void)snprintf(path, sizeof(path), "%s/u%d.scope", slice, i);
		(void)snprintf(want, sizeof(want), "%s/u%d.scope", slice_name, i);
		ck_assert_int_eq(mkdir(path, 0755), 0);
		ck_assert_int_eq(unitwatch_read(watch, see, &seen), 0);
		ck_assert_uint_eq(seen.n, (size_t)i + 1);
		ck_assert_str_eq(seen.path, want);
	}
	(void)snprintf(path, sizeof(path), "%s/u0.scope/u1.scope", slice);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(unitwatch_read(watch, see, &seen), 0);
	ck_assert_uint_eq(seen.n, GROUPS);
	ck_assert_uint_ge(count_watches(), 2);
	remove_slice();
	ck_assert_int_eq(unitwatch_read(watch, see, &seen), 0);
	ck_assert_uint_eq(seen.n, GROUPS);
}
END_TEST

static void teardown_real(void)
{
	remove_slice();
	teardown();
}

int main(void)
{
	Suite *s = suite_create("unitwatch");
	TCase *c = new_case(s, "trees"), *real = new_case(s, "real");
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, nothing_new);
	tcase_add_test(c, new_units_of_every_kind);
	tcase_add_test(c, what_is_below_a_unit_or_not_systemd_s);
	tcase_add_test(c, slice_that_was_filled_before_it_is_watched);
	tcase_add_test(c, only_what_the_patterns_match);
	tcase_add_test(c, slices_not_worth_it);
	tcase_add_test(c, slices_that_come_and_go);
	tcase_add_test(c, queue_that_ran_over_tells_what_is_there);
	tcase_add_test(c, no_tree_no_watch);
	tcase_add_checked_fixture(real, NULL, teardown_real);
	tcase_add_test(real, real_groups);
	/* Thousands of directories come and go: a disk would take its time. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	test_dir_make();
	failed = run_suite(s);
	test_dir_remove();
	return failed;
}
