/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_RELOAD_H
#define THPD_APP_RELOAD_H

#include "base/util.h"
#include "sys/paths.h"

#define RELOAD_SOCKET PATH_STATE "/control.sock"

/* What the daemon answers to who asks for a reload. */
struct reload_answer {
	int32_t status;	 /* as thpd --reload exits: EXIT_GOOD, or EXIT_NOT_ALL when it is refused */
	char text[2048]; /* why it is refused; cut where it is longer */
};

int reload_ask(void);
int reload_listen(void);
int reload_accept(int listening);
void reload_tell(int fd, int status, const char *text);

#endif
