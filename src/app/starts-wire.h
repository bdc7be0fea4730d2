/* SPDX-License-Identifier: MIT */
/*
 * What thpd and thpd-starts say to each other: one of these a message, over SOCK_SEQPACKET. Who
 * gets another version than his own reads nothing but that; thpd-starts gives way then.
 */
#ifndef THPD_APP_STARTS_WIRE_H
#define THPD_APP_STARTS_WIRE_H

#include <stdint.h>

#define STARTS_WIRE_VERSION 1U
#define STARTS_UNIT_SIZE 256
#define STARTS_PATH_SIZE 1024
#define STARTS_WORD_SIZE 32
#define STARTS_ENTRIES_MAX 8192U

enum starts_type {
	/* From thpd. A table holds from its commit, or not at all. */
	STARTS_BEGIN = 1, /* struct starts_head */
	STARTS_ENTRY,	  /* struct starts_entry */
	STARTS_COMMIT,	  /* struct starts_head; answered by STARTS_REFUSED and STARTS_STATE */
	/* From thpd-starts. */
	STARTS_EVENT,	/* struct starts_event */
	STARTS_REFUSED, /* struct starts_refused, for each entry that is not as wanted */
	STARTS_STATE,	/* struct starts_state: to a new client, and when anything has changed */
};

struct starts_head {
	uint32_t version;
	uint32_t type;
};

struct starts_entry {
	struct starts_head head;
	int32_t flag;		     /* enum thp_flag */
	int32_t mode;		     /* enum exec_mode */
	char unit[STARTS_UNIT_SIZE]; /* its exact name, as the cgroup's */
	char path[STARTS_PATH_SIZE]; /* absolute, as seen from here */
};

/* A start that was caught, or was to be. */
struct starts_event {
	struct starts_head head;
	int32_t pid; /* 0 when the process was not seen */
	int32_t flag;
	int32_t mode;	     /* of the entry as it was armed */
	int32_t result;	     /* enum inject_result, or negative errno */
	int32_t error;	     /* behind the result */
	int32_t before, now; /* the flag found, and read back; -1: not known */
	int32_t late;	     /* it ran already when it was reached */
	uint64_t start;
	uint64_t took_ns;   /* from the event to the flag */
	uint64_t held_ns;   /* kept behind its exec */
	uint64_t waited_ns; /* gate: from the event to the answer */
	char unit[STARTS_UNIT_SIZE];
};

struct starts_refused {
	struct starts_head head;
	uint32_t entry; /* the how many-eth of the table, from 0 */
	int32_t wanted; /* enum exec_mode */
	int32_t got;	/* the same; EXEC_MODES: none */
	char why[STARTS_WORD_SIZE];
};

/* enum starts_state.gate */
enum starts_gate {
	STARTS_GATE_OK,
	STARTS_GATE_KERNEL, /* no permission events */
	STARTS_GATE_TRACE,  /* our own program was not reached */
	STARTS_GATE_FLAG,   /* it was, and had no flag at its beginning */
};

/* What protects the helper, and could not be had. */
enum starts_guard {
	STARTS_NO_MEMORY_LOCK = 1,
	STARTS_NO_PRIORITY = 2,
	STARTS_NO_OOM_SCORE = 4,
};

struct starts_state {
	struct starts_head head;
	int32_t gate;	   /* enum starts_gate */
	int32_t unguarded; /* enum starts_guard, what could not be had */
	uint32_t entries, watched, gated, refused;
	/* Since it was started. */
	uint64_t events; /* execs of marked programs */
	uint64_t caught, failed, late;
	uint64_t missed;     /* more starts at a time than can be caught */
	uint64_t overdue;    /* gate: answered before the process was seized */
	uint64_t overflows;  /* of the kernel's queue */
	uint64_t unreported; /* nobody was there to be told */
};

#endif
