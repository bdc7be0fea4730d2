/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_UNITWATCH_H
#define THPD_SYS_UNITWATCH_H

#include "sys/root.h"

/*
 * Says which units come to life, by their groups in the cgroup tree: also scopes, as those of
 * containers, of whose programs the service manager knows nothing.
 */
struct unitwatch;

/* @path is that of its group, below unitwatch_base(). */
typedef void (*unitwatch_fn)(const char *name, const char *path, void *data);

int unitwatch_open(const struct root *root, const char *const *patterns, size_t n,
		   const char *const *skip, struct unitwatch **ret);
int unitwatch_fd(const struct unitwatch *w);
const char *unitwatch_base(const struct unitwatch *w);
int unitwatch_read(struct unitwatch *w, unitwatch_fn fn, void *data);
void unitwatch_close(struct unitwatch *w);

static inline void unitwatch_closep(struct unitwatch **w)
{
	unitwatch_close(*w);
}

#define _cleanup_unitwatch_ _cleanup_(unitwatch_closep)

#endif
