/* SPDX-License-Identifier: MIT */
#include "sys/driftwatch.h"

#include "sys/paths.h"

/**
 * driftwatch_open() - begins to watch, as yet no file
 * @ret: the watch; close with driftwatch_close()
 *
 * Return: 0 or negative errno.
 */
int driftwatch_open(struct driftwatch *ret)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return -errno;
	ret->fd = fd;
	ret->wds = NULL;
	ret->n = ret->at = ret->end = 0;
	return 0;
}

/** driftwatch_close() - ends it */
void driftwatch_close(struct driftwatch *w)
{
	w->fd = close_fd(w->fd);
	free(w->wds);
	w->wds = NULL;
	w->n = 0;
}

/**
 * driftwatch_add() - watches a file that driftwatch_drop() has dropped
 * @w: the watch
 * @root: the host
 * @dirfd: of knob_open()
 * @index: of the key in the list of driftwatch_set()
 * @key: path below @dirfd
 *
 * IN_MODIFY comes with every write(2) that the kernel has taken (fsnotify_modify() in vfs_write(),
 * fs/read_write.c); of several that have not been read only the first is kept (inotify(7)). Not
 * IN_CLOSE_WRITE: then closing the file after a repair would be the next event, without end. Only
 * writes through the same superblock are seen: /sys may be mounted once more elsewhere.
 *
 * inotify takes a path, and the file is to be one below @dirfd: so it is named by its descriptor.
 *
 * Return: 0; -ENOENT when this kernel has no such file; another negative errno.
 */
int driftwatch_add(struct driftwatch *w, const struct root *root, int dirfd, size_t index,
		   const char *key)
{
	_cleanup_close_ int fd = root_open_below(root, dirfd, key, O_PATH);
	char path[sizeof(PATH_SELF_FD) + 16];
	int wd;

	if (fd < 0)
		return fd;
	(void)snprintf(path, sizeof(path), PATH_SELF_FD "/%d", fd);
	wd = inotify_add_watch(w->fd, path, IN_MODIFY);
	if (wd < 0)
		return -errno;
	w->wds[index] = wd;
	return 0;
}

/**
 * driftwatch_drop() - watches a file no more; what has not been told of it will not be
 * @w: the watch
 * @index: of the key
 */
void driftwatch_drop(struct driftwatch *w, size_t index)
{
	if (w->wds[index] >= 0)
		(void)inotify_rm_watch(w->fd, w->wds[index]);
	w->wds[index] = -1;
}

/**
 * driftwatch_set() - which files are watched from now on, in place of others
 * @w: the watch
 * @root: the host; its files are those of a running one, for the kernel tells of no others
 * @dirfd: of knob_open()
 * @keys: paths below @dirfd
 * @n: how many
 * @ret_absent: how many of them this kernel has not got: their w->wds are negative; may be NULL
 *
 * Return: 0; negative errno, and then no file is watched.
 */
int driftwatch_set(struct driftwatch *w, const struct root *root, int dirfd,
		   const char *const *keys, size_t n, size_t *ret_absent)
{
	int *wds = malloc((n + 1) * sizeof(*wds));
	size_t absent = 0;

	if (!wds)
		return -ENOMEM;
	for (size_t i = 0; i < w->n; i++)
		driftwatch_drop(w, i);
	free(w->wds);
	w->wds = wds;
	w->n = n;
	for (size_t i = 0; i < n; i++)
		wds[i] = -1;
	for (size_t i = 0; i < n; i++) {
		int r = driftwatch_add(w, root, dirfd, i, keys[i]);

		if (r < 0 && r != -ENOENT) {
			for (size_t j = 0; j < i; j++)
				driftwatch_drop(w, j);
			return r;
		}
		absent += r < 0;
	}
	if (ret_absent)
		*ret_absent = absent;
	return 0;
}

/* What inotify says of one file; whether it is one that is watched. */
static bool told(const struct driftwatch *w, const struct inotify_event *e, size_t *ret_index)
{
	if (e->mask & IN_Q_OVERFLOW) {
		*ret_index = DRIFTWATCH_ANY;
		return true;
	}
	if (!(e->mask & IN_MODIFY))
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (w->wds[i] == e->wd) {
			*ret_index = i;
			return true;
		}
	return false;
}

/**
 * driftwatch_next() - which file has been written
 * @w: the watch
 * @ret_index: of its key; DRIFTWATCH_ANY when events were lost
 *
 * Does not wait. One's own writes are told, too: read the file, compare, and stop when it is right.
 *
 * Return: 1; 0 when there is nothing more; negative errno.
 */
int driftwatch_next(struct driftwatch *w, size_t *ret_index)
{
	for (;;) {
		ssize_t n;

		while (w->at < w->end) {
			const struct inotify_event *e = (const void *)(w->buf + w->at);

			w->at += sizeof(*e) + e->len;
			if (told(w, e, ret_index))
				return 1;
		}
		n = read(w->fd, w->buf, sizeof(w->buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		w->at = 0;
		w->end = (size_t)n;
	}
}
