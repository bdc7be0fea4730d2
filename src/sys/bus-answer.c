/* SPDX-License-Identifier: MIT */
/* What the manager's answers about one unit say: org.freedesktop.systemd1(5). */
#include <limits.h>

#include "sys/bus-internal.h"
#include "sys/paths.h"

struct answer {
	struct arena arena;
	ARRAY(const char *) exec;
	const char *slice, *user, *root_directory, *root_image, *thp;
	int dynamic_user;
};

static void answer_free(struct answer *a)
{
	arena_free(&a->arena);
}

static int wrong(int r)
{
	return r == -ENOMEM ? r : -EBADMSG;
}

/* The commands of one Exec...= property; of each only the path, which comes first. */
static int read_exec(sd_bus_message *m, struct answer *a)
{
	int r = sd_bus_message_enter_container(m, 'v', "a(sasbttttuii)");

	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "(sasbttttuii)");
	if (r < 0)
		return wrong(r);
	while ((r = sd_bus_message_enter_container(m, 'r', "sasbttttuii")) > 0) {
		const char *path, **slot = array_add(&a->arena, &a->exec);

		if (!slot)
			return -ENOMEM;
		r = sd_bus_message_read(m, "s", &path);
		if (r >= 0)
			r = sd_bus_message_skip(m, "asbttttuii");
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
		if (r < 0)
			return wrong(r);
		*slot = path;
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	return r < 0 ? wrong(r) : 0;
}

static int read_property(sd_bus_message *m, const char *name, struct answer *a)
{
	const struct {
		const char *name;
		const char **value;
	} strings[] = {
		{ "Slice", &a->slice },		 { "User", &a->user },
		{ "RootImage", &a->root_image }, { "RootDirectory", &a->root_directory },
		{ "MemoryTHP", &a->thp },
	};
	int r;

	if (streq(name, "ExecStart") || streq(name, "ExecStartPre") || streq(name, "ExecStartPost"))
		return read_exec(m, a);
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		if (streq(name, strings[i].name)) {
			r = sd_bus_message_read(m, "v", "s", strings[i].value);
			return r < 0 ? wrong(r) : 0;
		}
	if (streq(name, "DynamicUser"))
		r = sd_bus_message_read(m, "v", "b", &a->dynamic_user);
	else
		r = sd_bus_message_skip(m, "v");
	return r < 0 ? wrong(r) : 0;
}

static int read_properties(sd_bus_message *m, struct answer *a)
{
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	if (r < 0)
		return wrong(r);
	while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *name;

		r = sd_bus_message_read(m, "s", &name);
		if (r < 0)
			return wrong(r);
		r = read_property(m, name, a);
		if (r < 0)
			return r;
		r = sd_bus_message_exit_container(m);
		if (r < 0)
			return wrong(r);
	}
	return r < 0 ? wrong(r) : 0;
}

static bool set(const char *s)
{
	return s && *s;
}

/*
 * DynamicUser= without User= takes the unit's name up to `@`, if that can be a user's, and else a
 * hash of it: systemd.exec(5), unit_name_to_prefix().
 */
static const char *dynamic_user(struct arena *a, const char *unit)
{
	size_t n = strcspn(unit, "@.");

	if (n == 0 || n > 31 || strchr("-0123456789", unit[0]) ||
	    strspn(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") < n)
		return "";
	return arena_strndup(a, unit, n);
}

static int find_user(struct bus_unit *u, struct answer *a, const char **ret)
{
	const char *user = set(a->user) ? a->user : NULL;

	if (!user && a->dynamic_user) {
		user = dynamic_user(&a->arena, u->name);
		if (!user)
			return -ENOMEM;
	}
	*ret = user && (streq(user, "root") || streq(user, "0")) ? NULL : user;
	return 0;
}

/* Where a file really is, with no link on the way; below @root, whatever links say. */
static const char *real_path(const struct root *root, const char *path, struct arena *a)
{
	_cleanup_close_ int fd = root_open(root, path, O_PATH);
	char link[sizeof(PATH_PROC "/self/fd/") + 3 * sizeof(int)], real[PATH_MAX];
	ssize_t n;

	if (fd < 0)
		return NULL;
	(void)snprintf(link, sizeof(link), PATH_PROC "/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real));
	if (n <= 0 || n == (ssize_t)sizeof(real) || *real != '/')
		return NULL;
	return arena_strndup(a, real, (size_t)n);
}

/* A name without a path is looked for in systemd's own list, sd-path(3), DEFAULT_PATH. */
static const char *search(const struct root *root, const char *name, struct arena *a)
{
	static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					    "/usr/bin",	       "/sbin",		 "/bin" };
	const char *found = NULL;

	if (*name == '/')
		return real_path(root, name, a);
	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !found; i++) {
		const char *path = arena_printf(a, "%s/%s", dirs[i], name);

		found = path ? real_path(root, path, a) : NULL;
	}
	return found;
}

/*
 * With RootDirectory= a file that is not below it may still be there when the program starts, by
 * BindReadOnlyPaths=: then it is mostly the host's file of the same name.
 */
static const char *find_program(const struct bus_unit *u, struct answer *a, const char *called)
{
	const struct root *root = &u->bus->root;
	const char *found = NULL;

	if (set(a->root_image))
		return NULL;
	if (set(a->root_directory) && !streq(a->root_directory, "/")) {
		_cleanup_close_ int fd = root_open(root, a->root_directory, O_PATH | O_DIRECTORY);
		struct root below = { .fd = fd, .path = "" };

		if (fd >= 0)
			found = search(&below, called, &a->arena);
		if (!found)
			found = search(root, called, &a->arena);
		if (!found)
			found = arena_printf(&a->arena, "%s/%s", a->root_directory,
					     called + (*called == '/'));
		return found;
	}
	found = search(root, called, &a->arena);
	return found ? found : *called == '/' ? called : NULL;
}

static bool names_instance(const char *s)
{
	return s && strstr(s, BUS_INSTANCE);
}

/* What was asked for in the name of all instances may be another thing for each. */
static bool depends_on_instance(const struct answer *a, const char *program)
{
	return names_instance(program) || names_instance(a->user) || names_instance(a->slice) ||
	       names_instance(a->root_directory) || names_instance(a->root_image);
}

/**
 * bus_answer_programs() - takes in what GetAll() says of a service
 * @u: the unit
 * @m: the answer
 *
 * Return: 0; -EBADMSG when the answer makes no sense; -ENOMEM. What was known before stays then.
 */
int bus_answer_programs(struct bus_unit *u, sd_bus_message *m)
{
	_cleanup_(answer_free) struct answer a = { 0 };
	struct unit_program *programs;
	const char *user = NULL;
	size_t n = 0;
	int r = read_properties(m, &a);

	if (r < 0)
		return r;
	r = find_user(u, &a, &user);
	programs = arena_alloc(&a.arena, (a.exec.n + 1) * sizeof(*programs));
	if (r == 0 && !programs)
		r = -ENOMEM;
	for (size_t i = 0; i < a.exec.n && r == 0; i++)
		if (!depends_on_instance(&a, a.exec.items[i]))
			programs[n++] = (struct unit_program){
				.slice = set(a.slice) ? a.slice : "-.slice",
				.called = a.exec.items[i],
				.path = find_program(u, &a, a.exec.items[i]),
				.user = user,
				.thp = a.thp,
			};
	if (r == 0)
		r = bus_unit_set(u, programs, n);
	return r;
}

/**
 * bus_answer_slice() - takes in what Get() says of the slice of a service
 * @u: the unit, which no pattern names
 * @m: the answer
 *
 * Return: 1 when a pattern matches a slice that it is in: it is to be asked for; 0 when none does;
 * -EBADMSG.
 */
int bus_answer_slice(struct bus_unit *u, sd_bus_message *m)
{
	const char *slice;
	int r = sd_bus_message_read(m, "v", "s", &slice);

	if (r < 0)
		return wrong(r);
	return patterns_match_slice(&u->bus->patterns, slice);
}
