/* SPDX-License-Identifier: MIT */
/*
 * The way to the service manager: systemd's own socket, which root may use, which needs no message
 * bus and so is there in early boot. A peer on it is spoken to at once (no Hello()), and gets all
 * signals (bus_foreach_bus(), src/core/dbus.c). When systemd executes itself anew the connection is
 * lost and comes back.
 *
 * A unit may be started milliseconds after it is loaded, so what UnitNew() tells is asked for at
 * once. Units change with a reload only, and are then all asked for anew.
 */
#include <systemd/sd-daemon.h>

#include "sys/bus-internal.h"

#define MS UINT64_C(1000)
#define RETRY_MAX (30000 * MS)
/* A new list waits until so long after the last reason for it, and so long after the first. */
#define QUIET (50 * MS)
#define QUIET_MAX (500 * MS)
/* So many questions can be in flight before a new unit has to wait for its turn. */
#define AT_ONCE_MAX 64
/* News are told not more often than that: while more is on its way, and at all. */
#define NEWS_BUSY (50 * MS)
#define NEWS (5 * MS)

/** bus_at() - arms a timer for one moment */
void bus_at(sd_event_source *timer, uint64_t when)
{
	(void)sd_event_source_set_time(timer, when);
	(void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void set_state(struct bus *b, enum bus_state state, int error)
{
	if (b->state == state && error == 0)
		return;
	b->state = state;
	if (b->callbacks.state)
		b->callbacks.state(state, error, b->data);
}

/** bus_bury() - closes the connection that was given up */
void bus_bury(struct bus *b)
{
	if (b->dead)
		sd_bus_close(b->dead);
	b->dead = sd_bus_unref(b->dead);
}

/**
 * bus_disconnect() - gives up the connection, and all that is asked
 * @b: the bus; its timer for a retry is to be armed, which closes the connection
 */
void bus_disconnect(struct bus *b)
{
	for (size_t i = 0; i < b->n_units; i++)
		b->units[i]->slot = sd_bus_slot_unref(b->units[i]->slot);
	while (bus_unit_next_due(b))
		continue;
	b->in_flight = 0;
	b->units_slot = sd_bus_slot_unref(b->units_slot);
	b->path_slot = sd_bus_slot_unref(b->path_slot);
	b->filter = sd_bus_slot_unref(b->filter);
	if (b->bus)
		b->dead = b->bus; /* the only one: nothing is connected before it is closed */
	b->bus = NULL;
	b->reloading = false;
	b->relist_since = 0;
	(void)sd_event_source_set_enabled(b->relist, SD_EVENT_OFF);
}

/**
 * bus_fail() - gives up the connection, and tries again later
 * @b: the bus
 * @error: negative errno: why
 *
 * What is known of the units stays.
 */
void bus_fail(struct bus *b, int error)
{
	/* What was asked when the other end closed it, sd-bus tells as not answered in time. */
	if (error == -ETIMEDOUT && b->bus && sd_bus_is_open(b->bus) <= 0)
		error = -ECONNRESET;
	bus_disconnect(b);
	b->retry_at = monotonic_us() + b->retry_delay;
	bus_at(b->retry, b->dead ? 0 : b->retry_at);
	b->retry_delay = b->retry_delay < RETRY_MAX / 2 ? 2 * b->retry_delay : RETRY_MAX;
	set_state(b, BUS_LOST, error);
}

static void tell_news(struct bus *b)
{
	b->changed = false;
	b->notified = monotonic_us();
	if (b->callbacks.programs)
		b->callbacks.programs(b->data);
}

/** bus_settle() - looks whether there is something to tell; after every change */
void bus_settle(struct bus *b)
{
	bool busy = b->units_slot || b->path_slot || b->in_flight > 0 || b->due;
	uint64_t when = b->notified + (busy ? NEWS_BUSY : NEWS);

	if (b->state != BUS_CONNECTED) {
		if (busy || !b->bus || b->stats.lists == 0)
			return;
		b->retry_delay = BUS_RETRY_MIN;
		if (b->changed)
			tell_news(b);
		if (b->bus) /* else the news have made somebody want nothing any more */
			set_state(b, BUS_CONNECTED, 0);
	} else if (b->changed && monotonic_us() >= when) {
		tell_news(b);
	} else if (b->changed) {
		bus_at(b->notify, when);
	}
}

/** bus_on_notify() - the time to tell news has come */
int bus_on_notify(sd_event_source *s, uint64_t usec, void *data)
{
	struct bus *b = data;

	if (b->changed && b->state == BUS_CONNECTED)
		tell_news(b);
	return 0;
}

/**
 * bus_relist_soon() - there is a reason for a new list
 * @b: the bus
 * @delay: in us, to wait for more reasons
 */
void bus_relist_soon(struct bus *b, uint64_t delay)
{
	uint64_t when = monotonic_us() + delay;

	if (b->relist_since == 0)
		b->relist_since = monotonic_us();
	bus_at(b->relist, when < b->relist_since + QUIET_MAX ? when : b->relist_since + QUIET_MAX);
}

/** bus_on_relist() - the time for a new list has come */
int bus_on_relist(sd_event_source *s, uint64_t usec, void *data)
{
	struct bus *b = data;
	int r;

	b->relist_since = 0;
	if (!b->bus)
		return 0;
	r = bus_list(b);
	if (r < 0)
		bus_fail(b, r);
	return 0;
}

static int unit_new(struct bus *b, const char *name)
{
	bool named = patterns_match(&b->patterns, name);
	struct bus_unit *u;
	int r;

	/* A service in it may have been told before. Once only: our questions load slices, too. */
	if (b->slices && !b->slices_hit && endswith(name, ".slice") &&
	    patterns_match_slice(&b->patterns, name)) {
		b->slices_hit = true;
		bus_relist_soon(b, 0);
	}
	if (!endswith(name, ".service") || (!named && !b->slices_hit) || bus_unit_is_ours(name))
		return 0;
	r = bus_unit_get(b, name, &u);
	if (r < 0)
		return r;
	u->round = b->round; /* a list on its way may be older */
	/* The answer to a question in flight is newer than this signal. */
	if (u->slot)
		return 0;
	u->named = named;
	if (b->in_flight >= AT_ONCE_MAX) {
		bus_unit_due(u);
		return 0;
	}
	if (u->asked > 0 && monotonic_us() - u->asked < BUS_OUR_OWN)
		return bus_ask_if_loaded(u);
	return bus_ask(u);
}

static int take_unit_signal(struct bus *b, sd_bus_message *m, bool new)
{
	struct bus_unit *u;
	const char *name;

	/* A reload tells all units as removed and new, and says when it is over. */
	if (b->reloading)
		return 0;
	if (sd_bus_message_read(m, "s", &name) < 0)
		return -EBADMSG;
	if (new)
		return unit_new(b, name);
	u = bus_unit_find(b, name);
	if (u && !u->installed) {
		bus_unit_retire(u);
		bus_settle(b);
	}
	return 0;
}

static int take_reloading(struct bus *b, sd_bus_message *m)
{
	int active;

	if (sd_bus_message_read(m, "b", &active) < 0)
		return -EBADMSG;
	b->reloading = active;
	if (!active)
		bus_relist_soon(b, 0);
	return 0;
}

static int on_message(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *b = data;
	int r = 0;

	if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", "Disconnected") > 0) {
		bus_fail(b, -ECONNRESET);
		return 0;
	}
	b->stats.signals += sd_bus_message_is_signal(m, NULL, NULL) > 0;
	if (sd_bus_message_is_signal(m, MANAGER_INTERFACE, NULL) <= 0)
		return 0;
	if (streq(sd_bus_message_get_member(m), "UnitNew"))
		r = take_unit_signal(b, m, true);
	else if (streq(sd_bus_message_get_member(m), "UnitRemoved"))
		r = take_unit_signal(b, m, false);
	else if (streq(sd_bus_message_get_member(m), "Reloading"))
		r = take_reloading(b, m);
	else if (streq(sd_bus_message_get_member(m), "UnitFilesChanged"))
		bus_relist_soon(b, QUIET);
	if (r < 0)
		bus_fail(b, r);
	return 0;
}

static int connect_now(struct bus *b)
{
	int r = sd_bus_new(&b->bus);

	b->stats.connects++;
	if (r >= 0)
		r = sd_bus_set_address(b->bus, b->address);
	if (r >= 0)
		r = sd_bus_start(b->bus);
	if (r >= 0)
		r = sd_bus_add_filter(b->bus, &b->filter, on_message, b);
	if (r >= 0)
		r = sd_bus_attach_event(b->bus, b->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0) /* who asks for no signals, is owed none */
		r = sd_bus_call_method_async(b->bus, NULL, MANAGER_DEST, MANAGER_PATH,
					     MANAGER_INTERFACE, "Subscribe", NULL, NULL, NULL);
	return r < 0 ? r : bus_list(b);
}

/** bus_on_retry() - the time to connect, or to try again, has come */
int bus_on_retry(sd_event_source *s, uint64_t usec, void *data)
{
	struct bus *b = data;
	int r;

	if (b->dead) {
		bus_bury(b);
		bus_at(b->retry, b->retry_at);
		return 0;
	}
	if (b->bus || b->n_patterns == 0)
		return 0;
	if (b->probe && sd_booted() == 0) {
		set_state(b, BUS_NO_SYSTEMD, 0);
		return 0;
	}
	r = connect_now(b);
	if (r < 0)
		bus_fail(b, r);
	return 0;
}
