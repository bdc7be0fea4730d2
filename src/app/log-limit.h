/* SPDX-License-Identifier: MIT */
/* How often the log may say what: plain data of a fixed size. Zero-initialise to start. */
#ifndef THPD_APP_LOG_LIMIT_H
#define THPD_APP_LOG_LIMIT_H

#include "base/util.h"

#define LIMIT_US UINT64_C(60000000)
#define LIMIT_SLOTS 128U
#define LIMIT_EVENTS 32U
#define LIMIT_SUBJECT 128U

/* An event of one setting or unit. */
struct limit_slot {
	uint64_t until_us; /* not told before; 0: the slot is free */
	uint32_t event;
	uint32_t left_out;
	char subject[LIMIT_SUBJECT]; /* cut where it is longer */
};

/* An event whatever it is about. */
struct limit_event {
	uint64_t since_us; /* when the present minute began */
	uint32_t told;
	uint32_t left_out;
};

struct log_limit {
	struct limit_slot slots[LIMIT_SLOTS];
	struct limit_event events[LIMIT_EVENTS];
};

bool limit_pass(struct log_limit *l, uint32_t event, const char *subject, uint32_t burst,
		uint64_t now_us, uint32_t *ret_left_out);
uint32_t limit_left_out(struct log_limit *l, uint32_t event, uint64_t now_us);

#endif
