/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_BUS_H
#define THPD_SYS_BUS_H

#include "sys/root.h"

struct sd_event;

/*
 * Which programs do the units of the system's service manager start? The answer is kept current by
 * its signals; nothing here ever waits. See bus-link.c.
 */
struct bus;

enum bus_state {
	BUS_UNUSED,	/* no unit is asked for: there is no connection */
	BUS_NO_SYSTEMD, /* the service manager is another one; not tried again */
	BUS_LOST, /* not connected (yet), or not listed yet; tried again with a growing delay */
	BUS_CONNECTED, /* and all programs are known */
};

/* A program that a unit of the wanted ones starts: of ExecStart=, ExecStartPre=, ExecStartPost=. */
struct unit_program {
	const char *unit;   /* or a template: for all its instances that are not there yet */
	const char *slice;  /* that it is in; "-.slice" for the root */
	const char *called; /* as the unit names it */
	/*
	 * The file on this host: links followed, below RootDirectory= if there is one, and as it
	 * is written where no such file is there yet. NULL: not reachable (RootImage=).
	 */
	const char *path;
	const char *user; /* a name, or a number; NULL: root; "": DynamicUser= gives it a hash */
	const char *thp;  /* MemoryTHP=; NULL: this systemd has none */
};

struct bus_callbacks {
	/* @error: negative errno behind BUS_LOST, or 0; told for each attempt that is in vain */
	void (*state)(enum bus_state state, int error, void *data);
	/* bus_programs() has something new to say */
	void (*programs)(void *data);
};

/* Counted since bus_open(). */
struct bus_stats {
	uint64_t connects; /* tried */
	uint64_t calls, answers, signals;
	uint64_t lists; /* of all units */
	uint64_t asked; /* units asked for, of which some only whether they are in a slice */
};

int bus_open(struct sd_event *event, const struct root *root, const char *socket,
	     const struct bus_callbacks *callbacks, void *data, struct bus **ret);
int bus_want(struct bus *b, const char *const *patterns, size_t n);
int bus_programs(struct bus *b, const struct unit_program **ret, size_t *ret_n);
enum bus_state bus_state(const struct bus *b);
void bus_stats(const struct bus *b, struct bus_stats *ret);
void bus_close(struct bus *b);
int bus_systemd_version(void);
int bus_daemon_reload(void);

static inline void bus_closep(struct bus **b)
{
	bus_close(*b);
}

#define _cleanup_bus_ _cleanup_(bus_closep)

#endif
