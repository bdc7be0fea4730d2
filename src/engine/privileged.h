/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_PRIVILEGED_H
#define THPD_ENGINE_PRIVILEGED_H

#include "engine/reclaim.h"
#include "sys/inject.h"
#include "sys/root.h"

/*
 * What is done to running processes, and takes more rights than all the rest: by this process
 * itself, or by one at the other end of a socket. Each returns as the function of its name does:
 * inject(), proc_exe(), reclaim_process().
 */
struct privileged {
	int (*inject)(void *data, const struct inject_request *requests, size_t n,
		      struct inject_answer *ret);
	int (*exe)(void *data, const struct root *root, int32_t pid, struct arena *a,
		   const char **ret);
	int (*reclaim)(void *data, const struct root *root, int32_t pid, uint64_t start,
		       const struct reclaim_options *options, struct reclaim_result *ret);
	void *data;
};

extern const struct privileged privileged_self;

#endif
