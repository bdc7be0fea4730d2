/* SPDX-License-Identifier: MIT */
/*
 * The daemon's log: a function for each kind of event. An event has a MESSAGE_ID, which
 * catalog/thpd.catalog explains (`journalctl -x`), and fields: THP_KEY, THP_WANTED, THP_FOUND,
 * THP_UNIT, THP_OUTCOME, THP_COUNT; of a process THP_PID, THP_COMM, THP_EXE; of who wrote a setting
 * THP_BY_UNIT, too.
 *
 * The same event of the same setting or unit is told once in a minute, and the next one says how
 * many were left out; of all settings or units together, so many as the table in log.c says. For
 * one thread.
 */
#ifndef THPD_APP_LOG_H
#define THPD_APP_LOG_H

#include <sys/uio.h>

#include "app/log-limit.h"
#include "model/report.h"

/* Each is explained in the catalog; a test compares the two. Made by `systemd-id128 new`. */
#define MSG_STARTED "40109d1c05794ada9d4a68cb670a4071"
#define MSG_STOPPED "cf3c422c39424d2ab266864e5e180cac"
#define MSG_POLICY_LOADED "d0123ec55124438e9ba7701133176fd7"
#define MSG_UNITS_RELOADED "0eebf1ce071844f3a9a83a66d95cd2a9"
#define MSG_RELOAD_REFUSED "c7117a4fd6a44e70b76ecc6066a29fa4"
#define MSG_SETTING_REPAIRED "48e55579005347d1aba7abf05d1f5fc0"
#define MSG_SETTING_DRIFTED "3d80f09e39574c41bb78913d739e98b4"
#define MSG_SETTING_FAILED "03ace2e593184da3b71a0cdc11a006d8"
#define MSG_FIGHT_BEGINS "26da1b4c54b849a0b738194012813fe7"
#define MSG_FIGHT_OVER "29876535b8c94d858e9a28af121e8f7a"
#define MSG_PROCESS_SET "9d9676edefb84248b057d6bc6f370788"
#define MSG_PROCESS_DRIFTED "89e5a47f79bb43bf96bb0b7c259c4a12"
#define MSG_START_ESCAPED "c2315cc365ef4bea86cc9acca0274b42"
#define MSG_HELPER_LOST "163f22b55d6a4120bc7937dd9d4cc061"
#define MSG_HELPER_BACK "faccbc2e3d0c4a8dbd227b8604019260"
#define MSG_BUS_LOST "16e0c69adfb1445d8fda4b3422a39fcf"
#define MSG_BUS_BACK "f40a3790d8ee41bbb066b2d4b2b7384b"
#define MSG_GATE_UNUSABLE "5fe0b66bcbc24829847d179a8b0effbd"
#define MSG_READY_EARLY "cf99cc25ac344c20817197827d6dd710"
#define MSG_CYCLE_FAILURES "515e80e0aca844e6a8f11277599b9bc5"
#define MSG_CYCLE_IN_ORDER "90eb3e2fdbe3452693d27999fcca3d62"
#define MSG_UNPUBLISHED "993a615691004af9be0f088e3d6e81a5"
#define MSG_RECLAIMED "980dd3c0d65f412ab2c9e6227c8ae13c"
#define MSG_TROUBLE "9bbebf08b46c42f6957b5fd47142a455"

/* Gets the fields of one entry, each as NAME=value; MESSAGE and PRIORITY are among them. */
typedef void (*log_sink)(const struct iovec *fields, size_t n, void *data);

struct log {
	log_sink sink;
	void *data;		 /* for the sink */
	uint64_t (*clock)(void); /* microseconds of a clock that only goes forward */
	bool verbose;		 /* log_note() is heard */
	struct log_limit limit;
	uint64_t failures; /* what the last cycle had, as a hash; 0: nothing */
};

/* Who wrote a setting, as far as it is known; pid 0 when it is not. Text may be NULL or empty. */
struct log_writer {
	int32_t pid;
	const char *comm, *exe, *unit;
};

/* A setting that was found wrong. */
struct log_drift {
	const char *key, *wanted, *found;
	enum outcome outcome; /* CHANGED: repaired; DRIFTED: only reported; else it could not be */
	const char *note;     /* why it could not be, or NULL */
	struct log_writer by;
};

void log_open(struct log *l, bool verbose);
void log_stderr(const struct iovec *fields, size_t n, void *data);
void log_journal(const struct iovec *fields, size_t n, void *data);
void log_tick(struct log *l);
void log_note(struct log *l, const char *fmt, ...) _printf_(2, 3);
void log_trouble(struct log *l, int error, const char *what);

void log_started(struct log *l, const char *limits);
void log_stopped(struct log *l);
void log_policy_loaded(struct log *l, const struct policy *p, const struct plan *plan);
void log_units_reloaded(struct log *l, unsigned int stale, const char *path);
void log_reload_refused(struct log *l, const char *why);
void log_setting(struct log *l, const struct log_drift *d);
void log_fight_begins(struct log *l, const char *key, uint32_t repairs, uint32_t pause_ms,
		      const struct log_writer *by);
void log_fight_over(struct log *l, const char *key);
void log_process_set(struct log *l, const struct plan *plan, const struct plan_proc *p);
void log_process_drifted(struct log *l, const struct plan *plan, const struct plan_proc *p);
void log_start_escaped(struct log *l, const struct plan *plan, const struct plan_proc *p);
void log_helper_lost(struct log *l, const char *helper, int error);
void log_helper_back(struct log *l, const char *helper);
void log_bus_lost(struct log *l, int error);
void log_bus_back(struct log *l);
void log_gate_unusable(struct log *l, const char *why);
void log_ready_early(struct log *l, const char *why);
void log_reclaimed(struct log *l, const char *unit, int32_t pid, const char *comm, int64_t given_kb,
		   int error);
void log_cycle(struct log *l, const struct plan *plan);
void log_unpublished(struct log *l, const char *path, int error);

#endif
