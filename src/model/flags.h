/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_FLAGS_H
#define THPD_MODEL_FLAGS_H

#include "base/arena.h"

/* A process whose flag thpd has set. */
struct flag_record {
	int32_t pid;
	uint64_t start;
	const char *unit;
	int set; /* what thpd set */
	int was; /* what it had before; -1: not known yet */
};

/* All of this boot that still run. */
struct flag_records {
	struct arena arena;
	ARRAY(struct flag_record) list;
	size_t sorted; /* by process, as many of the list: those that were read */
};

struct flag_record *flags_find(const struct flag_records *f, int32_t pid, uint64_t start);
int flags_add(struct flag_records *f, int32_t pid, uint64_t start, const char *unit, int set,
	      int was);
int flags_parse(const char *text, size_t len, struct flag_records *ret);
int flags_format(const struct flag_records *f, char **ret);
void flags_free(struct flag_records *f);

#define _cleanup_flags_ _cleanup_(flags_free)

#endif
