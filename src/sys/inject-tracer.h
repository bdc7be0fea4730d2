/* SPDX-License-Identifier: MIT */
/* One thread that traces one process, and ends; private to the injector. */
#ifndef THPD_SYS_INJECT_TRACER_H
#define THPD_SYS_INJECT_TRACER_H

#include "sys/inject-target.h"
#include "sys/inject.h"

/* Sent to a tracer that has waited long enough; its handler does nothing. */
#define TRACER_WAKE SIGUSR2
#define TRACER_SIGNALS 1024 /* passed on before a process under a storm is given up for now */

struct tracer {
	const struct inject_request *request;
	struct inject_answer *answer;
	struct target target;
	uint64_t slot; /* where the stub goes */
	int memory;    /* /proc/PID/mem, or negative errno */
	/* From here on, the thread's own. */
	struct regs was; /* registers to go back to */
	enum was how;
	bool redirected; /* the thread has other registers just now */
	bool stub;	 /* the stub is in place */
	bool suspended;	 /* seccomp is */
	bool group_stop; /* the process is stopped, and is to stay so */
	bool passing;	 /* a signal came in between: start again */
	bool fired;	 /* it goes through the stub, unwatched */
	bool expired;	 /* set, with TRACER_WAKE, by who waits for the thread */
};

enum stop { STOP_EVENT, STOP_GROUP, STOP_CALL, STOP_SIGNAL, STOP_GONE, STOP_EXPIRED };

void *tracer_run(void *data);

uint64_t tracer_now(void);
void tracer_point(const struct tracer *t, enum inject_point p);
long tracer_trace(const struct tracer *t, int request, uintptr_t data);
enum stop tracer_decode(int status, int *ret_signal);
enum stop tracer_next_stop(const struct tracer *t, int *ret_signal);
int tracer_put_back(struct tracer *t);
int tracer_pass_signal(struct tracer *t, int sig);
int tracer_wait_interrupted(struct tracer *t);
int tracer_result(int r);
int tracer_check_mode(const struct tracer *t);
int tracer_put_stub(struct tracer *t);
int tracer_remove_stub(struct tracer *t);
int tracer_suspend_seccomp(struct tracer *t);
int tracer_resume_seccomp(struct tracer *t);
int tracer_ask_and_set(struct tracer *t);

#endif
