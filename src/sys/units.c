/* SPDX-License-Identifier: MIT */
/*
 * The units of the system's service manager, as the cgroup tree shows them: no bus is needed, and
 * the answer is there in early boot. How systemd lays the tree out: its docs/CGROUP_DELEGATION.md
 * and src/basic/cgroup-util.c (cg_path_get_unit(), cg_escape()).
 */
#include "sys/units.h"

#include <dirent.h>

#include "sys/lines.h"
#include "sys/paths.h"

/* A group whose sub-groups are to be read. */
struct group {
	const char *path;
	uint32_t unit; /* the slice that it is or is in */
};

typedef ARRAY(struct group) grouplist;

/* A group that is removed while we look: its directory is gone, or its files answer ENODEV. */
static bool vanished(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

/* The kinds of units that have a group: systemd.resource-control(5). */
static bool is_unit(const char *name)
{
	static const char *const kinds[] = {
		".service", ".scope", ".slice", ".mount", ".socket", ".swap",
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (endswith(name, kinds[i]) && strlen(name) > strlen(kinds[i]))
			return true;
	return false;
}

static int open_group(const struct root *root, const char *base, const char *path)
{
	char full[PATH_MAX];

	if (snprintf(full, sizeof(full), "%s/%s", base, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	return root_open(root, full, O_RDONLY | O_DIRECTORY);
}

static bool is_directory(DIR *d, const struct dirent *e)
{
	struct stat st;

	if (e->d_name[0] == '.')
		return false;
	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR;
	return fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int compare_groups(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->path, ((const struct group *)b)->path);
}

/*
 * Appends the sub-groups of the directory @fd, which is closed, in bytewise order: the kernel's is
 * that of a hash.
 */
static int add_subgroups(struct arena *a, int fd, const struct group *g, grouplist *list)
{
	size_t before = list->n;
	struct dirent *e;
	DIR *d = fdopendir(fd);
	int r = 0;

	if (!d) {
		r = -errno;
		close_fd(fd);
		return r;
	}
	while (errno = 0, (e = readdir(d))) {
		struct group *sub;

		if (!is_directory(d, e))
			continue;
		sub = array_add(a, list);
		if (!sub) {
			r = -ENOMEM;
			break;
		}
		sub->unit = g->unit;
		sub->path = g->path[0] ? arena_printf(a, "%s/%s", g->path, e->d_name) :
					 arena_strdup(a, e->d_name);
		if (!sub->path) {
			r = -ENOMEM;
			break;
		}
	}
	if (r == 0 && errno > 0)
		r = -errno;
	(void)closedir(d);
	if (list->n > before + 1)
		qsort(list->items + before, list->n - before, sizeof(*list->items), compare_groups);
	return vanished(r) ? 0 : r;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A name that could be a file of the kernel's is kept behind a `_`, as in "_cpu.service". */
static const char *unescape(const char *name)
{
	return name[0] == '_' ? name + 1 : name;
}

/**
 * unit_of_group() - the unit that a group is for
 * @dir: the name of its directory
 *
 * Return: the unit's name, a part of @dir; NULL when it is for none.
 */
const char *unit_of_group(const char *dir)
{
	const char *name = unescape(dir);

	return is_unit(name) ? name : NULL;
}

/*
 * Breadth first, so that a slice comes before what is in it. Only what may hold units is opened: a
 * slice, and what is no unit inside of one. At the top, a directory that is no unit belongs to
 * another manager (lxc.payload.NAME, docker), whose units are not the system's.
 */
static int read_tree(const struct root *root, struct unit_tree *t)
{
	grouplist queue = { 0 };
	struct group *top = array_add(&t->arena, &queue);

	if (!top)
		return -ENOMEM;
	*top = (struct group){ .path = "", .unit = UNIT_NO_PARENT };
	for (size_t next = 0; next < queue.n; next++) {
		struct group g = queue.items[next], *sub;
		grouplist subs = { 0 };
		int fd = open_group(root, t->base, g.path), r;

		if (vanished(fd) || fd == -ENAMETOOLONG)
			continue;
		r = fd < 0 ? fd : add_subgroups(&t->arena, fd, &g, &subs);
		if (r < 0)
			return r;
		array_foreach(sub, &subs) {
			const char *name = unit_of_group(last_part(sub->path));
			struct unit *u = NULL;

			if (name) {
				u = array_add(&t->arena, &t->units);
				if (!u)
					return -ENOMEM;
				*u = (struct unit){ name, sub->path, g.unit };
			}
			if (u ? endswith(name, ".slice") : g.unit != UNIT_NO_PARENT) {
				struct group *slot = array_add(&t->arena, &queue);

				if (!slot)
					return -ENOMEM;
				*slot = *sub;
				if (u)
					slot->unit = (uint32_t)t->units.n - 1;
			}
		}
	}
	return t->units.n > 0 ? 0 : -ENOENT;
}

static bool exists(const struct root *root, const char *path)
{
	_cleanup_close_ int fd = root_open(root, path, O_PATH);

	return fd >= 0;
}

/**
 * units_read() - the units that exist on a host
 * @root: the host
 * @ret: the units, each slice before what is in it; free with units_free()
 *
 * systemd keeps its units in the unified hierarchy, mounted at the top or (hybrid) below it, or
 * else in a hierarchy of its own. One that is mounted but shows no unit is not the one.
 *
 * What is below a service or scope belongs to that: a user's manager has units of its own there,
 * and containers have what they like.
 *
 * Return: 0; -ENOENT where there is no tree with units; another negative errno.
 */
int units_read(const struct root *root, struct unit_tree *ret)
{
	static const struct {
		enum cgroup_layout layout;
		const char *base, *mark;
	} layouts[] = {
		{ CGROUP_UNIFIED, PATH_CGROUP, PATH_CGROUP "/cgroup.controllers" },
		{ CGROUP_HYBRID, PATH_CGROUP_HYBRID, PATH_CGROUP_HYBRID "/cgroup.controllers" },
		{ CGROUP_LEGACY, PATH_CGROUP_SYSTEMD, PATH_CGROUP_SYSTEMD },
	};
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(layouts) && r == -ENOENT; i++) {
		struct unit_tree t = { .layout = layouts[i].layout, .base = layouts[i].base };

		if (!exists(root, layouts[i].mark))
			continue;
		r = read_tree(root, &t);
		if (r < 0) {
			units_free(&t);
			continue;
		}
		if (t.layout == CGROUP_UNIFIED)
			t.memory = t.base;
		else if (exists(root, PATH_CGROUP_MEMORY))
			t.memory = PATH_CGROUP_MEMORY;
		*ret = t;
	}
	return r;
}

/** unit_exists() - whether a unit of this name has a group just now: runs, as a rule */
bool unit_exists(const struct root *root, const char *name)
{
	_cleanup_units_ struct unit_tree t = { 0 };
	const struct unit *u;

	if (units_read(root, &t) < 0)
		return false;
	array_foreach(u, &t.units)
		if (streq(u->name, name))
			return true;
	return false;
}

/** units_free() - frees the units and every string in them */
void units_free(struct unit_tree *t)
{
	arena_free(&t->arena);
	*t = (struct unit_tree){ 0 };
}

/* Appends the pids of one group. */
static int add_pids(const struct root *root, int dirfd, struct arena *a, pidlist *list)
{
	_cleanup_lines_ struct lines lines;
	int r = lines_open(root, dirfd, "cgroup.procs", &lines);
	char *line;

	if (r < 0)
		return vanished(r) ? 0 : r;
	while ((r = lines_next(&lines, &line)) > 0) {
		long pid = strtol(line, NULL, 10);
		int32_t *slot;

		if (pid <= 0 || pid > INT32_MAX) /* 0: of another pid namespace */
			continue;
		slot = array_add(a, list);
		if (!slot)
			return -ENOMEM;
		*slot = (int32_t)pid;
	}
	/* Of a threaded group (cgroups(7)) the processes are listed by the domain above it. */
	return r == -EOPNOTSUPP || vanished(r) ? 0 : r;
}

/*
 * Opens the sub-groups of a group only where there are some: kernfs counts them in st_nlink
 * (kernfs_refresh_inode(), fs/kernfs/inode.c). A file system under a tree may count otherwise.
 */
static bool may_have_subgroups(const struct root *root, int fd)
{
	struct stat st;

	return !root->live || fstat(fd, &st) < 0 || st.st_nlink != 2;
}

static int compare_pids(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static void sort_pids(pidlist *list)
{
	size_t n = 0;

	if (list->n < 2)
		return;
	qsort(list->items, list->n, sizeof(*list->items), compare_pids);
	/* One that moved between two groups meanwhile was met twice. */
	for (size_t i = 0; i < list->n; i++)
		if (n == 0 || list->items[n - 1] != list->items[i])
			list->items[n++] = list->items[i];
	list->n = n;
}

/**
 * unit_walk() - visits the groups of a unit
 * @root: the host
 * @t: its units
 * @unit: index of the unit
 * @visit: called with a descriptor of each group's directory, which stays ours; what is not 0 ends
 * the walk
 * @data: for @visit
 *
 * Its own group and the sub-groups; in a slice not those of other units. None when it is gone.
 *
 * Return: 0; what @visit returned; negative errno.
 */
int unit_walk(const struct root *root, const struct unit_tree *t, uint32_t unit,
	      int (*visit)(void *data, int dirfd), void *data)
{
	_cleanup_arena_ struct arena scratch = { 0 };
	const struct unit *u = &t->units.items[unit];
	bool slice = endswith(u->name, ".slice");
	grouplist queue = { 0 };
	struct group *g = array_add(&scratch, &queue);

	if (!g)
		return -ENOMEM;
	g->path = u->path;
	for (size_t next = 0; next < queue.n; next++) {
		struct group now = queue.items[next];
		int fd, r;

		if (slice && next > 0 && is_unit(last_part(now.path)))
			continue;
		fd = open_group(root, t->base, now.path);
		if (vanished(fd) || fd == -ENAMETOOLONG)
			continue;
		r = fd < 0 ? fd : visit(data, fd);
		if (r == 0 && may_have_subgroups(root, fd))
			r = add_subgroups(&scratch, fd, &now, &queue);
		else
			close_fd(fd);
		if (r != 0)
			return r;
	}
	return 0;
}

/* Where unit_pids() collects. */
struct pids {
	const struct root *root;
	struct arena *a;
	pidlist list;
};

static int add_group(void *data, int dirfd)
{
	struct pids *p = data;

	return add_pids(p->root, dirfd, p->a, &p->list);
}

/**
 * unit_pids() - the processes of a unit just now
 * @root: the host
 * @t: its units
 * @unit: index of the unit
 * @a: where the list will live
 * @ret: pids, ascending; none when the unit is gone
 *
 * Those in sub-groups are among them, those of other units in a slice are not.
 *
 * Return: 0 or negative errno.
 */
int unit_pids(const struct root *root, const struct unit_tree *t, uint32_t unit, struct arena *a,
	      pidlist *ret)
{
	struct pids p = { .root = root, .a = a };
	int r = unit_walk(root, t, unit, add_group, &p);

	if (r < 0)
		return r;
	sort_pids(&p.list);
	*ret = p.list;
	return 0;
}
