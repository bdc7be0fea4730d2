/* SPDX-License-Identifier: MIT */
/* The services that the bus knows of, by name, and the queue of those that are to be asked for. */
#include "base/unit-name.h"
#include "sys/bus-internal.h"

/**
 * bus_unit_asked() - the unit that the manager is asked for
 * @name: of a unit, or of a template
 * @buf: for the name of a template's instance
 * @size: of @buf
 *
 * Return: @name or @buf; NULL: the name would be too long for a unit.
 */
const char *bus_unit_asked(const char *name, char *buf, size_t size)
{
	const char *dot = strrchr(name, '.');

	if (!unit_name_is_template(name))
		return name;
	if (strlen(name) + strlen(BUS_INSTANCE) > UNIT_NAME_MAX)
		return NULL;
	(void)snprintf(buf, size, "%.*s" BUS_INSTANCE "%s", (int)(dot - name), name, dot);
	return buf;
}

/** bus_unit_is_ours() - whether a unit is there only because it was asked for */
bool bus_unit_is_ours(const char *name)
{
	const char *at = strchr(name, '@');

	return at && startswith(at + 1, BUS_INSTANCE ".");
}

static size_t place(const struct bus *b, const char *name, bool *ret_found)
{
	size_t low = 0, high = b->n_units;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strcmp(b->units[mid]->name, name);

		if (c == 0) {
			*ret_found = true;
			return mid;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_found = false;
	return low;
}

/** bus_unit_find() - a unit that is known, or NULL */
struct bus_unit *bus_unit_find(struct bus *b, const char *name)
{
	bool found;
	size_t i = place(b, name, &found);

	return found ? b->units[i] : NULL;
}

/**
 * bus_unit_get() - a unit, new if it is not known
 * @b: the bus
 * @name: of the unit
 * @ret: the unit; lives until bus_unit_forget()
 *
 * Return: 0; -ENOMEM.
 */
int bus_unit_get(struct bus *b, const char *name, struct bus_unit **ret)
{
	bool found;
	size_t i = place(b, name, &found);
	struct bus_unit *u;

	if (found) {
		*ret = b->units[i];
		return 0;
	}
	if (b->n_units == b->cap_units) {
		size_t cap = b->cap_units ? 2 * b->cap_units : 16;
		struct bus_unit **grown = realloc(b->units, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		b->units = grown;
		b->cap_units = cap;
	}
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->bus = b;
	u->round = b->round;
	u->name = strdup(name);
	if (!u->name) {
		free(u);
		return -ENOMEM;
	}
	memmove(b->units + i + 1, b->units + i, (b->n_units - i) * sizeof(*b->units));
	b->units[i] = u;
	b->n_units++;
	*ret = u;
	return 0;
}

/** bus_unit_due() - queues a unit to be asked for, once */
void bus_unit_due(struct bus_unit *u)
{
	struct bus *b = u->bus;

	if (u->due)
		return;
	u->due = true;
	u->next_due = NULL;
	if (b->due_last)
		b->due_last->next_due = u;
	else
		b->due = u;
	b->due_last = u;
}

/** bus_unit_next_due() - takes the first unit off the queue; NULL: it is empty */
struct bus_unit *bus_unit_next_due(struct bus *b)
{
	struct bus_unit *u = b->due;

	if (!u)
		return NULL;
	b->due = u->next_due;
	if (!b->due)
		b->due_last = NULL;
	u->due = false;
	return u;
}

static void unqueue(struct bus_unit *u)
{
	struct bus_unit **at = &u->bus->due, *before = NULL;

	if (!u->due)
		return;
	for (; *at != u; at = &(*at)->next_due)
		before = *at;
	*at = u->next_due;
	if (u->bus->due_last == u)
		u->bus->due_last = before;
}

/* Its programs are none, and nothing is asked. */
static void empty(struct bus_unit *u)
{
	unqueue(u);
	if (u->slot) {
		u->slot = sd_bus_slot_unref(u->slot);
		u->bus->in_flight--;
	}
	u->bus->changed |= u->n > 0;
	free(u->programs);
	free(u->text);
	u->programs = NULL;
	u->text = NULL;
	u->n = 0;
}

static void unit_free(struct bus_unit *u)
{
	empty(u);
	free(u->name);
	free(u);
}

/** bus_units_sweep() - drops all units that the list of this round did not have */
void bus_units_sweep(struct bus *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_units; i++)
		if (b->units[i]->round == b->round)
			b->units[n++] = b->units[i];
		else
			unit_free(b->units[i]);
	b->n_units = n;
}

static bool same(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

static bool same_programs(const struct bus_unit *u, const struct unit_program *p, size_t n)
{
	if (u->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct unit_program *q = &u->programs[i];

		if (!same(p[i].slice, q->slice) || !same(p[i].called, q->called) ||
		    !same(p[i].path, q->path) || !same(p[i].user, q->user) ||
		    !same(p[i].thp, q->thp))
			return false;
	}
	return true;
}

/* Copies a string to @at, or only counts when there is no place. */
static size_t put(char *at, size_t used, const char *s, const char **ret)
{
	size_t n = s ? strlen(s) + 1 : 0;

	if (at) {
		*ret = s ? memcpy(at + used, s, n) : NULL;
	}
	return used + n;
}

static size_t pack(char *at, const struct unit_program *from, size_t n, struct unit_program *to)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		used = put(at, used, from[i].slice, &to[i].slice);
		used = put(at, used, from[i].called, &to[i].called);
		used = put(at, used, from[i].path, &to[i].path);
		used = put(at, used, from[i].user, &to[i].user);
		used = put(at, used, from[i].thp, &to[i].thp);
	}
	return used;
}

/**
 * bus_unit_retire() - a unit that is no more, or of no interest
 * @u: the unit; may be freed
 *
 * When it was asked for stays known for a while.
 */
void bus_unit_retire(struct bus_unit *u)
{
	struct bus *b = u->bus;
	uint64_t now = monotonic_us();
	size_t n = 0;

	empty(u);
	if (++b->retired < 64)
		return;
	b->retired = 0;
	for (size_t i = 0; i < b->n_units; i++) {
		u = b->units[i];
		if (u->installed || u->n > 0 || u->slot || u->due || now - u->asked < BUS_OUR_OWN)
			b->units[n++] = u;
		else
			unit_free(u);
	}
	b->n_units = n;
}

/**
 * bus_unit_set() - what a unit starts
 * @u: the unit
 * @programs: its programs, copied; `unit` is filled in
 * @n: number of programs
 *
 * Return: 0; -ENOMEM, and what was known before stays.
 */
int bus_unit_set(struct bus_unit *u, const struct unit_program *programs, size_t n)
{
	struct unit_program *copy;
	char *text;

	if (same_programs(u, programs, n))
		return 0;
	copy = calloc(n + 1, sizeof(*copy));
	text = malloc(pack(NULL, programs, n, copy) + 1);
	if (!copy || !text) {
		free(copy);
		free(text);
		return -ENOMEM;
	}
	(void)pack(text, programs, n, copy);
	for (size_t i = 0; i < n; i++)
		copy[i].unit = u->name;
	free(u->programs);
	free(u->text);
	u->programs = copy;
	u->text = text;
	u->n = n;
	u->bus->changed = true;
	return 0;
}
