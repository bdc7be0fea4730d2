/* SPDX-License-Identifier: MIT */
/* What the unit tests have in common. */
#ifndef THPD_TESTS_UNIT_HELPER_H
#define THPD_TESTS_UNIT_HELPER_H

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/arena.h"

/* A file of a tree. Without content it is a directory; content that begins with "-> " is a link. */
struct file {
	const char *path;
	const char *content;
};

/* Everything that a program makes lies below this directory, and goes with it. */
static char test_dir[PATH_MAX];

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void test_dir_make(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)umask(022);
	(void)snprintf(test_dir, sizeof(test_dir), "%s/thpd-unit-XXXXXX",
		       tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(test_dir)) {
		perror(test_dir);
		exit(1);
	}
}

static inline void test_dir_remove(void)
{
	if (*test_dir)
		(void)nftw(test_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The name of @path, as the host of the tree sees it, outside of the tree. */
static inline const char *tree_path(struct arena *a, const char *tree, const char *path)
{
	const char *p = arena_printf(a, "%s%s%s", tree, *path == '/' ? "" : "/", path);

	ck_assert_ptr_nonnull(p);
	return p;
}

static inline void make_parents(const char *path)
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *s = strchr(copy + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		ck_assert(mkdir(copy, 0755) == 0 || errno == EEXIST);
		*s = '/';
	}
}

/* Makes one file, with the directories above it; one that is there is replaced. */
static inline void tree_add(const char *tree, const char *path, const char *content)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char *full = tree_path(&a, tree, path);
	FILE *f;

	make_parents(full);
	if (!content) {
		ck_assert(mkdir(full, 0755) == 0 || errno == EEXIST);
		return;
	}
	(void)unlink(full);
	if (strncmp(content, "-> ", 3) == 0) {
		ck_assert_int_eq(symlink(content + 3, full), 0);
		return;
	}
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(content, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* Makes a tree of its own for a test; the name lives in the arena. */
static inline const char *tree_make(struct arena *a, const struct file *files, size_t n)
{
	char *tree = arena_printf(a, "%s/tree-XXXXXX", test_dir);

	ck_assert_ptr_nonnull(tree);
	ck_assert_ptr_nonnull(mkdtemp(tree));
	ck_assert_int_eq(chmod(tree, 0755), 0);
	for (size_t i = 0; i < n; i++)
		tree_add(tree, files[i].path, files[i].content);
	return tree;
}

/* What a file of the tree holds now; "(none)" when it cannot be read. */
static inline const char *tree_read(struct arena *a, const char *tree, const char *path)
{
	FILE *f = fopen(tree_path(a, tree, path), "r");
	char buf[4096];
	size_t n;

	if (!f)
		return "(none)";
	n = fread(buf, 1, sizeof(buf), f);
	ck_assert_int_eq(fclose(f), 0);
	return arena_strndup(a, buf, n);
}

static inline bool contains(const char *s, const char *what)
{
	return strstr(s, what) != NULL;
}

/* Prints TAP; the exit status of the program. */
static inline int run_suite(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A group of tests; a test that takes longer than half a minute hangs. */
static inline TCase *new_case(Suite *s, const char *name)
{
	TCase *c = tcase_create(name);

	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	return c;
}

#endif
