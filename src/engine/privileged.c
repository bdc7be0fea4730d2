/* SPDX-License-Identifier: MIT */
#include "engine/privileged.h"

#include "sys/proc.h"

static int self_inject(void *data, const struct inject_request *requests, size_t n,
		       struct inject_answer *ret)
{
	return inject(requests, n, ret);
}

static int self_exe(void *data, const struct root *root, int32_t pid, struct arena *a,
		    const char **ret)
{
	return proc_exe(root, pid, a, ret);
}

static int self_reclaim(void *data, const struct root *root, int32_t pid, uint64_t start,
			const struct reclaim_options *options, struct reclaim_result *ret)
{
	return reclaim_process(root, pid, start, options, ret);
}

/* This process does it itself. */
const struct privileged privileged_self = {
	.inject = self_inject,
	.exe = self_exe,
	.reclaim = self_reclaim,
};
