/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "sys/paths.h"
#include "sys/units.h"

/* "0::/system.slice/a.service/x" or "1:name=systemd:/..."; the first unit that is no slice. */
static const char *unit_in(char *path)
{
	char *part, *save = NULL;
	const char *slice = NULL;

	for (part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		if (endswith(part, ".service") || endswith(part, ".scope"))
			return part;
		if (endswith(part, ".slice"))
			slice = part;
	}
	return slice;
}

/**
 * unit_of_at() - unit_of() of a process whose directory is open
 * @root: the host
 * @dirfd: of /proc/PID
 * @ret: the name, or what of it there is room for
 * @size: of @ret
 *
 * Return: 0; -ENOENT when it is in none; -ESRCH; another negative errno.
 */
int unit_of_at(const struct root *root, int dirfd, char *ret, size_t size)
{
	_cleanup_close_ int fd = root_open_below(root, dirfd, "cgroup", O_RDONLY | O_NONBLOCK);
	char buf[4096], *line, *rest = buf;
	const char *found = NULL;
	ssize_t n;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	do
		n = read(fd, buf, sizeof(buf) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	while (!found && (line = strsep(&rest, "\n"))) {
		char *at = strstr(line, "::/");

		if (!at)
			at = strstr(line, "name=systemd:/");
		if (at)
			found = unit_in(strchr(at, '/'));
	}
	if (!found)
		return -ENOENT;
	(void)snprintf(ret, size, "%s", *found == '_' ? found + 1 : found);
	return 0;
}

/**
 * unit_name_of() - the unit that a process or a thread is in, as /proc/PID/cgroup tells
 * @root: the host
 * @pid: the process or thread
 * @buf: gets the name; a slice's, if it is in no other kind of unit
 * @size: room in there
 *
 * Allocates nothing.
 *
 * Return: 0; -ENOENT when it is in none; -ESRCH; another negative errno.
 */
int unit_name_of(const struct root *root, int32_t pid, char *buf, size_t size)
{
	_cleanup_close_ int dirfd = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), PATH_PROC "/%d", pid);
	dirfd = root_open(root, path, O_PATH | O_DIRECTORY);
	if (dirfd < 0)
		return dirfd == -ENOENT ? -ESRCH : dirfd;
	return unit_of_at(root, dirfd, buf, size);
}

/**
 * unit_of() - as unit_name_of(), in memory of an arena's
 * @a: where the name will live
 * @ret: the name
 */
int unit_of(const struct root *root, int32_t pid, struct arena *a, const char **ret)
{
	char name[NAME_MAX + 1];
	const char *copy;
	int r = unit_name_of(root, pid, name, sizeof(name));

	if (r < 0)
		return r;
	copy = arena_strdup(a, name);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}
