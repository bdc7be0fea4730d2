/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_STARTS_CONTROL_H
#define THPD_APP_STARTS_CONTROL_H

#include "app/starts.h"
#include "sys/self.h"

/* The thread that talks, makes threads, and sets marks. Nobody waits for it. */
struct control {
	struct starts *starts;
	int listener;		   /* or -1 */
	int client;		   /* or -1 */
	struct path_watch watch;   /* of the table in use */
	struct starts_table *next; /* what is being sent */
	bool gives_way;	  /* somebody else has the socket, too, and starts programs for it */
	struct self self; /* our own program */
	uint64_t told;	  /* of what should be told at once: how much was */
};

int starts_control_run(struct control *c);

#endif
