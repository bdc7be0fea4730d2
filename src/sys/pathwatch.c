/* SPDX-License-Identifier: MIT */
/*
 * A program is replaced by a rename over it, or by a link that leads elsewhere. Both are new names
 * in a directory; so it is the directories that are watched, for certain names.
 */
#include "sys/pathwatch.h"

#include <limits.h>
#include <sys/inotify.h>

#define LINKS 16

struct path_name {
	int wd;
	const char *name;
};

/** path_watch_open() - nothing is watched yet; 0 or negative errno */
int path_watch_open(struct path_watch *ret)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return -errno;
	*ret = (struct path_watch){ .fd = fd };
	return 0;
}

/** path_watch_close() - gives all back */
void path_watch_close(struct path_watch *w)
{
	w->fd = close_fd(w->fd);
	arena_free(&w->arena);
	w->names.items = NULL;
	w->names.n = w->names.cap = 0;
}

static int watch_name(struct path_watch *w, const char *dir, const char *name)
{
	const uint32_t mask = IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
	int wd = inotify_add_watch(w->fd, *dir ? dir : "/", mask);
	struct path_name *n;

	if (wd < 0)
		return -errno;
	array_foreach(n, &w->names)
		if (n->wd == wd && streq(n->name, name))
			return 0;
	n = array_add(&w->arena, &w->names);
	if (!n)
		return -ENOMEM;
	n->wd = wd;
	n->name = arena_strdup(&w->arena, name);
	return n->name ? 0 : -ENOMEM;
}

/*
 * The name in its directory; where there is none, the directory in its own, and so on. @path:
 * spoilt
 */
static int watch_deepest(struct path_watch *w, char *path)
{
	for (;;) {
		char *slash = strrchr(path, '/');
		int r;

		if (!slash)
			return -EINVAL;
		*slash = '\0';
		r = watch_name(w, path, slash + 1);
		if ((r != -ENOENT && r != -ENOTDIR) || slash == path)
			return r;
	}
}

/* What a link points to, as a path. Returns 0 when @path is none. */
static int follow_link(char *path, size_t size)
{
	char to[PATH_MAX], *slash = strrchr(path, '/');
	ssize_t n = readlink(path, to, sizeof(to) - 1);
	size_t dir = *path && slash ? (size_t)(slash - path) + 1 : 0;

	if (n <= 0)
		return 0;
	to[n] = '\0';
	if (*to == '/')
		dir = 0;
	if (dir + (size_t)n >= size)
		return -ENAMETOOLONG;
	memcpy(path + dir, to, (size_t)n + 1);
	return 1;
}

/**
 * path_watch_add() - watches one path more
 * @w: of path_watch_open()
 * @path: absolute
 *
 * Seen are a new file at the path, or at one of the links that its last part leads through, and
 * directories that come or go; not links in the middle of the path.
 *
 * Return: 0; negative errno.
 */
int path_watch_add(struct path_watch *w, const char *path)
{
	char now[PATH_MAX], spoilt[PATH_MAX];
	int r = strlen(path) < sizeof(now) ? 1 : -ENAMETOOLONG;

	if (r > 0)
		memcpy(now, path, strlen(path) + 1);
	for (int links = 0; r > 0 && links < LINKS; links++) {
		memcpy(spoilt, now, sizeof(spoilt));
		r = watch_deepest(w, spoilt);
		if (r == 0)
			r = follow_link(now, sizeof(now));
	}
	return r < 0 ? r : 0;
}

static bool matters(const struct path_watch *w, const struct inotify_event *e)
{
	const struct path_name *n;

	if (!(e->mask & (IN_CREATE | IN_MOVED_TO)) || e->len == 0)
		return true;
	array_foreach(n, &w->names)
		if (n->wd == e->wd && streq(n->name, e->name))
			return true;
	return false;
}

/** path_watch_read() - reads what there is; returns whether the paths should be looked up again */
bool path_watch_read(struct path_watch *w)
{
	union {
		struct inotify_event event;
		char bytes[4096];
	} u;
	bool found = false;
	ssize_t n;

	while ((n = read(w->fd, &u, sizeof(u))) > 0)
		for (const char *p = u.bytes; p < u.bytes + n;) {
			const struct inotify_event *e = (const struct inotify_event *)(const void *)
				p;

			found |= matters(w, e);
			p += sizeof(*e) + e->len;
		}
	return found;
}
