/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_STEADY_H
#define THPD_SYS_STEADY_H

#include "sys/units.h"

/* More descriptors than this are not kept: each has a page of the kernel's behind it. */
#define STEADY_MAX 6144U

struct steady_group {
	int dir, procs; /* its directory, and its list of processes */
	uint64_t links; /* of the directory: sub-groups are counted there */
	uint64_t pids;	/* what the list said, as a hash */
};

/* Units whose processes all are as they should be, and what tells that this is still so. */
struct steady {
	struct arena arena;
	uint64_t units; /* the units of the host, as a hash */
	ARRAY(struct steady_group) groups;
	ARRAY(int) procs; /* the status of each process */
};

/* As proc_read() tells. */
struct steady_proc {
	int32_t pid;
	uint64_t start;
	bool disabled; /* has THP disabled, and is to keep that; else it is only to be there */
};

bool steady_fits(size_t n);
void steady_begin(struct steady *s, const struct unit_tree *t);
int steady_add(struct steady *s, const struct root *root, const struct unit_tree *t, uint32_t unit,
	       const struct steady_proc *procs, size_t n);
bool steady_holds(const struct steady *s, const struct root *root);
void steady_forget(struct steady *s);

#endif
