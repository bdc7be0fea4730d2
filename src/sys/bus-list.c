/* SPDX-License-Identifier: MIT */
/*
 * Which units are to be asked for: those that the manager has loaded, and those that have a file in
 * the directories that it reads.
 */
#include <limits.h>

#include "base/unit-name.h"
#include "sys/bus-internal.h"

/* The more patterns there are, the longer the manager would take to choose by them. */
#define WIRE_MAX 64

/**
 * bus_make_wire() - what the manager is told to choose units by
 * @b: the bus
 * @patterns: of the units that are wanted
 * @n: number of patterns; many are not told: the manager would take long to choose by them
 *
 * The manager takes a `\` for a byte like any other (FNM_NOESCAPE): a pattern with one is cut
 * there, and so matches more. What it matches really is looked at here, in any case.
 *
 * Return: 0; -ENOMEM.
 */
int bus_make_wire(struct bus *b, const char *const *patterns, size_t n)
{
	char **wire;

	for (char **w = b->wire; w && *w; w++)
		free(*w);
	free(b->wire);
	b->wire = NULL;
	if (n > WIRE_MAX)
		return 0;
	wire = b->wire = calloc(n + 1, sizeof(*wire));
	for (size_t i = 0; i < n && wire; i++) {
		/* what stands in brackets is not to be cut in the middle */
		size_t cut = strcspn(patterns[i], "\\[");

		if (strchr(patterns[i], '\\') ?
			    asprintf(&wire[i], "%.*s*", (int)cut, patterns[i]) < 0 :
			    !(wire[i] = strdup(patterns[i]))) {
			wire[i] = NULL;
			return -ENOMEM;
		}
	}
	return wire ? 0 : -ENOMEM;
}

/* A service of the list. */
static int take_unit(struct bus *b, const char *name, bool in_slices)
{
	char buf[NAME_MAX + 1];
	const char *asked = bus_unit_asked(name, buf, sizeof(buf));
	bool named = asked && patterns_match(&b->patterns, asked);
	struct bus_unit *u;
	int r;

	if (!endswith(name, ".service") || (!named && !in_slices) || bus_unit_is_ours(name))
		return 0;
	r = bus_unit_get(b, name, &u);
	if (r < 0)
		return r;
	u->round = b->round;
	u->named = named;
	bus_unit_due(u);
	return 0;
}

/* Runs through the list of units: for slices of interest, or for services. */
static int read_units(struct bus *b, sd_bus_message *m, bool *slices, bool in_slices)
{
	const char *name, *load, *rest;
	uint32_t job;
	int r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");

	if (r < 0)
		return -EBADMSG;
	while ((r = sd_bus_message_read(m, "(ssssssouso)", &name, &rest, &load, &rest, &rest, &rest,
					&rest, &job, &rest, &rest)) > 0) {
		if (slices)
			*slices |= endswith(name, ".slice") &&
				   patterns_match_slice(&b->patterns, name);
		else if (streq(load, "loaded"))
			r = take_unit(b, name, in_slices);
		if (r < 0)
			return r;
	}
	return r < 0 ? -EBADMSG : 0;
}

static void list_answered(struct bus *b)
{
	if (b->units_slot || b->path_slot)
		return;
	bus_units_sweep(b);
	bus_pump(b);
}

static int on_units(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *b = data;
	int r = -sd_bus_message_get_errno(m);
	bool in_slices = false;

	b->units_slot = bus_answered(b, b->units_slot);
	if (r == 0 && b->slices) {
		r = read_units(b, m, &in_slices, false);
		if (r == 0 && sd_bus_message_rewind(m, true) < 0)
			r = -EBADMSG;
		b->slices_hit |= in_slices;
	}
	if (r == 0)
		r = read_units(b, m, NULL, in_slices);
	if (r < 0)
		bus_fail(b, r);
	else
		list_answered(b);
	return 0;
}

/*
 * Whether a file is that of the unit it is called after: a link with another name makes an alias
 * or masks the unit. What is masked by another directory is told by the manager's answer.
 */
static bool has_own_file(const struct root *root, const char *dir, const char *name)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return false;
	fd = root_open(root, path, O_PATH | O_NOFOLLOW);
	n = fd < 0 ? 0 : readlinkat(fd, "", target, sizeof(target) - 1);
	if (n <= 0) /* no link */
		return fd >= 0;
	target[n] = '\0';
	slash = strrchr(target, '/');
	return streq(slash ? slash + 1 : target, name);
}

/* A service that has a file, or that its template has one of. */
static int take_installed(struct bus *b, const char *name)
{
	int r = take_unit(b, name, false);
	struct bus_unit *u = r < 0 ? NULL : bus_unit_find(b, name);

	if (u)
		u->installed = true;
	return r;
}

/* The instances of a template that patterns name in full. */
static int take_instances(struct bus *b, const char *template)
{
	size_t head = (size_t)(strchr(template, '@') + 1 - template);
	const char **name;
	int r = 0;

	array_foreach(name, &b->instances)
		if (r == 0 && strncmp(*name, template, head) == 0 &&
		    streq(strrchr(*name, '.'), template + head))
			r = take_installed(b, *name);
	return r;
}

/* The services with a file in one of the directories that the manager reads. */
static int take_files(struct bus *b, const char *dir)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char **names;
	size_t n;
	int r = root_list(&b->root, dir, &a, &names, &n);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < n; i++) {
		bool template = unit_name_is_template(names[i]) && b->instances.n > 0;
		char buf[NAME_MAX + 1];
		const char *asked = bus_unit_asked(names[i], buf, sizeof(buf));
		bool match = asked && patterns_match(&b->patterns, asked);

		if (!endswith(names[i], ".service") || (!match && !template) ||
		    !has_own_file(&b->root, dir, names[i]))
			continue;
		r = match ? take_installed(b, names[i]) : 0;
		if (r == 0 && template)
			r = take_instances(b, names[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_path(struct bus *b, sd_bus_message *m)
{
	const char *dir;
	int r = sd_bus_message_enter_container(m, 'v', "as");

	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "s");
	if (r < 0)
		return -EBADMSG;
	while ((r = sd_bus_message_read(m, "s", &dir)) > 0) {
		r = take_files(b, dir);
		if (r < 0)
			return r;
	}
	return r < 0 ? -EBADMSG : 0;
}

static int on_path(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *b = data;
	int r = -sd_bus_message_get_errno(m);

	b->path_slot = bus_answered(b, b->path_slot);
	if (r == 0)
		r = read_path(b, m);
	if (r < 0)
		bus_fail(b, r);
	else
		list_answered(b);
	return 0;
}

static int ask_units(struct bus *b)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(b->bus, &m, MANAGER_DEST, MANAGER_PATH,
					       MANAGER_INTERFACE, "ListUnitsByPatterns");

	b->units_slot = sd_bus_slot_unref(b->units_slot);
	if (r >= 0)
		r = sd_bus_message_append_strv(m, NULL);
	/* Who is in a slice, the manager cannot choose by a name. */
	if (r >= 0)
		r = sd_bus_message_append_strv(m, b->slices ? NULL : b->wire);
	return bus_call(b, &b->units_slot, on_units, b, m, r);
}

/* Not ListUnitFiles(): that keeps the manager busy for milliseconds with each file. */
static int ask_path(struct bus *b)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(b->bus, &m, MANAGER_DEST, MANAGER_PATH,
					       PROPERTIES_INTERFACE, "Get");

	b->path_slot = sd_bus_slot_unref(b->path_slot);
	if (r >= 0)
		r = sd_bus_message_append(m, "ss", MANAGER_INTERFACE, "UnitPath");
	return bus_call(b, &b->path_slot, on_path, b, m, r);
}

/**
 * bus_list() - asks for everything anew
 * @b: the bus, connected
 *
 * What is known stays valid until each answer is there.
 *
 * Return: 0 or negative errno.
 */
int bus_list(struct bus *b)
{
	struct bus_unit *u;
	int r;

	b->round++;
	b->stats.lists++;
	while ((u = bus_unit_next_due(b)))
		u->next_due = NULL;
	for (size_t i = 0; i < b->n_units; i++)
		b->units[i]->installed = false;
	r = ask_units(b);
	return r < 0 ? r : ask_path(b);
}
