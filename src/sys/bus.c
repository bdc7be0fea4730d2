/* SPDX-License-Identifier: MIT */
#include "base/unit-name.h"
#include "sys/bus-internal.h"
#include "sys/paths.h"

static int add_timer(struct bus *b, sd_event_source **ret, sd_event_time_handler_t handler)
{
	int r = sd_event_add_time(b->event, ret, CLOCK_MONOTONIC, 0, 1000, handler, b);

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
	b->retry_delay = BUS_RETRY_MIN;
	if (asprintf(&b->address, "unix:path=%s", socket ? socket : PATH_SYSTEMD_PRIVATE) < 0) {
		b->address = NULL;
		return -ENOMEM;
	}
	r = add_timer(b, &b->retry, bus_on_retry);
	if (r >= 0)
		r = add_timer(b, &b->relist, bus_on_relist);
	if (r >= 0)
		r = add_timer(b, &b->notify, bus_on_notify);
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

static int note_instance(struct bus *b, const char *name)
{
	const char **slot = array_add(&b->patterns.arena, &b->instances);

	if (!slot)
		return -ENOMEM;
	*slot = arena_strdup(&b->patterns.arena, name);
	return *slot ? 0 : -ENOMEM;
}

/**
 * bus_want() - which units are of interest
 * @b: the bus
 * @patterns: fnmatch(3) patterns, copied; one that matches a slice stands for the services in it
 * @n: number of patterns; 0: no unit is, and the connection is closed
 *
 * Services that are loaded count, and those that have a file; a template stands for those of its
 * instances that are not loaded, if what they start is the same for each. Of what only a slice is
 * named for, only what is loaded counts. The callbacks tell when the list is there; meanwhile
 * bus_programs() says what it said before.
 *
 * Return: 0; -ENOMEM: nothing is wanted then.
 */
int bus_want(struct bus *b, const char *const *patterns, size_t n)
{
	int r;

	patterns_free(&b->patterns);
	memset(&b->instances, 0, sizeof(b->instances));
	b->slices = b->slices_hit = false;
	b->n_patterns = 0;
	r = patterns_copy(&b->patterns, patterns, n);
	if (r == 0)
		r = bus_make_wire(b, patterns, n);
	for (size_t i = 0; i < n && r == 0; i++) {
		b->slices |= may_match_slice(patterns[i]);
		if (pattern_is_literal(patterns[i]) && unit_name_type(patterns[i]) &&
		    unit_name_is_instance(patterns[i]))
			r = note_instance(b, patterns[i]);
	}
	if (r < 0 || n == 0) {
		bus_disconnect(b);
		b->retry_at = 0;
		bus_at(b->retry, 0);
		b->round++;
		bus_units_sweep(b);
		b->changed = false;
		b->state = BUS_UNUSED;
		return r;
	}
	b->n_patterns = n;
	if (b->bus)
		bus_relist_soon(b, 0);
	else if (b->state == BUS_UNUSED)
		bus_at(b->retry, 0);
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

/** bus_close() - ends the connection and forgets all; not out of a callback; NULL is allowed */
void bus_close(struct bus *b)
{
	if (!b)
		return;
	bus_disconnect(b);
	bus_bury(b);
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
