/* SPDX-License-Identifier: MIT */
/* What remote calls need to know of an architecture; private to the injector. */
#ifndef THPD_SYS_INJECT_ARCH_H
#define THPD_SYS_INJECT_ARCH_H

#include "base/util.h"

#define STUB_SIZE 128U

/* The registers of a stopped thread; what lies where, the architecture knows. */
struct regs {
	uint64_t r[40];
};

/* What a thread that was stopped for us was doing. */
enum was {
	WAS_RUNNING, /* in user mode, or about to return to it: every register counts */
	WAS_BLOCKED, /* in a system call that the kernel will restart */
};

/* What may be done to a thread by the call that it is in. */
enum call_class {
	CALL_GOOD,    /* restarts, with its remaining time */
	CALL_RUNNING, /* in none */
	/*
	 * Restarts, with its whole time; EINTR if the tracer is killed then. Or waits for a child:
	 * SIGCHLD is not ignored when the thread that made the child is traced (sig_ignored() in
	 * kernel/signal.c), and wakes another thread of the process while this one is stopped.
	 */
	CALL_TOLERABLE,
	CALL_BAD, /* may end with a short count */
};

/* A system call that a thread is blocked in, as /proc/PID/task/TID/syscall tells it. */
struct in_call {
	long nr; /* negative: in none */
	uint64_t args[6];
	uint64_t sp, pc; /* the stack, and where the call returns to */
};

/*
 * Where the kernel decides what becomes of an interrupted call before it stops for a tracer, what
 * is written to the registers there is not believed any more: see inject-early.c.
 */
struct arch_early {
	/* registers with which a thread makes a call in the stub that does nothing */
	void (*idle)(const struct regs *was, uint64_t at, struct regs *ret);
	/* registers that say, at the end of a call, that the thread's own call was interrupted */
	void (*interrupted)(const struct regs *was, struct regs *ret);
};

bool arch_supports(bool compat);
const struct arch_early *arch_early(void);
int arch_get(int32_t tid, struct regs *ret);
int arch_set(int32_t tid, const struct regs *regs);
bool arch_compat(const struct regs *regs);
bool arch_keeps(int32_t tid);
enum was arch_settle(struct regs *regs, const struct in_call *before);
bool arch_reaches(uint64_t at, const struct regs *was);
size_t arch_stub(const struct regs *was, enum was how, uint64_t at, uint64_t mask,
		 const uint64_t *then, unsigned char *stub);
void arch_call(const struct regs *was, uint64_t at, const uint64_t *args, struct regs *ret);
bool arch_called(const struct regs *now, uint64_t at);
long arch_result(const struct regs *now);
bool arch_clobbers(const struct regs *was);
bool arch_in_gap(const struct regs *now, const struct regs *was);
uint64_t arch_pc(const struct regs *regs);
bool arch_in_stub(const struct regs *now, uint64_t at);
bool arch_eintr_restarts(bool compat, long nr);
enum call_class arch_classify(bool compat, long nr, const uint64_t *args);
bool native_eintr_restarts(long nr);
enum call_class native_classify(long nr, const uint64_t *args);

#endif
