/* SPDX-License-Identifier: MIT */
/* What the files of the log share; nobody else includes it. */
#ifndef THPD_APP_LOG_ENTRY_H
#define THPD_APP_LOG_ENTRY_H

#include "app/log.h"

#define FIELDS_MAX 16U

enum event {
	EVENT_STARTED,
	EVENT_STOPPED,
	EVENT_POLICY_LOADED,
	EVENT_UNITS_RELOADED,
	EVENT_RELOAD_REFUSED,
	EVENT_SETTING_REPAIRED,
	EVENT_SETTING_DRIFTED,
	EVENT_SETTING_FAILED,
	EVENT_FIGHT_BEGINS,
	EVENT_FIGHT_OVER,
	EVENT_PROCESS_SET,
	EVENT_PROCESS_DRIFTED,
	EVENT_START_ESCAPED,
	EVENT_HELPER_LOST,
	EVENT_HELPER_BACK,
	EVENT_BUS_LOST,
	EVENT_BUS_BACK,
	EVENT_GATE_UNUSABLE,
	EVENT_READY_EARLY,
	EVENT_CYCLE_FAILURES,
	EVENT_CYCLE_IN_ORDER,
	EVENT_UNPUBLISHED,
	EVENT_RECLAIMED,
	EVENT_TROUBLE,
	EVENTS,
};

/* An entry in the making. Memory that is short costs fields, or the entry: never the daemon. */
struct entry {
	struct arena arena;
	struct iovec fields[FIELDS_MAX];
	size_t n;
};

void entry_add(struct entry *e, const char *name, const char *value);
void entry_number(struct entry *e, const char *name, uint64_t value);
void log_tell(struct log *l, struct entry *e, enum event event, const char *subject,
	      const char *message);

#endif
