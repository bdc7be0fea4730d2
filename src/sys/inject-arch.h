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
	CALL_GOOD,	/* restarts, with its remaining time */
	CALL_RUNNING,	/* in none */
	CALL_TOLERABLE, /* restarts, with its whole time; EINTR if the tracer is killed then */
	CALL_BAD,	/* may end with a short count */
};

bool arch_supported(void);
int arch_get(int32_t tid, struct regs *ret);
int arch_set(int32_t tid, const struct regs *regs);
bool arch_compat(const struct regs *regs);
enum was arch_settle(struct regs *regs);
size_t arch_stub(const struct regs *was, enum was how, uint64_t at, unsigned char *stub);
void arch_call(const struct regs *was, uint64_t at, const uint64_t *args, struct regs *ret);
bool arch_called(const struct regs *now, uint64_t at);
long arch_result(const struct regs *now);
bool arch_in_gap(const struct regs *now, const struct regs *was);
uint64_t arch_pc(const struct regs *regs);
bool arch_in_stub(const struct regs *now, uint64_t at);
enum call_class arch_classify(bool compat, long nr, const uint64_t *args);

#endif
