/* SPDX-License-Identifier: MIT */
/* One thread that traces one process, and ends; private to the injector. */
#ifndef THPD_SYS_INJECT_TRACER_H
#define THPD_SYS_INJECT_TRACER_H

#include "base/clock.h"
#include "sys/inject-target.h"
#include "sys/inject.h"

/* Sent to a tracer that has waited long enough; its handler does nothing. */
#define TRACER_WAKE SIGUSR2
#define TRACER_SIGNALS 1024 /* passed on before a process under a storm is given up for now */

struct tracer {
	const struct inject_request *request;
	struct inject_answer *answer;
	struct target target;
	uint64_t vdso_slot; /* a place for the stub */
	int memory;	    /* /proc/PID/mem, or negative errno */
	/* From here on, the thread's own. */
	uint64_t slot;	       /* the place where it goes */
	struct in_call before; /* what it was seen in before it was interrupted, if that matters */
	struct regs was;       /* registers to go back to */
	enum was how;
	uint64_t mask;	     /* its signal mask */
	int requeue;	     /* a signal that goes back to its queue, when the thread goes on */
	bool held;	     /* it has all signals blocked just now */
	bool decided;	     /* a signal that stops it next was looked at by the kernel */
	bool redirected;     /* the thread has other registers just now */
	bool stub;	     /* the stub is in place */
	bool direct;	     /* it was written by way of `memory` */
	bool suspended;	     /* seccomp is */
	bool group_stop;     /* the process is stopped, and is to stay so */
	bool passing;	     /* a signal came in between: start again */
	bool may_fire;	     /* it may be sent through the stub, unwatched */
	bool fired;	     /* it was */
	bool watch;	     /* set by who asks: it may not */
	bool expired;	     /* set, with TRACER_WAKE, by who waits for the thread */
	const bool *give_up; /* the same, where it is kept elsewhere; or NULL */
	bool sleeps;	     /* never spins: it has priority over who it waits for */
};

enum stop { STOP_EVENT, STOP_GROUP, STOP_CALL, STOP_SIGNAL, STOP_GONE, STOP_EXPIRED };

void *tracer_run(void *data);
int tracer_visit(struct tracer *t, int r, uint64_t began);
int tracer_prepare(struct tracer *t, int32_t pid, uint64_t start);

void tracer_follow(int32_t cpu);
bool tracer_expired(const struct tracer *t);
void tracer_point(const struct tracer *t, enum inject_point p);
long tracer_trace(const struct tracer *t, int request, uintptr_t data);
enum stop tracer_decode(int status, int *ret_signal);
int tracer_look(const struct tracer *t, int options, int *ret_status);
enum stop tracer_next_stop(const struct tracer *t, int *ret_signal);
int tracer_put_back(struct tracer *t);
int tracer_pass_signal(struct tracer *t, int sig);
int tracer_wait_interrupted(struct tracer *t);
int tracer_result(int r);
int tracer_check_mode(const struct tracer *t);
bool tracer_moved(const struct tracer *t);
int tracer_put_stub(struct tracer *t);
int tracer_remove_stub(struct tracer *t);
int tracer_suspend_seccomp(struct tracer *t);
int tracer_resume_seccomp(struct tracer *t);
bool tracer_may_fire(const struct tracer *t);
void tracer_prctl(const struct tracer *t, bool set, uint64_t *args);
int tracer_ask_and_set(struct tracer *t);
int tracer_leave_call(struct tracer *t);
bool tracer_early(const struct tracer *t);
void tracer_early_look(struct tracer *t);
int tracer_early_mask(struct tracer *t);
int tracer_early_hold(struct tracer *t);
int tracer_early_let_go(struct tracer *t);
void tracer_early_pass(struct tracer *t, int sig);

#endif
