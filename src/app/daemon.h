/* SPDX-License-Identifier: MIT */
/* The daemon: one loop, and what it keeps. Private to src/app/daemon*.c. */
#ifndef THPD_APP_DAEMON_H
#define THPD_APP_DAEMON_H

#include <systemd/sd-event.h>
#include <time.h>

#include "app/drift.h"
#include "app/helper-client.h"
#include "app/host.h"
#include "model/daemon.h"

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
	unsigned int looks; /* since the last unit that came up */
	int lock;	    /* there is one daemon */
	int control;	    /* where a reload is asked for */
	struct drift *drift;
	struct reclaim_queue reclaim;
	char reload_error[512];
};

static inline uint64_t now_us(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000U + (uint64_t)ts.tv_nsec / 1000U;
}

static inline bool daemon_repairs(const struct daemon *d)
{
	return d->host->policy.on_drift != ON_DRIFT_REPORT;
}

/* daemon.c */
int daemon_run(const struct cli *cli);
void daemon_schedule(struct daemon *d, uint64_t in_us);
uint64_t daemon_interval(const struct daemon *d);
void daemon_tell_watchdog(const struct daemon *d);

/* daemon-policy.c */
int daemon_load(struct daemon *d, char *ret_why, size_t size);
void daemon_unload(struct daemon *d);
int daemon_reload(struct daemon *d, char *ret_why, size_t size);
int daemon_on_control(sd_event_source *s, int fd, uint32_t revents, void *data);

/* daemon-cycle.c */
int daemon_cycle(struct daemon *d);
void daemon_publish(struct daemon *d);

/* daemon-watch.c */
int daemon_watch(struct daemon *d);
void daemon_unwatch(struct daemon *d);

/* daemon-reclaim.c */
int daemon_give_back(struct daemon *d);
void daemon_reclaim_free(struct daemon *d);

/* daemon-log.c */
void daemon_log_loaded(struct daemon *d);
void daemon_log_refused(struct daemon *d, const char *why);
void daemon_log_cycle(struct daemon *d, int error);
void daemon_log_published(struct daemon *d, int error);
void daemon_log_helper(struct daemon *d, int error);
void daemon_log_reclaimed(struct daemon *d, const struct reclaim_item *it, int error,
			  const struct reclaim_result *m);

#endif
