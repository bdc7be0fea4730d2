/* SPDX-License-Identifier: MIT */
/*
 * The questions for single units. Only so many are in flight at a time: who starts units has other
 * things to do. A question for a unit that is not loaded loads it for the moment of the answer.
 */
#include <limits.h>

#include "sys/bus-internal.h"

#define IN_FLIGHT_MAX 16
/* A manager that is busy is not lost. */
#define ANSWER_US (60 * UINT64_C(1000000))

/**
 * bus_call() - sends a question
 * @b: the bus, connected
 * @slot: gets what the question is known by
 * @handler: takes the answer
 * @data: for it
 * @m: the question; is consumed
 * @r: of making it
 *
 * Return: 0 or negative errno.
 */
int bus_call(struct bus *b, sd_bus_slot **slot, sd_bus_message_handler_t handler, void *data,
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

/* An answer that says: there is nobody to answer. */
static int lost(sd_bus_message *m)
{
	int error = sd_bus_message_get_errno(m);

	return error == ETIMEDOUT || error == ENOTCONN || error == ECONNRESET ? -error : 0;
}

/** bus_answered() - counts an answer; returns what is left of its slot: NULL */
sd_bus_slot *bus_answered(struct bus *b, sd_bus_slot *slot)
{
	b->stats.answers++;
	return sd_bus_slot_unref(slot);
}

static void unit_answered(struct bus_unit *u)
{
	u->bus->in_flight--;
	u->slot = bus_answered(u->bus, u->slot);
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
	r = bus_call(b, &u->slot, handler, u, m, r);
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
	char buf[NAME_MAX + 1];
	const char *name = bus_unit_asked(u->name, buf, sizeof(buf));
	int r = name ? sd_bus_path_encode(MANAGER_PATH "/unit", name, &path) : -ENAMETOOLONG;

	u->asked = monotonic_us();
	b->stats.asked++;
	if (r >= 0)
		r = sd_bus_message_new_method_call(b->bus, &m, MANAGER_DEST, path,
						   PROPERTIES_INTERFACE,
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
