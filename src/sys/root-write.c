/* SPDX-License-Identifier: MIT */
/* Files that are replaced whole. */
#include "sys/root.h"

#include <limits.h>

static int write_full(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t r = write(fd, data, len);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		data += r;
		len -= (size_t)r;
	}
	return 0;
}

/*
 * A reader sees the old contents or the new, never a part. The new file is one of our own making,
 * whatever lies at either name: nobody who may write in the directory can have us write elsewhere.
 */
static int replace_at(int dirfd, const char *name, const char *data, size_t len, mode_t mode)
{
	_cleanup_close_ int fd = -1;
	char tmp[64];
	int r;

	(void)snprintf(tmp, sizeof(tmp), ".%.40s.new", name);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* Left behind by a process that was killed. */
	if (fd < 0 && errno == EEXIST && unlinkat(dirfd, tmp, 0) == 0)
		fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_full(fd, data, len);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, tmp, 0);
	return r;
}

/**
 * root_write_file() - replaces a file atomically
 * @root: the host
 * @dir: its directory, which exists
 * @name: the file's name
 * @data: the new contents
 * @len: bytes of @data
 * @mode: permissions of the new file
 *
 * A reader sees the old contents or the new, never a part. No fsync: /run does not outlive a crash.
 * One writer at a time: the caller has a lock.
 *
 * Return: 0 or negative errno; then the old file is as it was.
 */
int root_write_file(const struct root *root, const char *dir, const char *name, const char *data,
		    size_t len, mode_t mode)
{
	_cleanup_close_ int dirfd = root_open(root, dir, O_RDONLY | O_DIRECTORY);

	return dirfd < 0 ? dirfd : replace_at(dirfd, name, data, len, mode);
}

/* Opens the directory named by what stands before @end in @path, one name after the other. */
static int open_without_links(const struct root *root, const char *path, const char *end)
{
	int fd = root_open(root, "/", O_PATH | O_DIRECTORY);
	char part[NAME_MAX + 1];

	while (fd >= 0) {
		size_t n;
		int next;

		while (path < end && *path == '/')
			path++;
		if (path >= end)
			break;
		n = strcspn(path, "/");
		next = -ENAMETOOLONG;
		if (n <= NAME_MAX) {
			memcpy(part, path, n);
			part[n] = '\0';
			next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			/* With O_PATH, a link is a thing that is no directory. */
			if (next < 0)
				next = errno == ENOTDIR ? -ELOOP : -errno;
		}
		close_fd(fd);
		fd = next;
		path += n;
	}
	return fd;
}

/**
 * root_write_outside() - replaces a file atomically that may lie anywhere
 * @root: the host
 * @path: the file, absolute and without ".."
 * @data: the new contents
 * @len: bytes of @data
 * @mode: permissions of the new file
 *
 * For a file in a directory that is not ours: no symbolic link is followed on the way, and the
 * directory has to belong to root (or to the caller, who is not root then) and not to be writable
 * by everybody. So it lies where its name says, and who may change it is who may change that
 * directory.
 *
 * Return: 0; -EPERM when the directory may not be trusted; -ELOOP when there is a link, or no
 * directory, on the way; another negative errno. Then the old file is as it was.
 */
int root_write_outside(const struct root *root, const char *path, const char *data, size_t len,
		       mode_t mode)
{
	const char *slash = strrchr(path, '/');
	_cleanup_close_ int dirfd = slash ? open_without_links(root, path, slash) : -EINVAL;
	struct stat st;

	if (dirfd < 0)
		return dirfd;
	if (fstat(dirfd, &st) < 0)
		return -errno;
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & S_IWOTH))
		return -EPERM;
	return replace_at(dirfd, slash + 1, data, len, mode);
}
