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
 * unit_of() - the unit that a process is in, as /proc/PID/cgroup tells
 * @root: the host
 * @pid: the process
 * @a: where the name will live
 * @ret: the name; a slice, if it is in no other kind of unit
 *
 * Return: 0; -ENOENT when it is in none; -ESRCH; another negative errno.
 */
int unit_of(const struct root *root, int32_t pid, struct arena *a, const char **ret)
{
	char path[64], buf[4096], *line, *rest = buf;
	const char *found = NULL;
	ssize_t n;

	(void)snprintf(path, sizeof(path), PATH_PROC "/%d/cgroup", pid);
	n = root_read(root, path, buf, sizeof(buf));
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
	found = arena_strdup(a, *found == '_' ? found + 1 : found);
	if (!found)
		return -ENOMEM;
	*ret = found;
	return 0;
}
