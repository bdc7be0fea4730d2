/* SPDX-License-Identifier: MIT */
/* The daemon: one loop, and what it keeps. Private to src/app/daemon*.c. */
#ifndef THPD_APP_DAEMON_H
#define THPD_APP_DAEMON_H

#include <systemd/sd-event.h>

#include "app/drift-who.h"
#include "app/helper-client.h"
#include "app/host.h"
#include "app/log.h"
#include "app/starts-client.h"
#include "base/clock.h"
#include "model/daemon.h"
#include "sys/bus.h"
#include "sys/steady.h"
#include "sys/unitwatch.h"

#define STARTS_SOCKET PATH_STATE "/starts.sock"
#define STARTS_UNIT "thpd-starts.service"

/* A process whose memory is to be given back. */
struct reclaim_item {
	int32_t pid;
	uint64_t start;
	char comm[64], unit[256];
};

struct reclaim_queue {
	int fd; /* a connection to the helper, or -1 */
	sd_event_source *io;
	struct reclaim_item *items;
	size_t n, done;
};

struct daemon {
	const struct cli *cli;
	sd_event *event;
	struct host *host; /* the policy in force; plan and facts of the last cycle */
	struct helper helper;
	struct privileged by;
	struct daemon_status status;
	sd_event_source *timer;
	uint64_t due_us;    /* when the next cycle is; UINT64_MAX: none */
	bool eventful;	    /* something has happened since the last cycle */
	unsigned int looks; /* since the last unit that came up */
	uint64_t came_us;   /* when it did */
	int lock;	    /* there is one daemon */
	int control;	    /* where a reload is asked for */
	struct log log;
	char reload_error[512];
	bool dropins_vain; /* systemd was told to renew them, and they are as before */
	char helper_program[4096], starts_program[4096];

	/* What the last cycle has left, where it is as it should be: */
	struct steady steady;
	bool settled;
	unsigned int in_a_row; /* cycles that have found it so */

	/* Foreign writes: */
	struct drift *drift; /* NULL while it cannot run */
	sd_event_source *drift_io;
	uint64_t watched; /* which settings are, as a hash */
	struct drift_who who;
	sd_event_source *who_timer;
	int writers_fd;	   /* where the helper tells who writes, or -1 */
	int writers_error; /* of asking for that in this cycle */
	sd_event_source *writers_io;

	/* Starts: */
	struct bus *bus;
	bool bus_was_there;
	struct unitwatch *units;
	sd_event_source *units_io;
	struct starts_client starts;
	sd_event_source *starts_io;
	struct activated starts_own; /* where no service manager starts it: fd >= 0 */
	bool gate_wanted, starts_wanted;
	bool table_known, table_sent, table_old; /* old: the rules are newer */
	size_t table_n;				 /* entries of the one that was sent */
	uint64_t table_hash;			 /* of these */
	bool armed;				 /* and is in force */
	bool has_table;				 /* this one, or still the one before */
	bool ready;				 /* and said so */
	/* Flags that were set at starts and are not in the record of all flags yet. */
	struct arena started_arena;
	ARRAY(struct flag_record) started;

	struct reclaim_queue reclaim;
};

static inline bool daemon_repairs(const struct daemon *d)
{
	return d->host->policy.on_drift != ON_DRIFT_REPORT;
}

/* daemon.c */
int daemon_run(const struct cli *cli);
void daemon_schedule(struct daemon *d, uint64_t in_us);
void daemon_tell_watchdog(const struct daemon *d);
void daemon_part(struct daemon *d, enum daemon_part *part, int error, const char *name);
void daemon_loaded(struct daemon *d);

/* daemon-policy.c */
int daemon_load(struct daemon *d, char *ret_why, size_t size);
void daemon_unload(struct daemon *d);
int daemon_reload(struct daemon *d, char *ret_why, size_t size);
int daemon_on_control(sd_event_source *s, int fd, uint32_t revents, void *data);

/* daemon-cycle.c */
int daemon_cycle(struct daemon *d);
void daemon_publish(struct daemon *d);

/* daemon-steady.c */
void daemon_settle(struct daemon *d, bool eventful);
bool daemon_is_settled(struct daemon *d);

/* daemon-drift.c */
int daemon_drift_begin(struct daemon *d);
void daemon_drift_retry(struct daemon *d);
void daemon_watch_settings(struct daemon *d);
void daemon_drift_end(struct daemon *d);

/* daemon-starts.c */
int daemon_starts_begin(struct daemon *d);
void daemon_starts_check(struct daemon *d);
void daemon_renew_dropins(struct daemon *d);
void daemon_look_again(struct daemon *d);
int daemon_record_starts(struct daemon *d);
void daemon_starts_end(struct daemon *d);

/* daemon-ready.c */
void daemon_ready(struct daemon *d);
int daemon_ready_begin(struct daemon *d);

/* daemon-reclaim.c */
int daemon_give_back(struct daemon *d);
void daemon_reclaim_free(struct daemon *d);

#endif
