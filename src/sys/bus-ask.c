/* SPDX-License-Identifier: MIT */
/*
 * The questions: one list of all units that match, one of the files that match, and then one
 * question for each unit. Only so many of these are in flight at a time: who starts units has other
 * things to do. A question for a unit that is not loaded loads it for the moment of the answer.
 */
#include "sys/bus-internal.h"

#define IN_FLIGHT_MAX 16
/* The more patterns there are, the longer the manager would take to choose by them. */
#define WIRE_MAX 64
#define ANSWER_US (10 * UINT64_C(1000000))

static int call(struct bus *b, sd_bus_slot **slot, sd_bus_message_handler_t handler, void *data,
		sd_bus_message *m, int r)
{
	if (r >= 0)
		r = sd_bus_call_async(b->bus, slot, m, handler, data, ANSWER_US);
	sd_bus_message_unref(m);
	if (r < 0)
		return r;
	b->stats.calls++;
	return 0;
}

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

/* An answer that says: there is nobody to answer. */
static int lost(sd_bus_message *m)
{
	int error = sd_bus_message_get_errno(m);

	return error == ETIMEDOUT || error == ENOTCONN || error == ECONNRESET ? -error : 0;
}

static sd_bus_slot *answered(struct bus *b, sd_bus_slot *slot)
{
	b->stats.answers++;
	return sd_bus_slot_unref(slot);
}

/* A service of the list. */
static int take_unit(struct bus *b, const char *name, bool in_slices)
{
	bool named = patterns_match(&b->patterns, name);
	struct bus_unit *u;
	int r;

	if (!endswith(name, ".service") || (!named && !in_slices))
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
	if (b->units_slot || b->files_slot)
		return;
	bus_units_sweep(b);
	bus_pump(b);
}

static int on_units(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *b = data;
	int r = -sd_bus_message_get_errno(m);
	bool in_slices = false;

	b->units_slot = answered(b, b->units_slot);
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

/* Files that can be started as they are: no template, no other name of a unit, none masked. */
static bool is_startable(const char *name, const char *state)
{
	static const char *const not [] = { "alias", "bad", "masked", "masked-runtime" };
	const char *at = strchr(name, '@');

	for (size_t i = 0; i < ARRAY_SIZE(not ); i++)
		if (streq(state, not [i]))
			return false;
	return !at || at[1] != '.';
}

static int read_files(struct bus *b, sd_bus_message *m)
{
	const char *path, *state;
	int r = sd_bus_message_enter_container(m, 'a', "(ss)");

	if (r < 0)
		return -EBADMSG;
	while ((r = sd_bus_message_read(m, "(ss)", &path, &state)) > 0) {
		const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
		struct bus_unit *u;

		if (!is_startable(name, state))
			continue;
		r = take_unit(b, name, false);
		if (r < 0)
			return r;
		u = bus_unit_find(b, name);
		if (u)
			u->installed = true;
	}
	return r < 0 ? -EBADMSG : 0;
}

static int on_files(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *b = data;
	int r = -sd_bus_message_get_errno(m);

	b->files_slot = answered(b, b->files_slot);
	if (r == 0)
		r = read_files(b, m);
	if (r < 0)
		bus_fail(b, r);
	else
		list_answered(b);
	return 0;
}

static int ask_list(struct bus *b, const char *member, char **patterns, sd_bus_slot **slot,
		    sd_bus_message_handler_t handler)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(b->bus, &m, MANAGER_DEST, MANAGER_PATH,
					       MANAGER_INTERFACE, member);

	*slot = sd_bus_slot_unref(*slot);
	if (r >= 0)
		r = sd_bus_message_append_strv(m, NULL);
	if (r >= 0)
		r = sd_bus_message_append_strv(m, patterns);
	return call(b, slot, handler, b, m, r);
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
	/* Who is in a slice, the manager cannot choose by a name. */
	r = ask_list(b, "ListUnitsByPatterns", b->slices ? NULL : b->wire, &b->units_slot,
		     on_units);
	if (r == 0)
		r = ask_list(b, "ListUnitFilesByPatterns", b->wire, &b->files_slot, on_files);
	return r;
}

static void unit_answered(struct bus_unit *u)
{
	u->bus->in_flight--;
	u->slot = answered(u->bus, u->slot);
}

static int on_programs(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_unit *u = data;
	struct bus *b = u->bus;
	int r = lost(m);

	unit_answered(u);
	if (r == 0 && sd_bus_message_is_method_error(m, NULL))
		r = bus_unit_set(u, NULL, 0);
	else if (r == 0)
		r = bus_answer_programs(u, m);
	if (r < 0)
		bus_fail(b, r);
	else
		bus_pump(b);
	return 0;
}

static int on_slice(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_unit *u = data;
	struct bus *b = u->bus;
	int r = lost(m);

	unit_answered(u);
	if (r == 0 && !sd_bus_message_is_method_error(m, NULL))
		r = bus_answer_slice(u, m);
	if (r == 0) {
		bus_unit_retire(u);
	} else if (r > 0) {
		u->named = true;
		r = bus_ask(u);
	}
	if (r < 0)
		bus_fail(b, r);
	else
		bus_pump(b);
	return 0;
}

static int on_loaded(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_unit *u = data;
	struct bus *b = u->bus;
	int r = lost(m);

	unit_answered(u);
	if (r == 0 && !sd_bus_message_is_method_error(m, NULL))
		r = bus_ask(u);
	else if (r == 0 && !u->installed)
		bus_unit_retire(u);
	if (r < 0)
		bus_fail(b, r);
	else
		bus_pump(b);
	return 0;
}

static int ask_unit(struct bus_unit *u, sd_bus_message_handler_t handler, sd_bus_message *m, int r)
{
	struct bus *b = u->bus;

	if (u->slot) {
		u->slot = sd_bus_slot_unref(u->slot);
		b->in_flight--;
	}
	r = call(b, &u->slot, handler, u, m, r);
	if (r < 0)
		return r;
	b->in_flight++;
	return 0;
}

/**
 * bus_ask() - asks for one unit's programs, or whether it is in a slice of interest, if no pattern
 * names it
 * @u: the unit
 *
 * Return: 0 or negative errno.
 */
int bus_ask(struct bus_unit *u)
{
	struct bus *b = u->bus;
	sd_bus_message *m = NULL;
	_cleanup_free_ char *path = NULL;
	int r = sd_bus_path_encode(MANAGER_PATH "/unit", u->name, &path);

	u->asked = bus_now();
	b->stats.asked++;
	if (r >= 0)
		r = sd_bus_message_new_method_call(b->bus, &m, MANAGER_DEST, path,
						   "org.freedesktop.DBus.Properties",
						   u->named ? "GetAll" : "Get");
	if (r >= 0)
		r = u->named ? sd_bus_message_append(m, "s", SERVICE_INTERFACE) :
			       sd_bus_message_append(m, "ss", SERVICE_INTERFACE, "Slice");
	return ask_unit(u, u->named ? on_programs : on_slice, m, r);
}

/**
 * bus_ask_if_loaded() - asks for one unit, unless it is gone already
 * @u: the unit
 *
 * For one that is told as new when it has just been asked for. GetUnit() is the one question that
 * does not itself load the unit: any other would be asked for ever.
 *
 * Return: 0 or negative errno.
 */
int bus_ask_if_loaded(struct bus_unit *u)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(u->bus->bus, &m, MANAGER_DEST, MANAGER_PATH,
					       MANAGER_INTERFACE, "GetUnit");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", u->name);
	return ask_unit(u, on_loaded, m, r);
}

/** bus_pump() - sends the next questions, if there are any, and tells when all is answered */
void bus_pump(struct bus *b)
{
	struct bus_unit *u;
	int r = 0;

	while (r == 0 && b->in_flight < IN_FLIGHT_MAX && (u = bus_unit_next_due(b)))
		r = bus_ask(u);
	if (r < 0)
		bus_fail(b, r);
	else
		bus_settle(b);
}
