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
#include <time.h>

#include "sys/bus-internal.h"
#include "sys/paths.h"

#define MS UINT64_C(1000)
#define RETRY_MIN (20 * MS)
#define RETRY_MAX (30000 * MS)
/* A new list waits until so long after the last reason for it, and so long after the first. */
#define QUIET (50 * MS)
#define QUIET_MAX (500 * MS)
/* News are told not more often than that: while more is on its way, and at all. */
#define NEWS_BUSY (50 * MS)
#define NEWS (5 * MS)
/* Our own questions load units and so have them told as new. */
#define OUR_OWN (1000 * MS)

/** bus_now() - the time in microseconds, CLOCK_MONOTONIC */
uint64_t bus_now(const struct bus *b)
{
	struct timespec ts;

	(void)b;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void at(sd_event_source *timer, uint64_t when)
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

static void disconnect(struct bus *b)
{
	for (size_t i = 0; i < b->n_units; i++) {
		b->units[i]->slot = sd_bus_slot_unref(b->units[i]->slot);
		b->units[i]->asked = 0;
	}
	while (bus_unit_next_due(b))
		continue;
	b->in_flight = 0;
	b->units_slot = sd_bus_slot_unref(b->units_slot);
	b->files_slot = sd_bus_slot_unref(b->files_slot);
	b->filter = sd_bus_slot_unref(b->filter);
	if (b->bus)
		sd_bus_close(b->bus);
	b->bus = sd_bus_unref(b->bus);
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
	disconnect(b);
	at(b->retry, bus_now(b) + b->retry_delay);
	b->retry_delay = b->retry_delay < RETRY_MAX / 2 ? 2 * b->retry_delay : RETRY_MAX;
	set_state(b, BUS_LOST, error);
}

static void tell_news(struct bus *b)
{
	b->changed = false;
	b->notified = bus_now(b);
	if (b->callbacks.programs)
		b->callbacks.programs(b->data);
}

/** bus_settle() - looks whether there is something to tell; after every change */
void bus_settle(struct bus *b)
{
	bool busy = b->units_slot || b->files_slot || b->in_flight > 0 || b->due;
	uint64_t when = b->notified + (busy ? NEWS_BUSY : NEWS);

	if (b->state != BUS_CONNECTED) {
		if (busy || !b->bus || b->stats.lists == 0)
			return;
		b->retry_delay = RETRY_MIN;
		if (b->changed)
			tell_news(b);
		set_state(b, BUS_CONNECTED, 0);
	} else if (b->changed && bus_now(b) >= when) {
		tell_news(b);
	} else if (b->changed) {
		at(b->notify, when);
	}
}

static int on_notify(sd_event_source *s, uint64_t usec, void *data)
{
	struct bus *b = data;

	if (b->changed && b->state == BUS_CONNECTED)
		tell_news(b);
	return 0;
}

static void relist_soon(struct bus *b, uint64_t delay)
{
	uint64_t now = bus_now(b), when = now + delay;

	if (b->relist_since == 0)
		b->relist_since = now;
	at(b->relist, when < b->relist_since + QUIET_MAX ? when : b->relist_since + QUIET_MAX);
}

static int on_relist(sd_event_source *s, uint64_t usec, void *data)
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

	if (b->slices && !b->slices_hit && endswith(name, ".slice") &&
	    patterns_match_slice(&b->patterns, name))
		relist_soon(b, 0);
	if (!endswith(name, ".service") || (!named && !b->slices_hit))
		return 0;
	r = bus_unit_get(b, name, &u);
	if (r < 0)
		return r;
	u->round = b->round; /* a list on its way may be older */
	/* The answer to a question in flight is newer than this signal. */
	if (u->slot)
		return 0;
	if (u->asked > 0 && bus_now(b) - u->asked < OUR_OWN)
		return bus_ask_if_loaded(u);
	u->named = named;
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
		bus_unit_forget(u);
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
		relist_soon(b, 0);
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
		relist_soon(b, QUIET);
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

static int on_retry(sd_event_source *s, uint64_t usec, void *data)
{
	struct bus *b = data;
	int r;

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

static int add_timer(struct bus *b, sd_event_source **ret, sd_event_time_handler_t handler)
{
	int r = sd_event_add_time(b->event, ret, CLOCK_MONOTONIC, 0, MS, handler, b);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

/**
 * bus_open() - prepares the way to the service manager
 * @event: the loop
 * @root: the host, for the files that programs are
 * @socket: to be connected to (a path of letters, digits and /_-.); NULL: systemd's own
 * @callbacks: are called from the loop only, and may call bus_programs() and bus_want()
 * @data: for them
 * @ret: free with bus_close()
 *
 * There is no connection before bus_want() says what for.
 *
 * Return: 0 or negative errno.
 */
int bus_open(sd_event *event, const struct root *root, const char *socket,
	     const struct bus_callbacks *callbacks, void *data, struct bus **ret)
{
	_cleanup_bus_ struct bus *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->event = sd_event_ref(event);
	b->root = *root;
	b->probe = !socket;
	b->callbacks = *callbacks;
	b->data = data;
	b->retry_delay = RETRY_MIN;
	if (asprintf(&b->address, "unix:path=%s", socket ? socket : PATH_SYSTEMD_PRIVATE) < 0) {
		b->address = NULL;
		return -ENOMEM;
	}
	r = add_timer(b, &b->retry, on_retry);
	if (r >= 0)
		r = add_timer(b, &b->relist, on_relist);
	if (r >= 0)
		r = add_timer(b, &b->notify, on_notify);
	if (r < 0)
		return r;
	*ret = b;
	b = NULL;
	return 0;
}

static bool may_match_slice(const char *pattern)
{
	return endswith(pattern, ".slice") || (*pattern && strchr("*?]", strchr(pattern, 0)[-1]));
}

/**
 * bus_want() - which units are of interest
 * @b: the bus
 * @patterns: fnmatch(3) patterns, copied; one that matches a slice stands for the services in it
 * @n: number of patterns; 0: no unit is, and the connection is closed
 *
 * Services that are loaded count, and those that have a file, but of templates only the instances
 * that are loaded; of what only a slice is named for, only what is loaded. The callbacks tell when
 * the list is there; meanwhile bus_programs() says what it said before.
 *
 * Return: 0; -ENOMEM: nothing is wanted then.
 */
int bus_want(struct bus *b, const char *const *patterns, size_t n)
{
	int r;

	patterns_free(&b->patterns);
	b->slices = b->slices_hit = false;
	b->n_patterns = 0;
	r = patterns_copy(&b->patterns, patterns, n);
	if (r == 0)
		r = bus_make_wire(b, patterns, n);
	for (size_t i = 0; i < n && r == 0; i++)
		b->slices |= may_match_slice(patterns[i]);
	if (r < 0 || n == 0) {
		disconnect(b);
		b->round++;
		bus_units_sweep(b);
		b->changed = false;
		b->state = BUS_UNUSED;
		return r;
	}
	b->n_patterns = n;
	if (b->bus)
		relist_soon(b, 0);
	else if (b->state == BUS_UNUSED)
		at(b->retry, 0);
	return 0;
}

/**
 * bus_programs() - what the wanted units start
 * @b: the bus
 * @ret: the programs, by unit; valid until the loop runs again, or the next call
 * @ret_n: how many
 *
 * When the connection is lost, they are what was known last.
 *
 * Return: 0; -ENOMEM.
 */
int bus_programs(struct bus *b, const struct unit_program **ret, size_t *ret_n)
{
	struct unit_program *flat;
	size_t n = 0;

	for (size_t i = 0; i < b->n_units; i++)
		n += b->units[i]->n;
	flat = realloc(b->flat, (n + 1) * sizeof(*flat));
	if (!flat)
		return -ENOMEM;
	b->flat = flat;
	n = 0;
	for (size_t i = 0; i < b->n_units; i++)
		for (size_t j = 0; j < b->units[i]->n; j++)
			flat[n++] = b->units[i]->programs[j];
	*ret = flat;
	*ret_n = n;
	return 0;
}

/** bus_state() - how the connection is */
enum bus_state bus_state(const struct bus *b)
{
	return b->state;
}

/** bus_stats() - what it has cost so far */
void bus_stats(const struct bus *b, struct bus_stats *ret)
{
	*ret = b->stats;
}

/** bus_close() - ends the connection and forgets all; NULL is allowed */
void bus_close(struct bus *b)
{
	if (!b)
		return;
	disconnect(b);
	b->round++;
	bus_units_sweep(b);
	free(b->units);
	free(b->flat);
	(void)bus_make_wire(b, NULL, SIZE_MAX);
	patterns_free(&b->patterns);
	sd_event_source_unref(b->retry);
	sd_event_source_unref(b->relist);
	sd_event_source_unref(b->notify);
	sd_event_unref(b->event);
	free(b->address);
	free(b);
}
