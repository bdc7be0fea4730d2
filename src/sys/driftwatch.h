/* SPDX-License-Identifier: MIT */
/* Says when files below transparent_hugepage are written, by anyone. */
#ifndef THPD_SYS_DRIFTWATCH_H
#define THPD_SYS_DRIFTWATCH_H

#include <sys/inotify.h>

#include "sys/root.h"

#define DRIFTWATCH_ANY SIZE_MAX /* events were lost: it may be any of the files */

struct driftwatch {
	int fd;	  /* to be polled for reading */
	int *wds; /* of each key; negative: it is not watched */
	size_t n;
	size_t at, end; /* what has been read and not been told */
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
};

int driftwatch_open(struct driftwatch *ret);
int driftwatch_set(struct driftwatch *w, const struct root *root, int dirfd,
		   const char *const *keys, size_t n, size_t *ret_absent);
int driftwatch_add(struct driftwatch *w, const struct root *root, int dirfd, size_t index,
		   const char *key);
void driftwatch_drop(struct driftwatch *w, size_t index);
int driftwatch_next(struct driftwatch *w, size_t *ret_index);
void driftwatch_close(struct driftwatch *w);

#endif
