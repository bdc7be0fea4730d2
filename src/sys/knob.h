/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_KNOB_H
#define THPD_SYS_KNOB_H

#include "sys/root.h"

#define KNOB_TEXT_MAX 256U

/* What a file below transparent_hugepage says. */
struct knob {
	char value[KNOB_TEXT_MAX]; /* the selected word, or the number */
	char words[KNOB_TEXT_MAX]; /* the words on offer, a blank between; "" for a number */
};

int knob_open(const struct root *root);
int knob_read(const struct root *root, int dirfd, const char *key, struct knob *ret);
int knob_write(const struct root *root, int dirfd, const char *key, const char *value);
int knob_parse(const char *text, struct knob *ret);

#endif
