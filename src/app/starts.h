/* SPDX-License-Identifier: MIT */
/* What the threads of thpd-starts share. */
#ifndef THPD_APP_STARTS_H
#define THPD_APP_STARTS_H

#include "app/starts-table.h"
#include "app/starts-wire.h"
#include "base/clock.h"
#include "sys/inject-catch.h"

#include <semaphore.h>

#define STARTS_SLOTS 64U
#define STARTS_READY 16U /* threads that wait for a start */
#define STARTS_NS_PER_MS UINT64_C(1000000)

enum slot_state {
	SLOT_EMPTY, /* no thread */
	SLOT_STARTING,
	SLOT_READY, /* its thread waits */
	SLOT_GIVEN, /* has something to do */
	SLOT_ENDED, /* to be joined */
};

struct starts;

/* A thread, for one start only: its end is what lets the process go. */
struct slot {
	struct starts *starts;
	int32_t state; /* enum slot_state */
	pthread_t thread;
	sem_t go;
	struct inject_catch job;
	enum exec_mode mode;
	int32_t file;	  /* gate: names the event, closed by who reads the events; -1: none */
	int32_t answered; /* whoever sets it answers */
	uint64_t began;	  /* when the event was read */
	uint64_t answered_ns;
	char unit[STARTS_UNIT_SIZE];
};

struct starts {
	int groups[EXEC_MODES]; /* of exec_watch_open(), or negative */
	int wake;		/* eventfd: a slot has ended */
	struct starts_table *table;
	uint32_t epoch; /* odd while events are looked at */
	timer_t dead_man;
	uint64_t bound_ns; /* how long an exec may wait for us */
	struct slot slots[STARTS_SLOTS];
	struct starts_state state;
};

#define starts_count(counter) ((void)__atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED))

#endif
