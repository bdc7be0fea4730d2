/* SPDX-License-Identifier: MIT */
/* What the parts of the bus share: bus-link.c connects, bus-list.c and
 * bus-ask.c ask,
 * bus-answer.c reads, bus-units.c keeps. */
#ifndef THPD_SYS_BUS_INTERNAL_H
#define THPD_SYS_BUS_INTERNAL_H

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/patterns.h"
#include "sys/bus.h"

#define MANAGER_DEST "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"
#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"
#define SERVICE_INTERFACE "org.freedesktop.systemd1.Service"

/* A service that a pattern matches, or that may be in a slice that one matches. */
struct bus_unit {
	struct bus *bus;
	char *name;
	bool named;	/* a pattern matches its own name */
	bool installed; /* has a file: exists also while it is not loaded */
	bool due;	/* is in the queue of those to ask for */
	uint64_t round; /* of the list that had it last */
	uint64_t asked; /* when, CLOCK_MONOTONIC in us; 0: never */
	sd_bus_slot *slot;
	struct bus_unit *next_due;
	struct unit_program *programs;
	size_t n;
	char *text; /* all strings of the programs */
};

struct bus {
	sd_event *event;
	struct root root;
	char *address;
	bool probe; /* the socket is systemd's own: no systemd, no socket */
	struct bus_callbacks callbacks;
	void *data;
	enum bus_state state;
	struct bus_stats stats;

	sd_bus *bus;
	sd_bus *dead; /* given up, to be closed from the loop: not while it calls us */
	sd_bus_slot *filter;
	sd_bus_slot *units_slot, *path_slot; /* calls in flight for the list */
	sd_event_source *retry, *relist, *notify;
	uint64_t retry_delay, retry_at;
	uint64_t relist_since; /* when the first reason for a new list came; 0: there is none */
	uint64_t notified;
	bool reloading, changed;

	struct patterns patterns;
	size_t n_patterns;
	ARRAY(const char *) instances; /* patterns that name an instance of a template in full */
	char **wire;	 /* what is handed to the manager to choose by, up to NULL; NULL: all */
	bool slices;	 /* a pattern may match a slice */
	bool slices_hit; /* one has matched a slice that was there */

	uint64_t round;
	struct bus_unit **units; /* by name */
	size_t n_units, cap_units;
	struct bus_unit *due, *due_last;
	size_t in_flight;
	size_t retired;		   /* units since the last look for old ones */
	struct unit_program *flat; /* of the last bus_programs() */
};

/*
 * Of a template an instance is asked for that nobody has: what it starts, another one will, unless
 * this word is in it: so it has nothing that systemd escapes.
 */
#define BUS_INSTANCE "thpd_asks"

/* Our own questions load units and so have them told as new. */
#define BUS_OUR_OWN UINT64_C(1000000)

#define BUS_RETRY_MIN UINT64_C(20000)

/* bus-link.c */
void bus_at(sd_event_source *timer, uint64_t when);
void bus_bury(struct bus *b);
void bus_disconnect(struct bus *b);
void bus_relist_soon(struct bus *b, uint64_t delay);
int bus_on_notify(sd_event_source *s, uint64_t usec, void *data);
int bus_on_relist(sd_event_source *s, uint64_t usec, void *data);
int bus_on_retry(sd_event_source *s, uint64_t usec, void *data);
void bus_settle(struct bus *b);
void bus_fail(struct bus *b, int error);

/* bus-ask.c */
int bus_call(struct bus *b, sd_bus_slot **slot, sd_bus_message_handler_t handler, void *data,
	     sd_bus_message *m, int r);
sd_bus_slot *bus_answered(struct bus *b, sd_bus_slot *slot);
int bus_ask(struct bus_unit *u);
int bus_ask_if_loaded(struct bus_unit *u);
void bus_pump(struct bus *b);

/* bus-list.c */
int bus_make_wire(struct bus *b, const char *const *patterns, size_t n);
int bus_list(struct bus *b);

/* bus-answer.c */
int bus_answer_programs(struct bus_unit *u, sd_bus_message *m);
int bus_answer_slice(struct bus_unit *u, sd_bus_message *m);

/* bus-units.c */
const char *bus_unit_asked(const char *name, char *buf, size_t size);
bool bus_unit_is_ours(const char *name);
struct bus_unit *bus_unit_find(struct bus *b, const char *name);
int bus_unit_get(struct bus *b, const char *name, struct bus_unit **ret);
void bus_unit_due(struct bus_unit *u);
struct bus_unit *bus_unit_next_due(struct bus *b);
void bus_unit_retire(struct bus_unit *u);
void bus_units_sweep(struct bus *b);
int bus_unit_set(struct bus_unit *u, const struct unit_program *programs, size_t n);

#endif
