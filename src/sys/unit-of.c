/* SPDX-License-Identifier: MIT */
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
	char path[64], text[4096], *line, *rest = text;
	const char *found = NULL;
	ssize_t n;

	(void)snprintf(path, sizeof(path), PATH_PROC "/%d/cgroup", pid);
	n = root_read(root, path, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	while (!found && (line = strsep(&rest, "\n"))) {
		char *at = strstr(line, "::/");

		if (!at)
			at = strstr(line, "name=systemd:/");
		if (at)
			found = unit_in(strchr(at, '/'));
	}
	if (!found)
		return -ENOENT;
	if (*found == '_')
		found++;
	if (strlen(found) >= size)
		return -ENAMETOOLONG;
	memcpy(buf, found, strlen(found) + 1);
	return 0;
}

/**
 * unit_of() - as unit_name_of(), with the name in an arena
 * @root: the host
 * @pid: the process
 * @a: where the name will live
 * @ret: the name
 *
 * Return: as unit_name_of(); -ENOMEM.
 */
int unit_of(const struct root *root, int32_t pid, struct arena *a, const char **ret)
{
	char name[UNIT_NAME_SIZE];
	int r = unit_name_of(root, pid, name, sizeof(name));
	const char *copy;

	if (r < 0)
		return r;
	copy = arena_strdup(a, name);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}
