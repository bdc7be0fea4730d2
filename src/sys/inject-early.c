/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel decides early. On arm64, do_signal() (arch/arm64/kernel/signal.c) rewinds an
 * interrupted call to its instruction before it stops for a tracer, and remembers by itself
 * whether a signal that comes is to end the call with EINTR. It remembers that for as long as it
 * is in that function. So
 *
 * - the call that a thread is in is looked at before it is interrupted;
 * - the thread is sent back by the end of one more call, an idle one, with registers that say that
 *   its own call has just been interrupted: then the kernel rewinds it, and decides on signals;
 * - the thread has its signals blocked from the first call to that point. They come, all of them
 *   and in order, when the kernel can decide. Should the tracer be killed, the stub unblocks them.
 */
#include <sys/ptrace.h>
#include <time.h>

#include "sys/inject-tracer.h"

#define LOOKS 20
#define REALTIME 32 /* the first signal that is queued more than once */

/** tracer_early() - whether what this file is about concerns the thread: it was in a call */
bool tracer_early(const struct tracer *t)
{
	return arch_early() && t->how == WAS_BLOCKED;
}

/**
 * tracer_early_look() - notes what the thread is blocked in, before it is interrupted
 *
 * Of a call that ends with EINTR the first argument is not to be found any more afterwards. A
 * thread that runs just now is given time to block.
 */
void tracer_early_look(struct tracer *t)
{
	t->before.nr = -1;
	for (int i = 0; arch_early() && t->before.nr < 0 && i < LOOKS; i++) {
		if (i > 0)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 1000 }, NULL);
		if (target_call(&t->target, &t->before) < 0)
			return;
	}
}

static int trace_mask(const struct tracer *t, enum __ptrace_request request, uint64_t *mask)
{
	return ptrace(request, t->target.tid, (void *)sizeof(*mask), mask) < 0 ? -errno : 0;
}

/**
 * tracer_early_mask() - notes the thread's signal mask, for the stub
 *
 * In a call that has a mask of its own the kernel tells the one that holds after it
 * (PTRACE_GETSIGMASK, kernel/ptrace.c).
 *
 * Return: 0; negative errno.
 */
int tracer_early_mask(struct tracer *t)
{
	return tracer_early(t) ? trace_mask(t, PTRACE_GETSIGMASK, &t->mask) : 0;
}

/** tracer_early_hold() - blocks all signals of a thread that is about to enter the stub */
int tracer_early_hold(struct tracer *t)
{
	uint64_t all = ~UINT64_C(0);
	int r;

	if (!tracer_early(t) || t->held)
		return 0;
	r = trace_mask(t, PTRACE_SETSIGMASK, &all);
	t->held = r == 0;
	return r;
}

/**
 * tracer_early_let_go() - at the end of the idle call: signals may come, for the thread's own call
 */
int tracer_early_let_go(struct tracer *t)
{
	struct regs regs;
	int r;

	if (!tracer_early(t))
		return 0;
	r = trace_mask(t, PTRACE_SETSIGMASK, &t->mask);
	t->held = false;
	tracer_point(t, INJECT_AT_SIGNALS_FREED);
	arch_early()->interrupted(&t->was, &regs);
	if (r == 0)
		r = arch_set(t->target.tid, &regs);
	tracer_point(t, INJECT_AT_INTERRUPTED_AGAIN);
	return r;
}

/**
 * tracer_early_pass() - passes a signal to a thread that is about to make its call anew
 * @t: its registers are as they were
 * @sig: the signal
 *
 * The signal would run its handler and then the call, whatever the handler's flags say: the kernel
 * does not know of the call. So the signal goes back to its queue, until the call is an interrupted
 * one again. A realtime signal would lose its place in the queue, and is let through.
 */
void tracer_early_pass(struct tracer *t, int sig)
{
	int r = t->decided || sig >= REALTIME ? INJECT_BUSY : tracer_early_mask(t);

	t->decided = false;
	if (r == 0)
		r = tracer_put_stub(t);
	if (r != 0) {
		(void)tracer_trace(t, PTRACE_CONT, (uintptr_t)sig);
		return;
	}
	t->requeue = sig;
	r = tracer_leave_call(t);
	/* What does not stop any more finds its way back by the stub. */
	if (r != 0 || tracer_put_back(t) < 0 || tracer_remove_stub(t) < 0)
		return;
	t->decided = true;
	if (!t->group_stop)
		(void)tracer_trace(t, PTRACE_CONT, 0);
}
