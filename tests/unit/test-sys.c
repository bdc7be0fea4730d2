/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include <dirent.h>

#include "sys/knob.h"
#include "sys/root.h"

#define THP "/sys/kernel/mm/transparent_hugepage"

static struct arena scratch;
static const char *tree;
static struct root root = { .fd = -1 };

static const struct file host[] = {
	{ "/etc/file", "inside\n" },
	{ "/etc/passwd", "the tree's own\n" },
	{ "/etc/dir", NULL },
	{ "/etc/abs", "-> /etc/file" },
	{ "/etc/up", "-> ../../../../../../../../etc/file" },
	{ "/etc/out", "-> /proc/self/root/etc/passwd" },
	{ "/etc/gone", "-> /etc/nothing" },
	{ "/etc/loop", "-> loop" },
	{ "/etc/masked", "-> /dev/null" },
	{ "/outside", "-> ../.." },
	{ THP "/enabled", "always [madvise] never\n" },
	{ THP "/use_zero_page", "1\n" },
	{ THP "/bad", "always madvise\n" },
	{ THP "/khugepaged/max_ptes_none", "511\n" },
	{ THP "/link", "-> enabled" },
};

static void setup(void)
{
	tree = tree_make(&scratch, host, ARRAY_SIZE(host));
	ck_assert_int_eq(root_open_tree(tree, &root), 0);
}

static void teardown(void)
{
	root_close(&root);
	arena_free(&scratch);
}

/* What the host's file holds, read through the handle; or what is wrong. */
static const char *content(const char *path)
{
	char *text;
	int r = root_read_file(&root, path, &scratch, 4096, &text, NULL, NULL);

	return r < 0 ? strerror(-r) : text;
}

START_TEST(tree_is_a_root_of_its_own)
{
	ck_assert(!root.live);
	ck_assert_str_eq(content("/etc/file"), "inside\n");
	ck_assert_str_eq(content("/etc/passwd"), "the tree's own\n");
	ck_assert_str_eq(content("/etc/abs"), "inside\n");
	ck_assert_str_eq(content("/etc/nothing"), strerror(ENOENT));
	ck_assert_str_eq(content("/etc/gone"), strerror(ENOENT));
	ck_assert_str_eq(content("/etc/loop"), strerror(ELOOP));
	ck_assert_str_eq(content("/etc/dir"), strerror(EISDIR));
}
END_TEST

START_TEST(tree_cannot_be_left)
{
	const char *name = strrchr(tree, '/') + 1;

	tree_add(test_dir, arena_printf(&scratch, "%s.secret", name), "secret\n");
	tree_add(tree, "/etc/secret", arena_printf(&scratch, "-> %s.secret", tree));
	ck_assert_str_eq(content(arena_printf(&scratch, "/../%s.secret", name)), strerror(ENOENT));
	ck_assert_str_eq(content(arena_printf(&scratch, "/etc/../../%s.secret", name)),
			 strerror(ENOENT));
	ck_assert_str_eq(content(arena_printf(&scratch, "/outside/%s.secret", name)),
			 strerror(ENOENT));
	ck_assert_str_eq(content("/etc/secret"), strerror(ENOENT));
	ck_assert_str_eq(content("/etc/out"), strerror(ENOENT));
	/* `..` ends at the tree's own top. */
	ck_assert_str_eq(content("/../../etc/file"), "inside\n");
	ck_assert_str_eq(content("/etc/up"), "inside\n");
	ck_assert_str_eq(content("/outside/etc/file"), "inside\n");
	/* Neither for writing. */
	ck_assert_int_eq(root_write_file(&root, test_dir, "x", "x", 1, 0600), -ENOENT);
	ck_assert_int_eq(root_make_dir(&root, "/../made"), 0);
	ck_assert_str_eq(tree_read(&scratch, test_dir, "x"), "(none)");
	ck_assert_int_eq(access(tree_path(&scratch, tree, "/made"), F_OK), 0);
}
END_TEST

START_TEST(below_a_directory_no_link_is_followed)
{
	int dir = root_open(&root, "/etc", O_PATH | O_DIRECTORY);
	/* clang-format off */
	static const char *const bad[] = {
		"../etc/file", "..", "/etc/file", "abs", "up", "masked",
	};
	/* clang-format on */
	int fd;

	ck_assert_int_ge(dir, 0);
	fd = root_open_below(&root, dir, "file", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	close_fd(fd);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fd = root_open_below(&root, dir, bad[i], O_RDONLY);
		ck_assert_msg(fd == -EXDEV || fd == -ELOOP, "%s: %d", bad[i], fd);
	}
	close_fd(dir);
}
END_TEST

START_TEST(tree_must_be_a_directory)
{
	struct root r = { .fd = -77 };

	ck_assert_int_eq(root_open_tree(tree_path(&scratch, tree, "/nothing"), &r), -ENOENT);
	ck_assert_int_eq(root_open_tree(tree_path(&scratch, tree, "/etc/file"), &r), -ENOTDIR);
	ck_assert_int_eq(r.fd, -77);
}
END_TEST

START_TEST(descriptors_are_not_inherited)
{
	int fd = root_open(&root, "/etc/file", O_RDONLY);
	struct root live = ROOT_LIVE;

	ck_assert_int_eq(fcntl(root.fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close_fd(fd);
	fd = root_open(&live, tree_path(&scratch, tree, "/etc/file"), O_RDONLY);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close_fd(fd);
}
END_TEST

START_TEST(fifo_does_not_hold_a_reader)
{
	ck_assert_int_eq(mkfifo(tree_path(&scratch, tree, "/etc/fifo"), 0644), 0);
	alarm(5);
	ck_assert_str_eq(content("/etc/fifo"), strerror(EINVAL));
	alarm(0);
}
END_TEST

START_TEST(fifo_does_not_hold_a_reader_of_small_files)
{
	char buf[16];

	ck_assert_int_eq(mkfifo(tree_path(&scratch, tree, "/etc/fifo"), 0644), 0);
	alarm(5);
	ck_assert_int_le(root_read(&root, "/etc/fifo", buf, sizeof(buf)), 0);
	alarm(0);
}
END_TEST

START_TEST(files_are_limited_in_size)
{
	char *text;
	size_t len;
	struct stat st;

	tree_add(tree, "/etc/ten", "0123456789");
	ck_assert_int_eq(root_read_file(&root, "/etc/ten", &scratch, 9, &text, &len, &st), -EFBIG);
	ck_assert_int_eq(root_read_file(&root, "/etc/ten", &scratch, 10, &text, &len, &st), 0);
	ck_assert_uint_eq(len, 10);
	ck_assert_str_eq(text, "0123456789");
	ck_assert_int_eq(st.st_size, 10);
	ck_assert_uint_eq(st.st_uid, geteuid());
}
END_TEST

START_TEST(root_read_cuts_and_terminates)
{
	char buf[5] = "xxxx";

	ck_assert_int_eq(root_read(&root, "/etc/file", buf, sizeof(buf)), 4);
	ck_assert_str_eq(buf, "insi");
	ck_assert_int_eq(root_read(&root, "/etc/nothing", buf, sizeof(buf)), -ENOENT);
}
END_TEST

/* A pipe does not tell its size: it is read to its end, and still limited. */
START_TEST(fd_read_all_reads_to_the_end)
{
	enum { N = 30000 };
	static char data[N];
	char *text;
	size_t len = 0;

	for (size_t i = 0; i < N; i++)
		data[i] = (char)('a' + i % 26);
	for (int fits = 0; fits < 2; fits++) {
		int p[2];

		ck_assert_int_eq(pipe(p), 0);
		ck_assert_int_eq(write(p[1], data, N), N);
		close_fd(p[1]);
		ck_assert_int_eq(fd_read_all(p[0], &scratch, fits ? N : N - 1, &text, &len),
				 fits ? 0 : -EFBIG);
		close_fd(p[0]);
	}
	ck_assert_uint_eq(len, N);
	ck_assert_int_eq(memcmp(text, data, N), 0);
	ck_assert_int_eq(text[N], '\0');
}
END_TEST

/* Hidden names too. */
static size_t count_names(const char *dir)
{
	DIR *d = opendir(tree_path(&scratch, tree, dir));
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += !streq(e->d_name, ".") && !streq(e->d_name, "..");
	ck_assert_int_eq(closedir(d), 0);
	return n;
}

START_TEST(a_written_file_replaces_the_old_one)
{
	struct stat st;
	char buf[16] = "";
	int old;

	ck_assert_int_eq(root_write_file(&root, "/etc/dir", "f", "one\n", 4, 0640), 0);
	ck_assert_int_eq(stat(tree_path(&scratch, tree, "/etc/dir/f"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	/* Who has the old file open goes on to see the old contents, whole. */
	old = root_open(&root, "/etc/dir/f", O_RDONLY);
	ck_assert_int_ge(old, 0);
	ck_assert_int_eq(root_write_file(&root, "/etc/dir", "f", "second\n", 7, 0600), 0);
	ck_assert_int_eq(read(old, buf, sizeof(buf)), 4);
	ck_assert_str_eq(buf, "one\n");
	close_fd(old);
	ck_assert_str_eq(content("/etc/dir/f"), "second\n");
	ck_assert_int_eq(stat(tree_path(&scratch, tree, "/etc/dir/f"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(count_names("/etc/dir"), 1);
}
END_TEST

START_TEST(a_link_is_replaced_not_written_through)
{
	tree_add(tree, "/etc/dir/link", "-> /etc/file");
	ck_assert_int_eq(root_write_file(&root, "/etc/dir", "link", "new\n", 4, 0644), 0);
	ck_assert_str_eq(content("/etc/dir/link"), "new\n");
	ck_assert_str_eq(content("/etc/file"), "inside\n");
}
END_TEST

START_TEST(a_failed_write_leaves_no_file)
{
	tree_add(tree, "/etc/dir/sub", NULL);
	ck_assert_int_lt(root_write_file(&root, "/etc/dir", "sub", "x", 1, 0644), 0);
	ck_assert_uint_eq(count_names("/etc/dir"), 1);
	ck_assert_int_eq(root_write_file(&root, "/etc/nodir", "f", "x", 1, 0644), -ENOENT);
	ck_assert_int_eq(root_write_file(&root, "/etc/file", "f", "x", 1, 0644), -ENOTDIR);
}
END_TEST

START_TEST(directories_are_made_and_files_removed)
{
	ck_assert_int_eq(root_make_dir(&root, "/run"), 0);
	ck_assert_int_eq(root_make_dir(&root, "/run/thpd"), 0);
	ck_assert_int_eq(root_make_dir(&root, "/run/thpd"), 0);
	ck_assert_int_eq(root_make_dir(&root, "/var/lib/x"), -ENOENT);
	ck_assert_int_eq(root_write_file(&root, "/run/thpd", "f", "x", 1, 0644), 0);
	ck_assert_int_eq(root_unlink(&root, "/run/thpd", "f"), 0);
	ck_assert_str_eq(content("/run/thpd/f"), strerror(ENOENT));
	ck_assert_int_eq(root_unlink(&root, "/run/thpd", "f"), -ENOENT);
	ck_assert_int_eq(root_unlink(&root, "/no", "f"), -ENOENT);
}
END_TEST

START_TEST(names_are_listed_in_order)
{
	static const char *const order[] = { "05-a.conf", "10-b.conf", "9.conf", "B",
					     "a",	  "b",	       "b.conf" };
	const char **names = NULL;
	size_t n = 77;

	ck_assert_int_eq(root_list(&root, "/etc/dir", &scratch, &names, &n), 0);
	ck_assert_uint_eq(n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		tree_add(tree,
			 arena_printf(&scratch, "/etc/dir/%s", order[i * 3 % ARRAY_SIZE(order)]),
			 "");
	tree_add(tree, "/etc/dir/.hidden", "");
	ck_assert_int_eq(root_list(&root, "/etc/dir", &scratch, &names, &n), 0);
	ck_assert_uint_eq(n, ARRAY_SIZE(order));
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(names[i], order[i]);
	ck_assert_int_eq(root_list(&root, "/etc/nothing", &scratch, &names, &n), -ENOENT);
	ck_assert_int_eq(root_list(&root, "/etc/file", &scratch, &names, &n), -ENOTDIR);
}
END_TEST

START_TEST(only_a_link_to_dev_null_masks)
{
	tree_add(tree, "/etc/m1", "-> /dev/nul");
	tree_add(tree, "/etc/m2", "-> /dev/null2");
	tree_add(tree, "/etc/m3", "-> /etc/masked");
	tree_add(tree, "/etc/m4", "");
	ck_assert(root_is_mask(&root, "/etc/masked"));
	for (int i = 1; i <= 4; i++)
		ck_assert_msg(!root_is_mask(&root, arena_printf(&scratch, "/etc/m%d", i)), "m%d",
			      i);
	ck_assert(!root_is_mask(&root, "/etc/dir"));
	ck_assert(!root_is_mask(&root, "/etc/nothing"));
	ck_assert(!fd_is_mask(-1));
}
END_TEST

START_TEST(knob_parse_reads_the_kernels_notation)
{
	static const struct {
		const char *text, *value, *words;
	} cases[] = {
		{ "always [madvise] never\n", "madvise", "always madvise never" },
		{ "[always] madvise never", "always", "always madvise never" },
		{ "always defer defer+madvise madvise [never]\n", "never",
		  "always defer defer+madvise madvise never" },
		{ "[x]", "x", "x" },
		{ "  a   [b] \n", "b", "a b" },
		{ "511\n", "511", "" },
		{ "0", "0", "" },
		{ "18446744073709551615\n", "18446744073709551615", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct knob k;

		ck_assert_msg(knob_parse(cases[i].text, &k) == 0, "case %zu", i);
		ck_assert_str_eq(k.value, cases[i].value);
		ck_assert_str_eq(k.words, cases[i].words);
	}
}
END_TEST

START_TEST(knob_parse_refuses_the_rest)
{
	static const char *const bad[] = { "",
					   "\n",
					   "always madvise",
					   "word",
					   "[a] [b]",
					   "[]",
					   "a []",
					   "[a",
					   "a]",
					   "[a b]",
					   "-1",
					   "1 2",
					   "0x1",
					   "1kB",
					   "007",
					   "18446744073709551616" };
	char big[KNOB_TEXT_MAX + 1];
	struct knob k = { .value = "untouched" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(knob_parse(bad[i], &k) == -EBADMSG, "'%s'", bad[i]);
		ck_assert_str_eq(k.value, "untouched");
	}
	memset(big, 'a', sizeof(big));
	memcpy(big, "[a] ", 4);
	big[KNOB_TEXT_MAX] = '\0';
	ck_assert_int_eq(knob_parse(big, &k), -EBADMSG);
	big[KNOB_TEXT_MAX - 1] = '\0';
	ck_assert_int_eq(knob_parse(big, &k), 0);
	ck_assert_uint_eq(strlen(k.words), KNOB_TEXT_MAX - 3);
}
END_TEST

START_TEST(knob_read_tells_errors_apart)
{
	_cleanup_close_ int dir = knob_open(&root);
	struct knob k;

	ck_assert_int_ge(dir, 0);
	ck_assert_int_eq(knob_read(&root, dir, "enabled", &k), 0);
	ck_assert_str_eq(k.value, "madvise");
	ck_assert_int_eq(knob_read(&root, dir, "khugepaged/max_ptes_none", &k), 0);
	ck_assert_str_eq(k.value, "511");
	ck_assert_int_eq(knob_read(&root, dir, "defrag", &k), -ENOENT);
	ck_assert_int_eq(knob_read(&root, dir, "bad", &k), -EBADMSG);
	ck_assert_int_eq(knob_read(&root, dir, "khugepaged", &k), -EBADMSG);
	ck_assert_int_eq(knob_read(&root, dir, "link", &k), -ELOOP);
	ck_assert_int_eq(knob_read(&root, dir, "../../../../etc/file", &k), -EXDEV);
	ck_assert_int_eq(knob_read(&root, -1, "enabled", &k), -EBADF);
}
END_TEST

START_TEST(a_long_knob_is_not_cut)
{
	_cleanup_close_ int dir = knob_open(&root);
	char big[600];
	struct knob k;

	memset(big, 'a', sizeof(big));
	memcpy(big, "[always] ", 9);
	big[sizeof(big) - 1] = '\0';
	tree_add(tree, THP "/enabled", big);
	ck_assert_int_eq(knob_read(&root, dir, "enabled", &k), -EBADMSG);
}
END_TEST

START_TEST(knob_write_selects_the_word)
{
	static const struct {
		const char *key, *value, *text;
		int r;
	} cases[] = {
		{ "enabled", "never", "always madvise [never]\n", 0 },
		{ "enabled", "always", "[always] madvise never\n", 0 },
		{ "enabled", "always", "[always] madvise never\n", 0 },
		{ "enabled", "alw", "[always] madvise never\n", -EINVAL },
		{ "enabled", "inherit", "[always] madvise never\n", -EINVAL },
		{ "enabled", "", "[always] madvise never\n", -EINVAL },
		{ "khugepaged/max_ptes_none", "0", "0\n", 0 },
		{ "khugepaged/max_ptes_none", "4096", "4096\n", 0 },
		{ "use_zero_page", "0", "0\n", 0 },
		{ "defrag", "never", "(none)", -ENOENT },
		{ "link", "never", "[always] madvise never\n", -ELOOP },
	};
	_cleanup_close_ int dir = knob_open(&root);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *path = arena_printf(&scratch, THP "/%s", cases[i].key);

		ck_assert_int_eq(knob_write(&root, dir, cases[i].key, cases[i].value), cases[i].r);
		ck_assert_str_eq(tree_read(&scratch, tree, path), cases[i].text);
	}
}
END_TEST

/* The live host gets the bare value in one write; a plain file stands for it here. */
START_TEST(knob_write_to_the_running_host_is_the_bare_value)
{
	struct root live = ROOT_LIVE;
	_cleanup_close_ int dir = open(tree_path(&scratch, tree, THP),
				       O_PATH | O_DIRECTORY | O_CLOEXEC);

	tree_add(tree, THP "/new", "");
	ck_assert_int_eq(knob_write(&live, dir, "new", "defer+madvise"), 0);
	ck_assert_str_eq(tree_read(&scratch, tree, THP "/new"), "defer+madvise");
	ck_assert_int_eq(knob_write(&live, dir, "nothing", "1"), -ENOENT);
	ck_assert_str_eq(tree_read(&scratch, tree, THP "/nothing"), "(none)");
}
END_TEST

START_TEST(a_kernel_without_thp)
{
	struct root r;
	const struct file none[] = { { "/sys/kernel/mm", NULL } };

	ck_assert_int_eq(root_open_tree(tree_make(&scratch, none, 1), &r), 0);
	ck_assert_int_eq(knob_open(&r), -ENOENT);
	root_close(&r);
	ck_assert_int_eq(r.fd, -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys");
	TCase *c = new_case(s, "root");
	int r;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, tree_is_a_root_of_its_own);
	tcase_add_test(c, tree_cannot_be_left);
	tcase_add_test(c, below_a_directory_no_link_is_followed);
	tcase_add_test(c, tree_must_be_a_directory);
	tcase_add_test(c, descriptors_are_not_inherited);
	tcase_add_test(c, fifo_does_not_hold_a_reader);
	tcase_add_test(c, fifo_does_not_hold_a_reader_of_small_files);
	tcase_add_test(c, files_are_limited_in_size);
	tcase_add_test(c, root_read_cuts_and_terminates);
	tcase_add_test(c, fd_read_all_reads_to_the_end);
	tcase_add_test(c, a_written_file_replaces_the_old_one);
	tcase_add_test(c, a_link_is_replaced_not_written_through);
	tcase_add_test(c, a_failed_write_leaves_no_file);
	tcase_add_test(c, directories_are_made_and_files_removed);
	tcase_add_test(c, names_are_listed_in_order);
	tcase_add_test(c, only_a_link_to_dev_null_masks);

	c = new_case(s, "knob");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, knob_parse_reads_the_kernels_notation);
	tcase_add_test(c, knob_parse_refuses_the_rest);
	tcase_add_test(c, knob_read_tells_errors_apart);
	tcase_add_test(c, a_long_knob_is_not_cut);
	tcase_add_test(c, knob_write_selects_the_word);
	tcase_add_test(c, knob_write_to_the_running_host_is_the_bare_value);
	tcase_add_test(c, a_kernel_without_thp);
	test_dir_make();
	r = run_suite(s);
	test_dir_remove();
	return r;
}
