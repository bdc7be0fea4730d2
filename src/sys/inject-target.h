/* SPDX-License-Identifier: MIT */
/* What is found out about a process before it is touched; private to the injector. */
#ifndef THPD_SYS_INJECT_TARGET_H
#define THPD_SYS_INJECT_TARGET_H

#include <dirent.h>

#include "sys/inject-arch.h"

/* Where the ELF header of a vdso tells its length: no other image has the same there. */
#define VDSO_MARK 0x28

struct target {
	int dir;   /* its directory in /proc, locked against other tracers of ours */
	int calls; /* of the chosen thread: the call that it is in */
	int status;
	int32_t pid;
	int32_t tid; /* the thread to borrow */
	int32_t ppid;
	uint64_t start; /* of the process, in clock ticks after boot */
	uint32_t threads;
	int32_t cpu; /* where its first thread ran last */
	bool compat;
	char state;
	bool seccomp;	      /* that thread is filtered, or strict */
	int thp_enabled;      /* as in status; negative where the kernel does not say */
	enum call_class call; /* what that thread is in */
	uint64_t headers;     /* the program's, of a 64-bit process */
	uint64_t vdso;
	long mark;     /* what stands in the vdso at VDSO_MARK */
	uint64_t tail; /* the zero bytes at the end of the vdso */
	uint64_t tail_end;
};

#define TARGET_NONE                                  \
	{                                            \
		.dir = -1, .calls = -1, .status = -1 \
	}

int target_look(int32_t pid, uint64_t start, struct target *ret);
void target_close(struct target *t);
int target_choose(struct target *t);
int target_slot(const struct target *t, uint64_t *ret);
int target_text_slot(const struct target *t, uint64_t pc, uint64_t *ret);
int target_call(const struct target *t, struct in_call *ret);
int target_open(const struct target *t, int32_t tid, const char *name, int flags);
ssize_t target_read(const struct target *t, int32_t tid, const char *name, char *buf, size_t size);
DIR *target_threads(const struct target *t);
int target_find_tail(struct target *t);
int target_status(const struct target *t, const char *field);
bool target_is_bad(const struct target *t);
bool target_in_call(const struct target *t, uint64_t pc);

#endif
