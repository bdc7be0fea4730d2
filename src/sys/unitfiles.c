/* SPDX-License-Identifier: MIT */
/*
 * Which units have files on this host, and which version systemd has: for who runs before any unit
 * is loaded, and may not ask systemd. Only names and links are read, never what is in a unit.
 */
#include "sys/unitfiles.h"

#include <dirent.h>

#include "base/strmap.h"
#include "base/unit-name.h"
#include "sys/lines.h"
#include "sys/paths.h"

#define ALIASES_MAX 8 /* links from one name to the next */

/*
 * The search path of the system's manager, systemd.unit(5), the first file of a name counting. What
 * generators have made is not in it: they run side by side, before which their directories are
 * emptied. Nor is /lib: a systemd that has MemoryTHP= runs only where that is /usr/lib.
 */
static const char *const search_path[] = {
	PATH_ETC_UNITS ".control",  PATH_RUN_UNITS ".control",
	"/run/systemd/transient",   PATH_ETC_UNITS,
	PATH_ETC_UNITS ".attached", PATH_RUN_UNITS,
	PATH_RUN_UNITS ".attached", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system",
};

struct scan {
	const struct root *root;
	struct unit_files *out;
	bool slices; /* unit files and drop-ins are searched for Slice= */
	struct strmap index;
	struct strmap slice_places; /* whose drop-ins have it */
	/* Directories with links to units that others want, and with drop-ins. */
	ARRAY(const char *) wants;
	ARRAY(const char *) dropins;
};

static int add_file(struct scan *s, const char *name, struct unit_file **ret)
{
	struct arena *a = &s->out->arena;
	struct unit_file *f;
	int r;

	if (strmap_get(&s->index, name, NULL))
		return 0;
	f = array_add(a, &s->out->list);
	if (!f)
		return -ENOMEM;
	f->name = arena_strdup(a, name);
	r = f->name ? strmap_put(&s->index, a, f->name, (uint32_t)s->out->list.n - 1) : -ENOMEM;
	if (r < 0)
		return r;
	*ret = f;
	return 1;
}

/* Whether a link leads to another unit of the search path, and not to a file kept elsewhere. */
static bool leads_to_unit(const char *target, const char *base)
{
	static const char *const dirs[] = { "systemd/system/", "systemd/system.control/",
					    "systemd/system.attached/", "systemd/transient/" };

	if (base == target)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		size_t n = strlen(dirs[i]);

		if ((size_t)(base - target) >= n && memcmp(base - n, dirs[i], n) == 0)
			return true;
	}
	return false;
}

/* What a link to another unit makes of the name: its alias, or nothing new. */
static int read_link(struct scan *s, int dirfd, struct unit_file *f)
{
	struct arena *a = &s->out->arena;
	char target[PATH_MAX];
	const char *slash, *base, *template;
	ssize_t n = readlinkat(dirfd, f->name, target, sizeof(target) - 1);

	if (n < 0)
		return 0; /* gone meanwhile */
	target[n] = '\0';
	if (streq(target, "/dev/null")) {
		f->masked = true;
		return 0;
	}
	slash = strrchr(target, '/');
	base = slash ? slash + 1 : target;
	if (streq(base, f->name) || unit_name_type(base) != unit_name_type(f->name) ||
	    !leads_to_unit(target, base))
		return 0;
	if (unit_name_is_instance(f->name) && unit_name_is_template(base)) {
		template = unit_name_template(a, f->name);
		if (template && streq(template, base))
			return 0; /* the template is where its file is, and the name its own */
		f->alias_of = unit_name_instantiate(a, base, f->name);
		return template && f->alias_of ? 0 : -ENOMEM;
	}
	f->alias_of = arena_strdup(a, base);
	return f->alias_of ? 0 : -ENOMEM;
}

/* Whether a file has Slice=; a file that cannot be read may have it. */
static bool has_slice(const struct scan *s, const char *dir, const char *name)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char *path = arena_printf(&a, "%s/%s", dir, name);
	_cleanup_lines_ struct lines l = { .fd = -1 };
	int r = path ? lines_open(s->root, -1, path, &l) : -ENOMEM;
	char *line;

	while (r >= 0 && (r = lines_next(&l, &line)) > 0)
		if (startswith(line + strspn(line, " \t"), "Slice"))
			return true;
	return r < 0;
}

static int keep_dir(struct arena *a, const char *dir, const char *name, const char **ret)
{
	if (!ret)
		return -ENOMEM;
	*ret = arena_printf(a, "%s/%s", dir, name);
	return *ret ? 0 : -ENOMEM;
}

static int look_at(struct scan *s, int dirfd, const char *dir, const struct dirent *e)
{
	struct arena *a = &s->out->arena;
	struct unit_file *f;
	struct stat st;
	int r;

	if (endswith(e->d_name, ".wants") || endswith(e->d_name, ".requires") ||
	    endswith(e->d_name, ".upholds"))
		return keep_dir(a, dir, e->d_name, array_add(a, &s->wants));
	if (s->slices && endswith(e->d_name, ".d"))
		return keep_dir(a, dir, e->d_name, array_add(a, &s->dropins));
	if (e->d_type == DT_DIR || !unit_name_type(e->d_name))
		return 0;
	r = add_file(s, e->d_name, &f);
	if (r <= 0)
		return r;
	if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISLNK(st.st_mode))
		r = read_link(s, dirfd, f);
	f->masked |= S_ISCHR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0);
	if (s->slices && !f->masked && !f->alias_of)
		f->own_slice = has_slice(s, dir, e->d_name);
	return r < 0 ? r : 0;
}

/* Instances have no files: who wants them has a link with their name. */
static int look_at_wanted(struct scan *s, int dirfd, const char *dir, const struct dirent *e)
{
	struct unit_file *f;

	if (!unit_name_type(e->d_name) || !unit_name_is_instance(e->d_name))
		return 0;
	return add_file(s, e->d_name, &f) < 0 ? -ENOMEM : 0;
}

/* The file of a directory "a.service.d", for the units that it is for. */
static int look_at_dropin(struct scan *s, int dirfd, const char *dir, const struct dirent *e)
{
	const char *slash = strrchr(dir, '/') + 1;
	struct arena *a = &s->out->arena;
	char *place;
	int r;

	if (!endswith(e->d_name, ".conf") || !has_slice(s, dir, e->d_name))
		return 0;
	place = arena_strndup(a, slash, strlen(slash) - 2);
	r = place ? strmap_put(&s->slice_places, a, place, 0) : -ENOMEM;
	return r == -EEXIST ? 0 : r;
}

typedef int (*look_fn)(struct scan *s, int dirfd, const char *dir, const struct dirent *e);

/* A directory that cannot be read is no worse than one that is not there. */
static int look_into(struct scan *s, const char *dir, look_fn look)
{
	int fd = root_open(s->root, dir, O_RDONLY | O_DIRECTORY), r = 0;
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return 0;
	d = fdopendir(fd);
	if (!d) {
		close_fd(fd);
		return 0;
	}
	while (r == 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			r = look(s, dirfd(d), dir, e);
	(void)closedir(d);
	return r;
}

/* Names that stand for a name that stands for another one; and instances of such a template. */
static int follow(struct scan *s, struct unit_file *f)
{
	struct arena *a = &s->out->arena;

	for (int i = 0; i < ALIASES_MAX; i++) {
		const char *name = f->alias_of ? f->alias_of : f->name, *template = NULL;
		const struct unit_file *next;
		uint32_t at;

		if (f->alias_of && strmap_get(&s->index, name, &at)) {
			next = &s->out->list.items[at];
			f->masked |= next->masked;
			if (next->alias_of) {
				f->alias_of = next->alias_of;
				continue;
			}
		}
		if (!unit_name_is_instance(name))
			break;
		template = unit_name_template(a, name);
		if (!template)
			return -ENOMEM;
		if (!strmap_get(&s->index, template, &at) || !s->out->list.items[at].alias_of)
			break;
		f->alias_of = unit_name_instantiate(a, s->out->list.items[at].alias_of, name);
		if (!f->alias_of)
			return -ENOMEM;
	}
	if (f->alias_of && streq(f->alias_of, f->name))
		f->alias_of = NULL;
	return 0;
}

/* An instance has its template's files, too. */
static void find_slice(struct scan *s, struct unit_file *f)
{
	char name[UNIT_NAME_MAX + 1];
	uint32_t i;

	(void)snprintf(name, sizeof(name), "%s", f->name);
	do {
		if (strmap_get(&s->slice_places, name, NULL) ||
		    (strmap_get(&s->index, name, &i) && s->out->list.items[i].own_slice))
			f->own_slice = true;
	} while (unit_name_broaden(name));
}

/**
 * unit_files_read() - the units that have files, and the instances that are wanted by others
 * @root: the host
 * @slices: `own_slice` is wanted, for which each file has to be read
 * @ret: services, sockets, mounts and swaps, each name once; free with unit_files_free()
 *
 * Return: 0; -ENOMEM.
 */
int unit_files_read(const struct root *root, bool slices, struct unit_files *ret)
{
	_cleanup_unit_files_ struct unit_files out = { 0 };
	struct scan s = { .root = root, .out = &out, .slices = slices };
	struct unit_file *f;
	const char **dir;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(search_path) && r == 0; i++)
		r = look_into(&s, search_path[i], look_at);
	array_foreach(dir, &s.wants)
		if (r == 0)
			r = look_into(&s, *dir, look_at_wanted);
	array_foreach(dir, &s.dropins)
		if (r == 0)
			r = look_into(&s, *dir, look_at_dropin);
	array_foreach(f, &out.list) {
		if (r == 0)
			r = follow(&s, f);
		if (slices)
			find_slice(&s, f);
	}
	if (r < 0)
		return r;
	*ret = out;
	out = (struct unit_files){ 0 };
	return 0;
}

/** unit_files_free() - forgets them */
void unit_files_free(struct unit_files *u)
{
	arena_free(&u->arena);
	*u = (struct unit_files){ 0 };
}

/**
 * systemd_version() - the version of the systemd that is process 1
 * @root: the host
 *
 * Generators are told nothing of it, and have to be quicker than `systemctl --version`. The library
 * that process 1 has mapped has it in its name: libsystemd-core-262.so, and
 * libsystemd-shared-262.so, which may go on with a distribution's own number. That is right also
 * when another version has been installed, and not been executed yet.
 *
 * Return: the version; 0 when process 1 is something else, or does not tell.
 */
int systemd_version(const struct root *root)
{
	_cleanup_lines_ struct lines l = { .fd = -1 };
	int r = lines_open(root, -1, PATH_PROC "/1/maps", &l);
	char *line;

	while (r >= 0 && (r = lines_next(&l, &line)) > 0) {
		const char *name = strrchr(line, '/'), *number;

		number = name ? startswith(name, "/libsystemd-core-") : NULL;
		if (name && !number)
			number = startswith(name, "/libsystemd-shared-");
		if (number && *number >= '1' && *number <= '9')
			return (int)strtol(number, NULL, 10);
	}
	return 0;
}
