/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_UNITS_H
#define THPD_SYS_UNITS_H

#include "sys/root.h"

#define UNIT_NO_PARENT UINT32_MAX
#define UNIT_NAME_SIZE 256 /* as systemd limits names, with the terminating byte */

enum cgroup_layout { CGROUP_UNIFIED, CGROUP_HYBRID, CGROUP_LEGACY };

/* A unit of the system's service manager, as its cgroup shows it. */
struct unit {
	const char *name; /* "redis-server.service", unescaped */
	const char
		*path; /* of its cgroup, below the hierarchy: "system.slice/redis-server.service" */
	uint32_t parent; /* index of the slice that it is in, or UNIT_NO_PARENT */
};

struct unit_tree {
	struct arena arena;
	enum cgroup_layout layout;
	const char *base;   /* of the hierarchy that systemd keeps units in */
	const char *memory; /* of the hierarchy that charges memory; NULL: none */
	ARRAY(struct unit) units;
};

typedef ARRAY(int32_t) pidlist;

/* What a unit is charged with, in kB; -1: not known. */
struct unit_memory {
	int64_t current_kb;
	int64_t anon_kb, file_kb, kernel_kb;
	int64_t hidden_kb; /* charged, but mapped by nobody and no cache: huge pages in part */
};

int units_read(const struct root *root, struct unit_tree *ret);
void units_free(struct unit_tree *t);
bool unit_exists(const struct root *root, const char *name);
int unit_walk(const struct root *root, const struct unit_tree *t, uint32_t unit,
	      int (*visit)(void *data, int dirfd), void *data);
int unit_pids(const struct root *root, const struct unit_tree *t, uint32_t unit, struct arena *a,
	      pidlist *ret);
int unit_memory(const struct root *root, const struct unit_tree *t, uint32_t unit,
		struct unit_memory *ret);
int unit_of_at(const struct root *root, int dirfd, char *ret, size_t size);
const char *unit_of_group(const char *dir);
int unit_name_of(const struct root *root, int32_t pid, char *buf, size_t size);
int unit_of(const struct root *root, int32_t pid, struct arena *a, const char **ret);

#define _cleanup_units_ _cleanup_(units_free)

#endif
