/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_STARTS_TABLE_H
#define THPD_APP_STARTS_TABLE_H

#include "base/arena.h"
#include "sys/execwatch.h"
#include "sys/pathwatch.h"

/* A program of a unit. */
struct starts_prog {
	const char *path;
	const char *unit; /* "": any */
	int32_t flag;
	enum exec_mode wanted;
	enum exec_mode mode; /* as it is marked; EXEC_MODES: it is not */
	int why;	     /* enum exec_refusal, or negative errno: why `mode` is not as wanted */
	struct exec_file file;
};

/* Does not change once it is in use. Freed with starts_table_free(). */
struct starts_table {
	struct arena arena;
	ARRAY(struct starts_prog) progs;
	const struct starts_prog **sorted; /* those that are marked, by file and unit */
	size_t n_sorted;
};

struct starts_table *starts_table_new(void);
struct starts_table *starts_table_copy(const struct starts_table *t);
void starts_table_free(struct starts_table *t);
struct starts_prog *starts_table_add(struct starts_table *t, const char *path, const char *unit);
int starts_table_arm(struct starts_table *t, const int *groups, struct path_watch *w);
int starts_table_sort(struct starts_table *t);
const struct starts_prog *starts_table_find(const struct starts_table *t,
					    const struct exec_file *file, const char *unit);
void starts_table_disarm(const struct starts_table *old, const struct starts_table *now,
			 const int *groups);

#endif
