/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_STARTS_CLIENT_H
#define THPD_APP_STARTS_CLIENT_H

#include "app/starts-wire.h"
#include "base/arena.h"
#include "sys/execwatch.h"

/* thpd's end of the line to thpd-starts. */
struct starts_client {
	int fd;		    /* non-blocking; -1: not connected */
	struct arena arena; /* of what is to be sent */
	ARRAY(struct starts_entry) entries;
	size_t sent; /* messages of the table: its beginning, entries, and commit */
	bool sending;
};

#define STARTS_CLIENT_NONE \
	{                  \
		.fd = -1,  \
	}

union starts_message {
	struct starts_head head;
	struct starts_event event;
	struct starts_refused refused;
	struct starts_state state;
};

int starts_client_connect(struct starts_client *c, const char *path);
void starts_client_take(struct starts_client *c, int fd);
void starts_client_close(struct starts_client *c);
void starts_client_begin(struct starts_client *c);
int starts_client_add(struct starts_client *c, const char *path, const char *unit, int32_t flag,
		      enum exec_mode mode);
int starts_client_send(struct starts_client *c);
int starts_client_read(struct starts_client *c, union starts_message *ret);

#endif
