/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_PROGRESS_H
#define THPD_APP_PROGRESS_H

#include "engine/reclaim.h"

/* A line on a terminal that is rewritten while long work goes on. */
struct progress {
	bool shown; /* standard error is a terminal, and is to be written on */
	const char *what;
	uint64_t last_ms;
	bool dirty; /* the line is there */
};

extern volatile sig_atomic_t progress_stop;

void progress_catch(void);
void progress_show(const struct reclaim_progress *p, void *data);
void progress_clear(struct progress *p);

#endif
