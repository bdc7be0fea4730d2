/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_UNITFILES_H
#define THPD_SYS_UNITFILES_H

#include "sys/root.h"

/* A unit of a type that has MemoryTHP=, as far as the names of files tell. */
struct unit_file {
	const char *name;
	const char *alias_of; /* the unit that is meant by this name; NULL: itself */
	bool masked;
	bool own_slice; /* a file of it has Slice=: it may be in another than the default one */
};

struct unit_files {
	struct arena arena;
	ARRAY(struct unit_file) list;
};

int unit_files_read(const struct root *root, bool slices, struct unit_files *ret);
void unit_files_free(struct unit_files *u);
int systemd_version(const struct root *root);

#define _cleanup_unit_files_ _cleanup_(unit_files_free)

#endif
