/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_PROC_H
#define THPD_SYS_PROC_H

#include "sys/root.h"

/* What /proc/PID says of a process: of `stat` and `status`. */
struct proc {
	int32_t pid;
	int32_t ppid;
	uint64_t start; /* clock ticks after boot; with pid, what names a process */
	uint32_t uid;	/* effective */
	uint32_t threads;
	int32_t tracer;	 /* pid of who traces it, or 0 */
	int32_t cpu;	 /* where it ran last */
	int thp_enabled; /* 1; 0 after PR_SET_THP_DISABLE; -1 where the kernel does not say */
	char state;	 /* R S D T t Z X I */
	bool seccomp;	 /* strict or filtered */
	bool kernel;	 /* a kernel thread */
	char comm[64];	 /* as the kernel cuts it (15 bytes, kernel threads more) */
	int64_t rss_kb, anon_kb, swap_kb; /* VmRSS, RssAnon, VmSwap; -1 where there is none */
};

/* Of smaps_rollup: what a process has mapped, in kB. */
struct proc_memory {
	int64_t rss_kb, pss_kb, anon_huge_kb, shmem_huge_kb, file_huge_kb;
};

int proc_read(const struct root *root, int32_t pid, struct proc *ret);
int proc_exe(const struct root *root, int32_t pid, struct arena *a, const char **ret);
int proc_memory(const struct root *root, int32_t pid, struct proc_memory *ret);
int proc_thp_eligible(const struct root *root, int32_t pid, uint64_t pmd_bytes);
int proc_user(const struct root *root, uint32_t uid, struct arena *a, const char **ret);

#endif
