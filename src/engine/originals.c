/* SPDX-License-Identifier: MIT */
/* The values from before the first apply, kept in /run: they are of this boot and no other. */
#include "engine/originals.h"

#include <fcntl.h>
#include <sys/file.h>

#define ORIGINALS_MAX 65536U

/**
 * state_try_lock() - keeps two of us from changing settings at the same time
 * @root: the host
 *
 * Makes the state directory if need be.
 *
 * Return: a descriptor to be kept open as long as the lock is wanted; -EWOULDBLOCK when somebody
 * else has it; another negative errno.
 */
int state_try_lock(const struct root *root)
{
	int fd = root_open(root, STATE_DIR "/lock", O_RDWR | O_CREAT | O_NOFOLLOW);
	int r;

	if (fd == -ENOENT) {
		r = root_make_dir(root, STATE_DIR);
		if (r < 0)
			return r;
		fd = root_open(root, STATE_DIR "/lock", O_RDWR | O_CREAT | O_NOFOLLOW);
	}
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	r = -errno;
	close_fd(fd);
	return r;
}

/**
 * state_lock() - as state_try_lock(), but waits for whoever holds the lock; it goes with the holder
 * @root: the host
 * @ret_waited: whether somebody else had it first; may be NULL
 *
 * Return: a descriptor; negative errno.
 */
int state_lock(const struct root *root, bool *ret_waited)
{
	int fd = state_try_lock(root);

	if (ret_waited && (fd >= 0 || fd == -EWOULDBLOCK))
		*ret_waited = fd < 0;
	if (fd != -EWOULDBLOCK)
		return fd;
	fd = root_open(root, STATE_DIR "/lock", O_RDWR | O_NOFOLLOW);
	while (fd >= 0 && flock(fd, LOCK_EX) < 0) {
		int r = -errno;

		if (r == -EINTR)
			continue;
		close_fd(fd);
		return r;
	}
	return fd;
}

/**
 * originals_load() - the values saved so far
 * @root: the host
 * @ret: the values, none when nothing was saved; free with originals_free()
 *
 * Return: 0; -EBADMSG when the file is damaged; another negative errno.
 */
int originals_load(const struct root *root, struct originals *ret)
{
	_cleanup_arena_ struct arena a = { 0 };
	char *text;
	size_t len;
	int r = root_read_file(root, ORIGINALS_FILE, &a, ORIGINALS_MAX, &text, &len, NULL);

	if (r == -ENOENT) {
		*ret = (struct originals){ 0 };
		return 0;
	}
	return r < 0 ? r : originals_parse(text, len, ret);
}

/**
 * originals_save_plan() - saves what the plan's files hold, before they are written for the first
 * time
 * @root: the host, locked
 * @plan: with what was found; a file that is right already is saved too, for it may drift later
 *
 * Return: 0; negative errno, and then nothing may be changed: it could not be put back.
 */
int originals_save_plan(const struct root *root, const struct plan *plan)
{
	_cleanup_originals_ struct originals o = { 0 };
	_cleanup_free_ char *text = NULL;
	const struct plan_item *it;
	bool new = false;
	int r = originals_load(root, &o);

	if (r < 0)
		return r;
	array_foreach(it, &plan->items) {
		if (!it->found)
			continue;
		r = originals_add(&o, it->key, it->found);
		if (r < 0)
			return r;
		new |= r > 0;
	}
	if (!new)
		return 0;
	r = originals_format(&o, &text);
	if (r < 0)
		return r;
	return root_write_file(root, STATE_DIR, ORIGINALS_NAME, text, strlen(text), 0644);
}

/**
 * originals_forget() - removes the saved values, when they have been put back; 0 or negative errno
 */
int originals_forget(const struct root *root)
{
	int r = root_unlink(root, STATE_DIR, ORIGINALS_NAME);

	return r == -ENOENT ? 0 : r;
}
