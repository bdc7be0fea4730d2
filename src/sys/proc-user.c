/* SPDX-License-Identifier: MIT */
/* Names of users, without name services: thpctl is static, and runs when none of them does. */
#include "base/parse.h"
#include "sys/lines.h"
#include "sys/paths.h"
#include "sys/proc.h"

static int give(const char *name, const char **ret)
{
	if (!name)
		return -ENOMEM;
	*ret = name;
	return 0;
}

/* passwd(5): name:password:UID:... */
static int passwd_name(const struct root *root, uint32_t uid, struct arena *a, const char **ret)
{
	_cleanup_lines_ struct lines lines;
	int r = lines_open(root, -1, PATH_PASSWD, &lines);
	char *line;

	if (r < 0)
		return r;
	while ((r = lines_next(&lines, &line)) > 0) {
		char *rest = line, *name = strsep(&rest, ":"), *number;
		uint64_t n;

		(void)strsep(&rest, ":");
		number = strsep(&rest, ":");
		if (!number || parse_uint(number, UINT32_MAX, &n) < 0 || n != uid)
			continue;
		if (!*name || *name == '#')
			continue;
		return give(arena_strdup(a, name), ret);
	}
	return r < 0 ? r : -ENOENT;
}

/*
 * systemd locks a file named after the number for each user of DynamicUser=, with the name in it:
 * dynamic_user_lookup_uid(), src/core/dynamic-user.c.
 */
static int dynamic_name(const struct root *root, uint32_t uid, struct arena *a, const char **ret)
{
	char path[sizeof(PATH_DYNAMIC_USERS) + 16], text[256];
	ssize_t n;

	(void)snprintf(path, sizeof(path), PATH_DYNAMIC_USERS "/%u", uid);
	n = root_read(root, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	text[strcspn(text, "\n")] = '\0';
	if (!text[0])
		return -ENOENT;
	return give(arena_strdup(a, text), ret);
}

/**
 * proc_user() - the name of a user
 * @root: the host
 * @uid: the number
 * @a: where the name will live
 * @ret: of /etc/passwd, or as systemd made it up for DynamicUser=, or else the number in digits
 *
 * Return: 0 or -ENOMEM.
 */
int proc_user(const struct root *root, uint32_t uid, struct arena *a, const char **ret)
{
	int r = passwd_name(root, uid, a, ret);

	if (r < 0 && r != -ENOMEM)
		r = dynamic_name(root, uid, a, ret);
	if (r < 0 && r != -ENOMEM)
		r = give(arena_printf(a, "%u", uid), ret);
	return r;
}
