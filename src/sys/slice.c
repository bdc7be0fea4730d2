/* SPDX-License-Identifier: MIT */
#include "sys/slice.h"

#include <errno.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The least that the kernel takes: __setparam_fair(), kernel/sched/fair.c */
#define SLICE_NS 100000

/**
 * slice_shorten() - has the calling thread run in short slices, and so at once when it is woken
 *
 * Whoever has begun a slice is let finish it, 3 ms as a rule, even if the one that is woken has run
 * less; but not before one whose slice is shorter (do_preempt_short(), kernel/sched/fair.c, Linux
 * 6.12). It takes no privilege and no larger share of the processor. Threads and processes that are
 * made from then on have it, too. Older kernels take the request and do as they did.
 *
 * Return: 0; negative errno, as -EPERM where a filter forbids it.
 */
int slice_shorten(void)
{
	struct sched_attr attr = { .size = sizeof(attr) };

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) < 0)
		return -errno;
	attr.sched_runtime = SLICE_NS;
	return syscall(SYS_sched_setattr, 0, &attr, 0) < 0 ? -errno : 0;
}
