/* SPDX-License-Identifier: MIT */
#include "sys/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/**
 * root_open_tree() - a directory to be treated as a host
 * @path: the directory; must outlive the handle
 * @ret: the handle; close with root_close()
 *
 * Needs openat2(2), Linux 5.6: without it, paths could not be kept inside the tree.
 *
 * Return: 0 or negative errno, -ENOSYS on older kernels.
 */
int root_open_tree(const char *path, struct root *ret)
{
	struct root root = { .path = path };
	int probe;

	root.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root.fd < 0)
		return -errno;
	probe = root_open(&root, "/", O_PATH | O_DIRECTORY);
	if (probe < 0) {
		root.fd = close_fd(root.fd);
		return probe;
	}
	close_fd(probe);
	*ret = root;
	return 0;
}

/** root_close() - closes the handle */
void root_close(struct root *root)
{
	if (!root->live)
		root->fd = close_fd(root->fd);
}

static int open_resolved(int fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) ? 0600 : 0,
		.resolve = resolve,
	};
	long r = syscall(SYS_openat2, fd, path, &how, sizeof(how));

	return r < 0 ? -errno : (int)r;
}

/**
 * root_open() - opens a path of the host
 * @root: the host
 * @path: absolute as seen from the host; for the running host it may be relative to the caller
 * @flags: of open(2); O_CLOEXEC is added; O_CREAT creates with mode 0600
 *
 * Return: a descriptor, or negative errno.
 */
int root_open(const struct root *root, const char *path, int flags)
{
	int fd;

	if (!root->live)
		return open_resolved(root->fd, path, flags, RESOLVE_IN_ROOT);
	fd = open(path, flags | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/** root_open_below() - opens @name below @dirfd, a directory that root_open() opened */
int root_open_below(const struct root *root, int dirfd, const char *name, int flags)
{
	int fd;

	if (!root->live)
		return open_resolved(dirfd, name, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	fd = openat(dirfd, name, flags | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static ssize_t read_full(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t r = read(fd, buf + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return (ssize_t)n;
}

/**
 * root_read() - reads a small file, as those of the kernel are
 * @root: the host
 * @path: the file
 * @buf: gets the contents, terminated
 * @size: of @buf; a longer file is cut
 *
 * Return: bytes read, or negative errno.
 */
ssize_t root_read(const struct root *root, const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = root_open(root, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read_full(fd, buf, size - 1);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/**
 * fd_read_all() - reads a descriptor to its end
 * @fd: the descriptor
 * @a: where the contents will live
 * @max: most bytes allowed
 * @ret: the contents, terminated
 * @ret_len: their length; may be NULL
 *
 * Return: 0; -EFBIG when there is more than @max; another negative errno.
 */
int fd_read_all(int fd, struct arena *a, size_t max, char **ret, size_t *ret_len)
{
	size_t cap = 4096, n = 0;
	_cleanup_free_ char *buf = malloc(cap);
	char *copy;

	for (;;) {
		ssize_t r;

		if (!buf)
			return -ENOMEM;
		r = read_full(fd, buf + n, cap - n);
		if (r < 0)
			return (int)r;
		n += (size_t)r;
		if (n > max)
			return -EFBIG;
		if (n < cap)
			break;
		cap *= 4;
		copy = realloc(buf, cap);
		if (!copy)
			return -ENOMEM;
		buf = copy;
	}
	copy = arena_strndup(a, buf, n);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	if (ret_len)
		*ret_len = n;
	return 0;
}

/**
 * root_read_file() - reads a regular file whole, and tells whose it is
 * @root: the host
 * @path: the file
 * @a: where the contents will live
 * @max: most bytes allowed
 * @ret: the contents, terminated
 * @ret_len: their length; may be NULL
 * @ret_stat: of the very file that was read; may be NULL
 *
 * Return: 0; -EFBIG when the file is larger than @max; -EISDIR or -EINVAL when it is no regular
 * file; another negative errno.
 */
int root_read_file(const struct root *root, const char *path, struct arena *a, size_t max,
		   char **ret, size_t *ret_len, struct stat *ret_stat)
{
	/* O_NONBLOCK: a FIFO in a directory of ours must not hold the boot. */
	_cleanup_close_ int fd = root_open(root, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	char *text;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > 0 && (uint64_t)st.st_size > max)
		return -EFBIG;
	if (ret_stat)
		*ret_stat = st;
	if (st.st_size == 0) /* as the kernel's own files say */
		return fd_read_all(fd, a, max, ret, ret_len);
	/* A file that keeps to the size it says is read straight to where it will live. */
	text = arena_alloc(a, (size_t)st.st_size + 2);
	if (!text)
		return -ENOMEM;
	n = read_full(fd, text, (size_t)st.st_size + 1);
	if (n < 0)
		return (int)n;
	if (n > st.st_size) {
		if (lseek(fd, 0, SEEK_SET) < 0)
			return -errno;
		return fd_read_all(fd, a, max, ret, ret_len);
	}
	text[n] = '\0';
	*ret = text;
	if (ret_len)
		*ret_len = (size_t)n;
	return 0;
}

/** root_make_dir() - makes a directory (0755) whose parent exists; one that is there is fine */
int root_make_dir(const struct root *root, const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	_cleanup_close_ int fd = -1;

	if (!parent)
		return -ENOMEM;
	fd = root_open(root, parent, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd;
	if (mkdirat(fd, slash + 1, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	close_fd(fd);
	fd = root_open(root, path, O_PATH | O_DIRECTORY);
	return fd < 0 ? fd : 0;
}

/** root_unlink() - removes @name from @dir; 0, or negative errno */
int root_unlink(const struct root *root, const char *dir, const char *name)
{
	_cleanup_close_ int fd = root_open(root, dir, O_PATH | O_DIRECTORY);

	if (fd < 0)
		return fd;
	return unlinkat(fd, name, 0) < 0 ? -errno : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/**
 * root_list() - the names in a directory, sorted bytewise, without hidden ones
 * @root: the host
 * @dir: the directory
 * @a: where the names will live
 * @ret: the names
 * @ret_n: how many
 *
 * Return: 0 or negative errno.
 */
int root_list(const struct root *root, const char *dir, struct arena *a, const char ***ret,
	      size_t *ret_n)
{
	ARRAY(const char *) names = { 0 };
	int fd = root_open(root, dir, O_RDONLY | O_DIRECTORY);
	struct dirent *e;
	DIR *d;
	int r = 0;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		r = -errno;
		close_fd(fd);
		return r;
	}
	while (errno = 0, (e = readdir(d))) {
		const char **slot;

		if (e->d_name[0] == '.')
			continue;
		slot = array_add(a, &names);
		if (!slot || !(*slot = arena_strdup(a, e->d_name))) {
			r = -ENOMEM;
			break;
		}
	}
	if (r == 0 && errno > 0)
		r = -errno;
	(void)closedir(d);
	if (r < 0)
		return r;
	if (names.n > 1)
		qsort(names.items, names.n, sizeof(*names.items), compare_names);
	*ret = names.items;
	*ret_n = names.n;
	return 0;
}

/** fd_is_mask() - root_is_mask() for a descriptor opened with O_PATH | O_NOFOLLOW */
bool fd_is_mask(int fd)
{
	char target[16];
	ssize_t n = readlinkat(fd, "", target, sizeof(target));
	struct stat st;

	if (n >= 0)
		return n == 9 && memcmp(target, "/dev/null", 9) == 0;
	/* Bound over, or unpacked from an archive that followed the link. */
	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/**
 * root_is_mask() - whether @path is a link to /dev/null, with which a file of that name is masked
 */
bool root_is_mask(const struct root *root, const char *path)
{
	_cleanup_close_ int fd = root_open(root, path, O_PATH | O_NOFOLLOW);

	return fd >= 0 && fd_is_mask(fd);
}
