/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_INJECT_CATCH_H
#define THPD_SYS_INJECT_CATCH_H

#include "sys/inject.h"

#include <pthread.h>
#include <stdbool.h>

/* One start of a program, caught by one thread. */
struct inject_catch {
	int32_t tid;	   /* the thread that makes the exec; the process, if it does not wait */
	int32_t flag;	   /* enum thp_flag */
	uint64_t dev, ino; /* the program, to see whether it runs already */
	bool waited;	   /* the exec waits until `seized` has returned */
	bool expired;	   /* set by inject_catch_expire() */
	/* Called once ptrace(2) has the thread, or has refused it. */
	void (*seized)(struct inject_catch *c);
	/* What has come of it. */
	struct inject_answer answer; /* `stopped_ns` counts from the end of the exec */
	int32_t pid;		     /* of the process, and when it started; 0 if it was not seen */
	uint64_t start;
	uint64_t set_ns; /* when the flag was set, monotonic */
	bool late;	 /* it ran already */
};

int inject_catch(struct inject_catch *c);
int inject_catch_init(void);
void inject_catch_expire(struct inject_catch *c, pthread_t thread);

#endif
