/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_PATHWATCH_H
#define THPD_SYS_PATHWATCH_H

#include "base/arena.h"

/* Tells when another file may be found at one of many paths. Begin with PATH_WATCH_NONE. */
struct path_watch {
	int fd; /* readable when there is something to be read */
	struct arena arena;
	ARRAY(struct path_name) names;
};

#define PATH_WATCH_NONE   \
	{                 \
		.fd = -1, \
	}

int path_watch_open(struct path_watch *ret);
int path_watch_add(struct path_watch *w, const char *path);
bool path_watch_read(struct path_watch *w);
void path_watch_close(struct path_watch *w);

#endif
