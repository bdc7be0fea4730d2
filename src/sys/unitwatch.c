/* SPDX-License-Identifier: MIT */
/*
 * New groups in the cgroup tree, by inotify(7) on the directories of slices: the kernel reports the
 * mkdir(2) that the service manager makes one by (vfs_mkdir(), fs/namei.c), before there is any
 * process in it. Below a service or a scope nothing is watched: what is there belongs to it.
 */
#include "sys/unitwatch.h"

#include <dirent.h>
#include <limits.h>
#include <sys/inotify.h>

#include "base/patterns.h"
#include "sys/paths.h"
#include "sys/units.h"

/* A directory that is watched: the top, a slice, or what is no unit in one. */
struct watch {
	int wd;
	bool inside;  /* a slice or in one: what is no unit may hold some */
	bool matched; /* a pattern names the slice or one above: all units in it are wanted */
	char *path;   /* below the base; "" is the top */
};

struct unitwatch {
	struct root root;
	const char *base;
	int fd;
	struct patterns patterns;
	const char *const *skip;
	struct watch *watches;
	size_t n, cap;
	/* While unitwatch_read() works: */
	unitwatch_fn fn;
	void *data;
};

static bool vanished(int r)
{
	return r == -ENOENT || r == -ENODEV || r == -ENOTDIR;
}

static bool skipped(const struct unitwatch *w, const char *slice)
{
	for (const char *const *s = w->skip; s && *s; s++)
		if (streq(*s, slice))
			return true;
	return false;
}

/* Puts a directory under watch; takes over @path. One that is watched already is found again. */
static int add_watch(struct unitwatch *w, int dirfd, const struct watch *new)
{
	char name[sizeof(PATH_PROC "/self/fd/") + 3 * sizeof(int)];
	int wd;

	(void)snprintf(name, sizeof(name), PATH_PROC "/self/fd/%d", dirfd);
	wd = inotify_add_watch(w->fd, name, IN_CREATE | IN_ONLYDIR);
	if (wd < 0)
		return -errno;
	for (size_t i = 0; i < w->n; i++)
		if (w->watches[i].wd == wd) {
			free(new->path);
			return 0;
		}
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 16;
		struct watch *grown = realloc(w->watches, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		w->watches = grown;
		w->cap = cap;
	}
	w->watches[w->n] = *new;
	w->watches[w->n++].wd = wd;
	return 0;
}

static void drop_watch(struct unitwatch *w, struct watch *gone)
{
	free(gone->path);
	*gone = w->watches[--w->n];
}

static int follow(struct unitwatch *w, struct watch *dir);

/* A group that was found in a directory under watch, or told by the kernel. */
static int found(struct unitwatch *w, const struct watch *parent, const char *dir)
{
	const char *unit = unit_of_group(dir);
	struct watch sub = { .inside = true, .matched = parent->matched };

	if (asprintf(&sub.path, "%s%s%s", parent->path, *parent->path ? "/" : "", dir) < 0)
		return -ENOMEM;
	if (unit) {
		sub.matched |= patterns_match(&w->patterns, unit);
		if (sub.matched && w->fn)
			w->fn(unit, sub.path, w->data);
	}
	if (unit ? endswith(unit, ".slice") && !skipped(w, unit) : parent->inside)
		return follow(w, &sub);
	free(sub.path);
	return 0;
}

static int open_dir(const struct unitwatch *w, const char *path)
{
	char full[PATH_MAX];

	if (snprintf(full, sizeof(full), "%s/%s", w->base, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	return root_open(&w->root, full, O_RDONLY | O_DIRECTORY);
}

static bool is_directory(int dirfd, const struct dirent *e)
{
	struct stat st;

	if (e->d_name[0] == '.')
		return false;
	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR;
	return fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/*
 * Watches a directory and then looks what is in it already: between its mkdir(2) and the watch
 * others may have been made there. One can so be told twice, none is missed. Takes over dir->path.
 */
static int follow(struct unitwatch *w, struct watch *dir)
{
	int fd = open_dir(w, dir->path), r;
	struct watch copy = *dir;
	struct dirent *e;
	DIR *d;

	/* The list may move, and with it who is in it: what is found needs a path of its own. */
	copy.path = strdup(dir->path);
	r = fd < 0 ? fd : !copy.path ? -ENOMEM : add_watch(w, fd, dir);
	if (r < 0)
		free(dir->path);
	d = r < 0 ? NULL : fdopendir(fd);
	if (!d) {
		r = r < 0 ? r : -errno;
		close_fd(fd);
		free(copy.path);
		return vanished(r) ? 0 : r;
	}
	while (r == 0 && (e = readdir(d)))
		if (is_directory(fd, e))
			r = found(w, &copy, e->d_name);
	(void)closedir(d);
	free(copy.path);
	return r;
}

static int follow_all(struct unitwatch *w)
{
	struct watch top = { .path = strdup("") };

	return top.path ? follow(w, &top) : -ENOMEM;
}

/**
 * unitwatch_open() - begins to watch the groups of units
 * @root: the host
 * @patterns: fnmatch(3) patterns of the units that are of interest; one that matches a slice stands
 * for all units in it, too
 * @n: number of patterns
 * @skip: names of slices into which not to look, up to NULL; or NULL. A slice that comes and goes
 * often (user.slice) is not worth it where no pattern can match what is in it. Must outlive @ret.
 * @ret: free with unitwatch_close()
 *
 * Units that exist already are not told: list them afterwards, with units_read().
 *
 * Return: 0; -ENOENT where there is no tree with units; -ENOSPC or -EMFILE when the kernel has no
 * more watches for this user (inotify(7)); another negative errno.
 */
int unitwatch_open(const struct root *root, const char *const *patterns, size_t n,
		   const char *const *skip, struct unitwatch **ret)
{
	_cleanup_unitwatch_ struct unitwatch *w = NULL;
	_cleanup_units_ struct unit_tree tree = { 0 };
	int r = units_read(root, &tree);

	if (r < 0)
		return r;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->root = *root;
	w->base = tree.base;
	w->skip = skip;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0)
		return -errno;
	r = patterns_copy(&w->patterns, patterns, n);
	if (r == 0)
		r = follow_all(w);
	if (r < 0)
		return r;
	*ret = w;
	w = NULL;
	return 0;
}

/** unitwatch_fd() - becomes readable when there is something for unitwatch_read() */
int unitwatch_fd(const struct unitwatch *w)
{
	return w->fd;
}

/** unitwatch_base() - where the tree lies, "/sys/fs/cgroup" for one; lives for ever */
const char *unitwatch_base(const struct unitwatch *w)
{
	return w->base;
}

static int take_event(struct unitwatch *w, const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW)
		return follow_all(w);
	for (size_t i = 0; i < w->n; i++) {
		struct watch *dir = &w->watches[i], copy = *dir;
		int r;

		if (dir->wd != e->wd)
			continue;
		if (e->mask & IN_IGNORED) {
			drop_watch(w, dir);
			return 0;
		}
		if (!(e->mask & IN_ISDIR) || e->len == 0)
			return 0;
		copy.path = strdup(dir->path);
		r = copy.path ? found(w, &copy, e->name) : -ENOMEM;
		free(copy.path);
		return r;
	}
	return 0;
}

/**
 * unitwatch_read() - tells which units have come
 * @w: the watch
 * @fn: is called for each; a unit can be told twice, and may be gone again
 * @data: for @fn
 *
 * Never waits. When the kernel's queue ran over, every unit that exists is told.
 *
 * Return: 0; negative errno when a slice could not be watched: what comes into it is not seen, all
 * else is.
 */
int unitwatch_read(struct unitwatch *w, unitwatch_fn fn, void *data)
{
	_Alignas(struct inotify_event) char buf[4096];
	int error = 0;

	w->fn = fn;
	w->data = data;
	for (;;) {
		ssize_t len = read(w->fd, buf, sizeof(buf));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno != EAGAIN)
			error = -errno;
		if (len <= 0)
			break;
		for (char *p = buf; p < buf + len;) {
			const struct inotify_event *e = (const void *)p;
			int r = take_event(w, e);

			if (r < 0)
				error = r;
			p += sizeof(*e) + e->len;
		}
	}
	w->fn = NULL;
	return error;
}

/** unitwatch_close() - ends a watch; NULL is allowed */
void unitwatch_close(struct unitwatch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++)
		free(w->watches[i].path);
	free(w->watches);
	patterns_free(&w->patterns);
	close_fd(w->fd);
	free(w);
}
