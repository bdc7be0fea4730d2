/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_SELF_H
#define THPD_SYS_SELF_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* The file of the program that runs. */
struct self {
	char path[PATH_MAX]; /* "": not known */
	dev_t dev;
	ino_t ino;
};

int self_find(struct self *ret);
bool self_is_replaced(const struct self *self);

#endif
