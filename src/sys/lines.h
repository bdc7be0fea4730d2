/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_LINES_H
#define THPD_SYS_LINES_H

#include "sys/root.h"

/* A file that is read line by line, no further than asked. */
struct lines {
	int fd;
	size_t begin, end;
	bool cut; /* what comes next is the rest of a line that was too long */
	char buf[4096];
};

int lines_open(const struct root *root, int dirfd, const char *path, struct lines *ret);
void lines_close(struct lines *l);
int lines_next(struct lines *l, char **ret);
bool line_number(const char *line, const char *key, int64_t *ret);

#define _cleanup_lines_ _cleanup_(lines_close)

#endif
