/* SPDX-License-Identifier: MIT */
/* Which files make the policy, in which order, and whether they may be trusted. */
#include "engine/policy-files.h"

#include <fcntl.h>

#include "base/strmap.h"
#include "sys/paths.h"

/* Later ones win, as with systemd's own configuration. */
static const char *const standard_dirs[] = { "/usr/lib/thpd", PATH_RUN_POLICY, "/etc/thpd" };

static const struct policy_paths standard = { standard_dirs, ARRAY_SIZE(standard_dirs) };

/*
 * What sets the host for every process must come from root. A caller without privilege, who cannot
 * apply anything, may look at his own files too.
 */
static const char *distrust(const struct stat *st)
{
	uid_t me = geteuid();
	bool own = me != 0 && st->st_uid == me;

	if (st->st_uid != 0 && !own)
		return "not owned by root";
	if (st->st_mode & S_IWOTH)
		return "writable by everybody";
	if ((st->st_mode & S_IWGRP) && st->st_gid != 0 && !own)
		return "writable by a group";
	return NULL;
}

/**
 * policy_file_read() - reads one file that must be there
 * @root: the host
 * @path: the file
 * @out: owns the memory; the file is not added to its list
 * @ret: the file
 * @d: gets the error: not readable is trouble, not to be trusted or too large is a fault of the
 * policy
 *
 * Return: 1 when it was read; 0 when it was not (reported); -ENOMEM.
 */
int policy_file_read(const struct root *root, const char *path, struct policy_sources *out,
		     struct policy_source *ret, struct diags *d)
{
	const char *why;
	struct stat st;
	char *text;
	size_t len;
	int r = root_read_file(root, path, &out->arena, POLICY_FILE_MAX, &text, &len, &st);

	if (r == -ENOMEM)
		return r;
	if (r == -EFBIG) {
		diag_add(d, SEVERITY_ERROR, path, 0, "larger than 1 MiB; expected a policy");
		return 0;
	}
	if (r < 0) {
		diag_trouble(d, path, "cannot be read: %s",
			     r == -EINVAL ? "not a regular file" : strerror(-r));
		return 0;
	}
	why = distrust(&st);
	if (why) {
		diag_add(d, SEVERITY_ERROR, path, 0,
			 "%s; expected a file of root's that only root can write", why);
		return 0;
	}
	ret->text = text;
	ret->len = len;
	ret->path = arena_strdup(&out->arena, path);
	return ret->path ? 1 : -ENOMEM;
}

static int add_file(const struct root *root, const char *path, struct policy_sources *out,
		    struct diags *d)
{
	struct policy_source src, *slot;
	int r = policy_file_read(root, path, out, &src, d);

	if (r <= 0)
		return r;
	slot = array_add(&out->arena, &out->list);
	if (!slot)
		return -ENOMEM;
	*slot = src;
	return 0;
}

/*
 * Finds @name in the directory that counts. Returns 1 with the path; 0 when there is none or it is
 * masked; -ENOMEM. A dangling link counts as there: it must be reported, not passed over.
 */
static int find_in_dirs(const struct root *root, const struct policy_paths *dirs, const char *name,
			struct arena *a, const char **ret)
{
	for (size_t i = dirs->n; i-- > 0;) {
		const char *path = arena_printf(a, "%s/%s", dirs->items[i], name);
		_cleanup_close_ int fd = -1;

		if (!path)
			return -ENOMEM;
		fd = root_open(root, path, O_PATH | O_NOFOLLOW);
		if (fd == -ENOENT || fd == -ENOTDIR)
			continue;
		if (fd >= 0 && fd_is_mask(fd))
			return 0;
		*ret = path;
		return 1;
	}
	return 0;
}

struct named {
	const char *name;
	size_t dir;
};

static int compare_named(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/*
 * Whether there is a directory. What is there in name only (a link to nowhere, a file), cannot be
 * entered, or can be written by somebody who could put a file into it or take one away, is
 * reported.
 */
static bool check_dir(const struct root *root, const char *path, struct diags *d)
{
	_cleanup_close_ int fd = root_open(root, path, O_PATH | O_DIRECTORY), name = -1;
	struct stat st;

	if (fd >= 0) {
		if (d && fstat(fd, &st) == 0 && distrust(&st))
			diag_add(d, SEVERITY_ERROR, path, 0,
				 "directory %s; expected one of root's that only root can write",
				 distrust(&st));
		return true;
	}
	name = root_open(root, path, O_PATH | O_NOFOLLOW);
	if (d && name != -ENOENT && name != -ENOTDIR && !(name >= 0 && fd_is_mask(name)))
		diag_trouble(d, path, "is no directory: %s", strerror(-fd));
	return false;
}

/*
 * Lists the .conf files in @sub of all directories, one entry a name, the last directory's,
 * sorted.
 */
static int list_dirs(const struct root *root, const struct policy_paths *dirs, const char *sub,
		     struct arena *a, struct diags *d, struct named **ret, size_t *ret_n)
{
	ARRAY(struct named) found = { 0 };
	struct strmap index = { 0 };

	for (size_t i = 0; i < dirs->n; i++) {
		const char *path = arena_printf(a, "%s/%s", dirs->items[i], sub), **names;
		size_t n;
		int r;

		if (!path)
			return -ENOMEM;
		if (!check_dir(root, path, d))
			continue;
		r = root_list(root, path, a, &names, &n);
		if (r == -ENOMEM)
			return r;
		if (r < 0) {
			if (d)
				diag_trouble(d, path, "cannot be listed: %s", strerror(-r));
			continue;
		}
		for (size_t j = 0; j < n; j++) {
			struct named *slot;
			uint32_t at;

			if (!endswith(names[j], ".conf"))
				continue;
			if (strmap_get(&index, names[j], &at)) {
				found.items[at].dir = i; /* NOLINT: at is an index of it */
				continue;
			}
			slot = array_add(a, &found);
			if (!slot || strmap_put(&index, a, names[j], (uint32_t)found.n - 1) < 0)
				return -ENOMEM;
			*slot = (struct named){ names[j], i };
		}
	}
	if (found.n > 1)
		qsort(found.items, found.n, sizeof(*found.items), compare_named);
	*ret = found.items;
	*ret_n = found.n;
	return 0;
}

static bool is_dir(const struct root *root, const char *path)
{
	int fd = root_open(root, path, O_PATH | O_DIRECTORY);

	close_fd(fd);
	return fd >= 0;
}

static int add_dirs(const struct root *root, const struct policy_paths *dirs,
		    struct policy_sources *out, struct diags *d)
{
	const char *path;
	struct named *names;
	size_t n;
	int r;

	for (size_t i = 0; i < dirs->n; i++)
		check_dir(root, dirs->items[i], d);
	r = find_in_dirs(root, dirs, "thpd.conf", &out->arena, &path);
	if (r > 0)
		r = add_file(root, path, out, d);
	if (r == 0)
		r = list_dirs(root, dirs, "conf.d", &out->arena, d, &names, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		path = arena_printf(&out->arena, "%s/conf.d/%s", dirs->items[names[i].dir],
				    names[i].name);
		if (!path)
			return -ENOMEM;
		if (!root_is_mask(root, path))
			r = add_file(root, path, out, d);
	}
	return r;
}

/**
 * policy_files_find() - reads every file of the policy, in the order in which they count
 * @root: the host
 * @paths: files, or directories laid out as the standard ones, to be used instead of these
 * @out: zero-initialised; gets the files
 * @d: gets what cannot be read or trusted
 *
 * Return: 0, faults or not; -ENOMEM.
 */
int policy_files_find(const struct root *root, const struct policy_paths *paths,
		      struct policy_sources *out, struct diags *d)
{
	int r = 0;

	if (paths->n == 0)
		r = add_dirs(root, &standard, out, d);
	for (size_t i = 0; r == 0 && i < paths->n; i++) {
		struct policy_paths one = { &paths->items[i], 1 };

		r = is_dir(root, paths->items[i]) ? add_dirs(root, &one, out, d) :
						    add_file(root, paths->items[i], out, d);
	}
	if (r == 0 && out->list.n == 0 && d->errors == 0)
		diag_trouble(d, NULL, "no policy found; expected %s",
			     paths->n ? "thpd.conf or conf.d/*.conf in the directory given" :
					"/etc/thpd/thpd.conf or /usr/lib/thpd/thpd.conf");
	return r;
}

/* The directories among the paths given, or else the standard ones. */
static int library_dirs(const struct root *root, const struct policy_paths *paths, struct arena *a,
			struct policy_paths *ret)
{
	ARRAY(const char *) dirs = { 0 };

	for (size_t i = 0; i < paths->n; i++) {
		const char **slot;

		if (!is_dir(root, paths->items[i]))
			continue;
		slot = array_add(a, &dirs);
		if (!slot)
			return -ENOMEM;
		*slot = paths->items[i];
	}
	*ret = dirs.n ? (struct policy_paths){ dirs.items, dirs.n } : standard;
	return 0;
}

/**
 * policy_files_library() - reads a role's file from the role library
 * @root: the host
 * @paths: as for policy_files_find(); its directories, else the standard ones, hold the library
 * @role: a valid role name
 * @out: owns the memory
 * @ret: the file
 * @d: gets what cannot be read or trusted
 *
 * Return: 1 when there is one; 0 when there is none, or (reported) it cannot be used; -ENOMEM.
 */
int policy_files_library(const struct root *root, const struct policy_paths *paths,
			 const char *role, struct policy_sources *out, struct policy_source *ret,
			 struct diags *d)
{
	const char *name = arena_printf(&out->arena, "roles/%s.conf", role), *path = NULL, *dir;
	struct policy_paths dirs;
	int r = name ? library_dirs(root, paths, &out->arena, &dirs) : -ENOMEM;

	if (r == 0)
		r = find_in_dirs(root, &dirs, name, &out->arena, &path);
	if (r <= 0 || !path)
		return r;
	dir = arena_strndup(&out->arena, path, (size_t)(strrchr(path, '/') - path));
	if (!dir)
		return -ENOMEM;
	check_dir(root, dir, d);
	return policy_file_read(root, path, out, ret, d);
}

/** policy_files_roles() - the names of the roles in the library, sorted; 0 or -ENOMEM */
int policy_files_roles(const struct root *root, const struct policy_paths *paths, struct arena *a,
		       const char ***ret, size_t *ret_n)
{
	ARRAY(const char *) roles = { 0 };
	struct policy_paths dirs;
	struct named *names;
	size_t n;
	int r = library_dirs(root, paths, a, &dirs);

	if (r == 0)
		r = list_dirs(root, &dirs, "roles", a, NULL, &names, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *path = arena_printf(a, "%s/roles/%s", dirs.items[names[i].dir],
						names[i].name);
		const char **slot;

		if (path && root_is_mask(root, path))
			continue;
		slot = array_add(a, &roles);
		if (!path || !slot)
			return -ENOMEM;
		*slot = arena_strndup(a, names[i].name, strlen(names[i].name) - strlen(".conf"));
		if (!*slot)
			return -ENOMEM;
	}
	*ret = roles.items;
	*ret_n = roles.n;
	return r;
}
