/* SPDX-License-Identifier: MIT */
/* Drop-ins for units: written by the generator, and read again for the plan. */
#include "engine/dropins.h"

#include <fcntl.h>

#include "base/parse.h"
#include "base/strmap.h"
#include "base/unit-name.h"
#include "model/facts.h"
#include "sys/paths.h"

#define SETTING "MemoryTHP="

/* "a.service.d/50-thpd.conf", or its directory alone. */
static char *file_of(struct arena *a, const struct dropin *d, bool dir)
{
	return arena_printf(a, "%s.d%s", d->place, dir ? "" : "/" DROPIN_FILE);
}

static const char *text_of(struct arena *a, const struct dropin *d)
{
	const struct unit_type *type = unit_types;
	const char *dot = strrchr(d->place, '.'), *head = "# Written by thpd-generator(8)";

	while (!streq(type->suffix + 1, dot ? dot + 1 : d->place))
		type++;
	if (d->rule)
		head = arena_printf(a, "%s for %s:%u", head, d->rule->pos.file, d->rule->pos.line);
	if (!head || d->mode == THP_MODE_UNSET)
		return head ? arena_printf(a, "%s: nothing here, nor from wider names\n", head) :
			      NULL;
	return arena_printf(a, "%s\n[%s]\n" SETTING "%s\n", head, type->section,
			    thp_mode_words[d->mode]);
}

static int write_one(const struct root *root, int dirfd, const struct dropin *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char *dir = file_of(&a, d, true), *file = file_of(&a, d, false);
	const char *text = text_of(&a, d);
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (!dir || !file || !text)
		return -ENOMEM;
	if (mkdirat(dirfd, dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = root_open_below(root, dirfd, file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	n = write(fd, text, strlen(text));
	if (n < 0 || fchmod(fd, 0644) < 0)
		return -errno;
	return (size_t)n == strlen(text) ? 0 : -ENOSPC;
}

static void remove_one(int dirfd, const struct dropin *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char *dir = file_of(&a, d, true), *file = file_of(&a, d, false);

	if (!dir || !file)
		return;
	(void)unlinkat(dirfd, file, 0);
	(void)unlinkat(dirfd, dir, AT_REMOVEDIR);
}

/**
 * dropins_write() - writes drop-ins, all or none
 * @root: the host
 * @dir: where to; it is there
 * @d: of resolve_dropins()
 *
 * Narrow ones first: at any moment, no unit has what a wider one is for and a narrower one is to
 * keep away. Nobody reads them before the generator has ended.
 *
 * Return: 0; negative errno, and there are none.
 */
int dropins_write(const struct root *root, const char *dir, const struct dropins *d)
{
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (d->list.n == 0)
		return 0;
	fd = root_open(root, dir, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	for (size_t i = d->list.n; i-- > 0 && r == 0;)
		r = write_one(root, fd, &d->list.items[i]);
	/* Wide ones first, for the same reason. */
	for (size_t i = 0; i < d->list.n && r < 0; i++)
		remove_one(fd, &d->list.items[i]);
	return r;
}

/* What the file says; 0 when there is none. */
static int read_one(const struct root *root, const char *path, enum thp_mode *ret)
{
	_cleanup_close_ int fd = root_open(root, path, O_PATH | O_NOFOLLOW);
	char text[1024], *line, *rest = text;
	enum thp_mode mode = THP_MODE_UNSET;

	if (fd < 0)
		return 0;
	if (!fd_is_mask(fd) && root_read(root, path, text, sizeof(text)) > 0)
		while ((line = strsep(&rest, "\n"))) {
			const char *word = startswith(line, SETTING);
			int i = word ? word_index(thp_mode_words, word) : -1;

			if (i > 0)
				mode = (enum thp_mode)i;
		}
	*ret = mode;
	return 1;
}

/* The first that systemd finds: one of an administrator with this name is instead of ours. */
static enum thp_mode in_force(const struct root *root, const char *unit)
{
	static const char *const dirs[] = { PATH_ETC_UNITS, PATH_RUN_UNITS, PATH_GENERATOR };
	enum thp_mode mode = THP_MODE_UNSET;

	if (!unit_name_type(unit))
		return mode;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char name[UNIT_NAME_MAX + 1], path[UNIT_NAME_MAX + 64];

		(void)snprintf(name, sizeof(name), "%s", unit);
		do {
			(void)snprintf(path, sizeof(path), "%s/%s.d/" DROPIN_FILE, dirs[i], name);
			if (read_one(root, path, &mode))
				return mode;
		} while (unit_name_broaden(name));
	}
	return mode;
}

/* Of a rule that says names: what all of them have. */
static enum thp_mode in_force_for_rule(const struct root *root, const struct rule *rule)
{
	enum thp_mode mode = in_force(root, rule->unit.n ? rule->unit.items[0] : rule->title);

	for (size_t i = 1; i < rule->unit.n; i++)
		if (in_force(root, rule->unit.items[i]) != mode)
			return THP_MODE_UNSET;
	return mode;
}

/**
 * dropins_look() - which modes systemd sets by itself as units start
 * @root: the host
 * @plan: gets the modes that drop-ins of this name have for its units, and for units that rules
 *	name, running or not
 *
 * What another drop-in or the unit itself says is not looked at, nor whether systemd has read it
 * yet.
 */
void dropins_look(const struct root *root, struct plan *plan)
{
	_cleanup_close_ int fd = root_open(root, PATH_GENERATOR, O_PATH | O_DIRECTORY);
	struct plan_unit *u;
	struct plan_rule *pr;

	if (fd < 0)
		return;
	array_foreach(u, &plan->units)
		u->dropin = in_force(root, u->fact->name);
	array_foreach(pr, &plan->rules)
		if (pr->matched == 0)
			pr->dropin = in_force_for_rule(root, pr->rule);
}

/** dropins_masked() - whether the administrator has the generator not run */
bool dropins_masked(const struct root *root)
{
	return root_is_mask(root, PATH_ETC_GENERATORS "/thpd-generator") ||
	       root_is_mask(root, PATH_RUN_GENERATORS "/thpd-generator");
}

/**
 * dropins_stale() - which drop-ins of the generator's are not what they should be
 * @root: the host
 * @want: of resolve_dropins(): what the generator would write now
 * @a: where the path will live
 * @ret: the path of one of them, where there are some
 *
 * Those that say something else, those that should not be there, and those that are missing: as
 * after a change of the policy, until systemd has run its generators again.
 *
 * Return: how many; negative errno.
 */
int dropins_stale(const struct root *root, const struct dropins *want, struct arena *a,
		  const char **ret)
{
	_cleanup_arena_ struct arena scratch = { 0 };
	struct strmap wanted = { 0 };
	const struct dropin *d;
	const char **names, *path;
	size_t n = 0;
	int r, stale = 0;

	array_foreach(d, &want->list) {
		enum thp_mode found;
		const char *dir = file_of(&scratch, d, true);

		path = dir ? arena_printf(a, PATH_GENERATOR "/%s/" DROPIN_FILE, dir) : NULL;
		if (!path || strmap_put(&wanted, &scratch, dir, 0) == -ENOMEM)
			return -ENOMEM;
		if (!read_one(root, path, &found) || found != d->mode)
			*ret = stale++ ? *ret : path;
	}
	r = root_list(root, PATH_GENERATOR, &scratch, &names, &n);
	if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; i < n; i++) {
		enum thp_mode found;
		uint32_t value;

		path = arena_printf(a, PATH_GENERATOR "/%s/" DROPIN_FILE, names[i]);
		if (!path)
			return -ENOMEM;
		if (!strmap_get(&wanted, names[i], &value) && read_one(root, path, &found))
			*ret = stale++ ? *ret : path;
	}
	return stale;
}
