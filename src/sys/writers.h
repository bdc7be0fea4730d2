/* SPDX-License-Identifier: MIT */
/* Says who writes files below transparent_hugepage. Nobody is held up by it. */
#ifndef THPD_SYS_WRITERS_H
#define THPD_SYS_WRITERS_H

#include "sys/root.h"

/* Somebody who has written. Plain data: it may cross a socket. Text that is not known is empty. */
struct writer {
	uint32_t key; /* index in the list of writers_set() */
	int32_t pid;
	uint64_t time_ns; /* CLOCK_MONOTONIC, when it was told */
	char comm[16];
	char exe[256]; /* as the process's own mount namespace names it */
	char unit[256];
};

struct writers_file;

struct writers {
	int fd; /* to be polled for reading, for as long as writers_timeout() says */
	struct root root;
	int dirfd; /* of knob_open(); the caller's */
	struct writers_file *files;
	size_t n;
	const int32_t *ignore; /* processes that are not told; the caller's, may change */
	size_t n_ignore;
};

int writers_open(const struct root *root, int dirfd, struct writers *ret);
int writers_set(struct writers *w, const char *const *keys, size_t n);
int writers_next(struct writers *w, struct writer *ret);
int writers_timeout(const struct writers *w);
void writers_close(struct writers *w);

#endif
