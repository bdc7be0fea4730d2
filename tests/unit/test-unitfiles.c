/* SPDX-License-Identifier: MIT */
/* Names of units, their files in trees, and the version of a tree's systemd. */
#include "helper.h"

#include "base/unit-name.h"
#include "sys/unitfiles.h"

static struct arena scratch;
static const char *tree;
static struct root root = { .fd = -1 };
static struct unit_files files;

static void setup(void)
{
	tree = tree_make(&scratch, NULL, 0);
	ck_assert_int_eq(root_open_tree(tree, &root), 0);
}

static void teardown(void)
{
	unit_files_free(&files);
	root_close(&root);
	arena_free(&scratch);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct unit_file *)a)->name, ((const struct unit_file *)b)->name);
}

/* What is found, as lines: "NAME[ -> REAL][ masked][ slice]". */
static const char *found(bool slices)
{
	const char *out = "";
	const struct unit_file *f;

	unit_files_free(&files);
	ck_assert_int_eq(unit_files_read(&root, slices, &files), 0);
	if (files.list.n > 1)
		qsort(files.list.items, files.list.n, sizeof(*files.list.items), compare);
	array_foreach(f, &files.list)
		out = arena_printf(&scratch, "%s%s%s%s%s%s\n", out, f->name,
				   f->alias_of ? " -> " : "", f->alias_of ? f->alias_of : "",
				   f->masked ? " masked" : "", f->own_slice ? " slice" : "");
	return out;
}

#define VENDOR "usr/lib/systemd/system/"
#define ADMIN "etc/systemd/system/"
#define UNIT "[Unit]\n"

START_TEST(no_directories_no_units)
{
	ck_assert_str_eq(found(true), "");
}
END_TEST

START_TEST(types_that_have_the_setting)
{
	tree_add(tree, VENDOR "a.service", UNIT);
	tree_add(tree, VENDOR "b.socket", UNIT);
	tree_add(tree, "usr/local/lib/systemd/system/c.mount", UNIT);
	tree_add(tree, "run/systemd/system/d.swap", UNIT);
	tree_add(tree, "run/systemd/transient/e.service", UNIT);
	tree_add(tree, VENDOR "f.timer", UNIT);
	tree_add(tree, VENDOR "g.slice", UNIT);
	tree_add(tree, VENDOR ".h.service", UNIT);
	tree_add(tree, VENDOR "i j.service", UNIT);
	tree_add(tree, VENDOR "dir.service/x.service", UNIT);
	tree_add(tree, "run/systemd/generator/made.service", UNIT);
	ck_assert_str_eq(found(false), "a.service\nb.socket\nc.mount\nd.swap\ne.service\n");
}
END_TEST

START_TEST(links_that_are_other_names)
{
	tree_add(tree, VENDOR "a.service", UNIT);
	tree_add(tree, VENDOR "t@.service", UNIT);
	tree_add(tree, VENDOR "b.service", "-> a.service");
	tree_add(tree, ADMIN "c.service", "-> /usr/lib/systemd/system/b.service");
	tree_add(tree, ADMIN "d.service", "-> ../../../usr/lib/systemd/system/a.service");
	tree_add(tree, ADMIN "e.service", "-> /opt/elsewhere/a.service");
	tree_add(tree, ADMIN "f.service", "-> /opt/elsewhere/f.service");
	tree_add(tree, VENDOR "u@.service", "-> t@.service");
	tree_add(tree, ADMIN "t@1.service", "-> /usr/lib/systemd/system/t@.service");
	tree_add(tree, ADMIN "v@2.service", "-> /usr/lib/systemd/system/t@.service");
	tree_add(tree, VENDOR "x.service", "-> a.socket");
	ck_assert_str_eq(found(false), "a.service\n"
				       "b.service -> a.service\n"
				       "c.service -> a.service\n"
				       "d.service -> a.service\n"
				       "e.service\n"
				       "f.service\n"
				       "t@.service\n"
				       "t@1.service\n"
				       "u@.service -> t@.service\n"
				       "v@2.service -> t@2.service\n"
				       "x.service\n");
}
END_TEST

START_TEST(links_in_a_circle_end)
{
	tree_add(tree, VENDOR "a.service", "-> b.service");
	tree_add(tree, VENDOR "b.service", "-> c.service");
	tree_add(tree, VENDOR "c.service", "-> a.service");
	tree_add(tree, VENDOR "t@.service", "-> u@.service");
	tree_add(tree, VENDOR "u@.service", "-> t@.service");
	tree_add(tree, ADMIN "x.target.wants/t@1.service", "-> t@.service");
	(void)found(true);
	ck_assert_uint_eq(files.list.n, 6);
}
END_TEST

START_TEST(the_first_file_counts)
{
	tree_add(tree, VENDOR "a.service", UNIT);
	tree_add(tree, ADMIN "a.service", "-> /dev/null");
	tree_add(tree, VENDOR "b.service", UNIT);
	tree_add(tree, "run/systemd/system/b.service", "");
	tree_add(tree, ADMIN "b.service", UNIT);
	tree_add(tree, VENDOR "c.service", "");
	tree_add(tree, VENDOR "d.service", "-> c.service");
	ck_assert_str_eq(found(false), "a.service masked\nb.service\nc.service masked\n"
				       "d.service -> c.service masked\n");
}
END_TEST

START_TEST(instances_that_are_wanted)
{
	tree_add(tree, VENDOR "t@.service", UNIT);
	tree_add(tree, VENDOR "u@.service", "-> t@.service");
	tree_add(tree, ADMIN "x.target.wants/t@1.service", "-> /usr/lib/systemd/system/t@.service");
	tree_add(tree, ADMIN "x.target.wants/a.service", "-> /usr/lib/systemd/system/a.service");
	tree_add(tree, ADMIN "y.target.requires/t@2.service", "-> t@.service");
	tree_add(tree, VENDOR "z.service.upholds/u@3.service", "-> u@.service");
	tree_add(tree, ADMIN "t@2.service", "-> /dev/null");
	ck_assert_str_eq(found(false), "t@.service\nt@1.service\nt@2.service masked\n"
				       "u@.service -> t@.service\nu@3.service -> t@3.service\n");
}
END_TEST

START_TEST(slices_of_their_own)
{
	tree_add(tree, VENDOR "a.service", "[Service]\nSlice=x.slice\n");
	tree_add(tree, VENDOR "b.service", "[Service]\nExecStart=/bin/Slice=\n#Slice=x.slice\n");
	tree_add(tree, VENDOR "c-d.service", UNIT);
	tree_add(tree, ADMIN "c-.service.d/x.conf", "[Service]\n\tSlice = x.slice");
	tree_add(tree, VENDOR "e.service", UNIT);
	tree_add(tree, ADMIN "e.service.d/x", "[Service]\nSlice=x.slice\n");
	tree_add(tree, VENDOR "t@.service", "[Service]\nSlice=x-%i.slice\n");
	tree_add(tree, ADMIN "x.target.wants/t@1.service", "-> t@.service");
	tree_add(tree, VENDOR "u@.service", UNIT);
	tree_add(tree, ADMIN "u@1.service.d/x.conf", "[Service]\nSlice=x.slice\n");
	tree_add(tree, ADMIN "x.target.wants/u@1.service", "-> u@.service");
	tree_add(tree, VENDOR "f.service", "-> /nowhere/f.service");
	ck_assert_str_eq(found(true), "a.service slice\nb.service\nc-d.service slice\ne.service\n"
				      "f.service slice\nt@.service slice\nt@1.service slice\n"
				      "u@.service\nu@1.service slice\n");
	ck_assert_ptr_null(strstr(found(false), "slice"));
}
END_TEST

START_TEST(version_of_process_1)
{
	static const struct {
		const char *maps;
		int version;
	} rows[] = {
		{ "", 0 },
		{ "7f00-7f01 r-xp 0 00:00 1 /usr/lib/systemd/systemd\n", 0 },
		{ "7f00-7f01 r-xp 0 00:00 1 /usr/lib/systemd/libsystemd-core-262.so\n", 262 },
		{ "7f00-7f01 r-xp 0 00:00 1 /lib/systemd/libsystemd-shared-252.so (deleted)\n",
		  252 },
		{ "7f00-7f01 r-xp 0 00:00 1 /x/libsystemd-core-258.1-2.fc44.so\n", 258 },
		{ "7f00-7f01 r-xp 0 00:00 1 /x/libsystemd-core-next.so\n", 0 },
		{ "7f00-7f01 r-xp 0 00:00 1 /x/libsystemd.so.0.45.0\n", 0 },
		{ "a\n7f00-7f01 r-xp 0 00:00 1 /x/libsystemd-core-300~devel.so\nb\n", 300 },
	};

	ck_assert_int_eq(systemd_version(&root), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tree_add(tree, "proc/1/maps", rows[i].maps);
		ck_assert_int_eq(systemd_version(&root), rows[i].version);
	}
}
END_TEST

START_TEST(names_become_wider)
{
	static const char *const rows[][6] = {
		{ "a.service", "service" },
		{ "a-b.service", "a-.service", "service" },
		{ "a-b-c@x-y.service", "a-b-c@.service", "a-b-.service", "a-.service", "service" },
		{ "a--b.swap", "a--.swap", "a-.swap", "swap" },
		{ "-.mount", "mount" },
		{ "-a-b.mount", "-a-.mount", "mount" },
		{ "x@.socket", "socket" },
		{ "dbus-org.a.b.service", "dbus-.service", "service" },
	};
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = 0;

		(void)snprintf(name, sizeof(name), "%s", rows[i][0]);
		while (unit_name_broaden(name))
			ck_assert_str_eq(name, rows[i][++n]);
		ck_assert_ptr_null(rows[i][n + 1]);
		ck_assert_str_eq(name, rows[i][n]);
	}
}
END_TEST

START_TEST(names_that_units_can_have)
{
	static const char *const good[] = { "a.service", "a@.service",	 "a@b.socket",
					    "-.mount",	 "a\\x2db.swap", "a_b:c.d.service" };
	static const char *const bad[] = { "service", ".service",   "a.timer",	 "a b.service",
					   "",	      "@a.service", "*.service", "a/b.mount" };
	char name[300];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_msg(unit_name_type(good[i]) != NULL, "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(unit_name_type(bad[i]) == NULL, "%s", bad[i]);
	memset(name, 'a', sizeof(name));
	memcpy(name + 256 - 8, ".service", sizeof(".service"));
	ck_assert_ptr_null(unit_name_type(name));
	ck_assert_ptr_nonnull(unit_name_type(name + 1));
}
END_TEST

START_TEST(slices_by_default)
{
	static const char *const rows[][2] = {
		{ "a.service", "system.slice" },
		{ "a-b.service", "system.slice" },
		{ "a@x-y.service", "system-a.slice" },
		{ "a-b@.service", "system-a\\x2db.slice" },
		{ "a.b_c@x.service", "system-a.b_c.slice" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_str_eq(unit_name_default_slice(&scratch, rows[i][0]), rows[i][1]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("unitfiles");
	TCase *c = new_case(s, "unitfiles");
	int status;

	test_dir_make();
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, no_directories_no_units);
	tcase_add_test(c, types_that_have_the_setting);
	tcase_add_test(c, links_that_are_other_names);
	tcase_add_test(c, links_in_a_circle_end);
	tcase_add_test(c, the_first_file_counts);
	tcase_add_test(c, instances_that_are_wanted);
	tcase_add_test(c, slices_of_their_own);
	tcase_add_test(c, version_of_process_1);
	tcase_add_test(c, names_become_wider);
	tcase_add_test(c, names_that_units_can_have);
	tcase_add_test(c, slices_by_default);
	status = run_suite(s);
	test_dir_remove();
	return status;
}
