/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_ACTIVATE_H
#define THPD_APP_ACTIVATE_H

#include <sys/types.h>

/*
 * A helper program and the socket that it is reached by, where no service manager looks after it.
 */
struct activated {
	const char *program; /* its path */
	const char *socket;
	int fd; /* the listening socket, or -1 */
	pid_t pid;
};

int activate_listen(struct activated *a, const char *program, const char *path);
int activate_run(struct activated *a);
void activate_end(struct activated *a);

#endif
