/* SPDX-License-Identifier: MIT */
/* The system calls that a thread makes for us. */
#include <sys/ptrace.h>

#include "sys/inject-tracer.h"

/**
 * tracer_suspend_seccomp() - a filter that forbids prctl(2) must not see ours
 *
 * Needs CAP_SYS_ADMIN, and no filter of our own (ptrace_setoptions(), kernel/ptrace.c).
 *
 * Return: 0; INJECT_SECCOMP; INJECT_GONE; negative errno.
 */
int tracer_suspend_seccomp(struct tracer *t)
{
	int r = t->target.seccomp ?
			(int)tracer_trace(t, PTRACE_SETOPTIONS,
					  PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP) :
			0;

	t->suspended = r == 0 && t->target.seccomp;
	if (r == -EPERM) {
		t->answer->error = -r;
		r = INJECT_SECCOMP;
	}
	tracer_point(t, INJECT_AT_SECCOMP_SUSPENDED);
	return r < 0 ? tracer_result(r) : r;
}

/** tracer_resume_seccomp() - undoes tracer_suspend_seccomp(); 0 or negative errno */
int tracer_resume_seccomp(struct tracer *t)
{
	int r = t->suspended ? (int)tracer_trace(t, PTRACE_SETOPTIONS, PTRACE_O_TRACESYSGOOD) : 0;

	t->suspended = false;
	tracer_point(t, INJECT_AT_SECCOMP_RESUMED);
	return r;
}

/*
 * A signal, or a stop of the whole process, came before the call: nothing has happened yet, and it
 * takes precedence. Leaves the thread in, or on its way to, another PTRACE_EVENT_STOP.
 */
static int give_way(struct tracer *t, enum stop stop, int sig)
{
	int r;

	switch (stop) {
	case STOP_SIGNAL:
		r = tracer_pass_signal(t, sig);
		if (r == 0)
			r = tracer_wait_interrupted(t);
		break;
	case STOP_EVENT:
	case STOP_GROUP:
		t->group_stop = stop == STOP_GROUP;
		r = tracer_put_back(t);
		break;
	case STOP_EXPIRED:
		return INJECT_BUSY;
	default:
		return INJECT_GONE;
	}
	t->passing = r == 0;
	return r == 0 ? INJECT_BUSY : tracer_result(r);
}

/* What becomes of the thread after a call of ours. */
enum then {
	THEN_ANOTHER, /* stays at the end of the call */
	THEN_STOP,    /* goes on to PTRACE_EVENT_STOP */
};

/*
 * The stop at the beginning of a call. A thread that holds its signals goes on whatever it stops
 * for: its call has precedence.
 */
static enum stop begin_call(struct tracer *t, int *ret_signal)
{
	for (;;) {
		enum stop stop = tracer_next_stop(t, ret_signal);
		uintptr_t sig = stop == STOP_SIGNAL ? (uintptr_t)*ret_signal : 0;

		if (!t->held || (stop != STOP_SIGNAL && stop != STOP_EVENT && stop != STOP_GROUP))
			return stop;
		if (stop != STOP_SIGNAL)
			t->group_stop = stop == STOP_GROUP;
		if (tracer_expired(t))
			return STOP_EXPIRED;
		if (tracer_trace(t, PTRACE_SYSCALL, sig) < 0)
			return STOP_GONE;
	}
}

/*
 * Lets the thread make one system call, from PTRACE_EVENT_STOP or from the end of another one; the
 * idle one without @args.
 */
static int call(struct tracer *t, const uint64_t *args, enum then then, long *ret)
{
	struct regs regs;
	enum stop stop;
	int sig = 0, r;

	if (args)
		arch_call(&t->was, t->slot, args, &regs);
	else
		arch_early()->idle(&t->was, t->slot, &regs);
	t->redirected = true;
	r = arch_set(t->target.tid, &regs);
	tracer_point(t, INJECT_AT_REDIRECTED);
	if (r == 0)
		r = tracer_early_hold(t);
	if (r == 0)
		r = (int)tracer_trace(t, PTRACE_SYSCALL, (uintptr_t)t->requeue);
	t->requeue = 0;
	tracer_point(t, INJECT_AT_RUNNING);
	if (r < 0)
		return tracer_result(r);
	stop = begin_call(t, &sig);
	if (stop != STOP_CALL)
		return give_way(t, stop, sig);
	tracer_point(t, INJECT_AT_CALL_ENTERED);
	/* The stop is pending from here on, and comes before any signal. */
	if (then == THEN_STOP)
		r = (int)tracer_trace(t, PTRACE_INTERRUPT, 0);
	tracer_point(t, INJECT_AT_FINAL_INTERRUPT);
	if (r == 0)
		r = (int)tracer_trace(t, then == THEN_STOP ? PTRACE_CONT : PTRACE_SYSCALL, 0);
	tracer_point(t, INJECT_AT_CALL_RESUMED);
	if (r < 0)
		return tracer_result(r);
	stop = tracer_next_stop(t, &sig);
	if (stop == STOP_EXPIRED || stop == STOP_GONE)
		return stop == STOP_GONE ? INJECT_GONE : INJECT_BUSY;
	t->group_stop = stop == STOP_GROUP;
	tracer_point(t, INJECT_AT_CALL_LEFT);
	r = arch_get(t->target.tid, &regs);
	if (r < 0)
		return tracer_result(r);
	if (!arch_called(&regs, t->slot) || (then == THEN_STOP) != (stop != STOP_CALL))
		return -EPROTO;
	*ret = arch_result(&regs);
	return 0;
}

/**
 * tracer_leave_call() - from the end of a call to PTRACE_EVENT_STOP
 *
 * Return: 0; INJECT_GONE; INJECT_BUSY; negative errno.
 */
int tracer_leave_call(struct tracer *t)
{
	long pid;
	int r = tracer_early(t) ? call(t, NULL, THEN_ANOTHER, &pid) : 0;

	if (r != 0)
		return r;
	r = (int)tracer_trace(t, PTRACE_INTERRUPT, 0);
	if (r == 0)
		r = tracer_early_let_go(t);
	if (r == 0)
		r = (int)tracer_trace(t, PTRACE_CONT, 0);
	return r < 0 ? tracer_result(r) : tracer_wait_interrupted(t);
}

/** tracer_prctl() - the five arguments of the call that asks for the flag, or sets it */
void tracer_prctl(const struct tracer *t, bool set, uint64_t *args)
{
	const int32_t flag = t->request->flag;

	memset(args, 0, 5 * sizeof(*args));
	args[0] = set ? 41 /* PR_SET_THP_DISABLE */ : 42 /* PR_GET_THP_DISABLE */;
	args[1] = set && flag != THP_FLAG_CLEAR;
	args[2] = set && flag == THP_FLAG_EXCEPT_ADVISED ? 2 : 0;
}

static int call_prctl(struct tracer *t, bool set, enum then then, long *ret)
{
	uint64_t args[5];

	tracer_prctl(t, set, args);
	return call(t, args, then, ret);
}

/**
 * tracer_may_fire() - whether the stub may run to its end unwatched, which saves all stops but one
 * @t: its registers settled
 *
 * A thread that goes back to its call, where it is found again (not one that runs on), without a
 * filter that would stay suspended meanwhile, and for a flag that /proc/PID/status shows.
 */
bool tracer_may_fire(const struct tracer *t)
{
	const struct inject_request *rq = t->request;

	return rq->op == INJECT_SET && !t->watch && t->how == WAS_BLOCKED && !arch_early() &&
	       !arch_clobbers(&t->was) && !t->target.seccomp && !t->group_stop && t->memory >= 0 &&
	       t->target.thp_enabled >= 0 &&
	       rq->flag == (t->target.thp_enabled ? THP_FLAG_DISABLE : THP_FLAG_CLEAR);
}

/*
 * Sends the thread through the stub. It is released in there, see settle(). One that is disabled is
 * known to be so; of another one the stub itself asks what it has, and sets it only if that is
 * nothing.
 */
static int fire(struct tracer *t)
{
	struct regs regs;
	uint64_t args[5];
	int r;

	tracer_prctl(t, t->target.thp_enabled == 0, args);
	arch_call(&t->was, t->slot, args, &regs);
	r = arch_set(t->target.tid, &regs);
	tracer_point(t, INJECT_AT_REDIRECTED);
	t->fired = r == 0;
	return tracer_result(r);
}

/* After the question: asks for what is wanted, and reads it back. */
static int set_and_ask(struct tracer *t)
{
	long value = 0;
	int r = call_prctl(t, true, THEN_ANOTHER, &value);

	if (r != 0)
		return r;
	if (value < 0)
		t->answer->error = (int32_t)-value;
	r = call_prctl(t, false, tracer_early(t) ? THEN_ANOTHER : THEN_STOP, &value);
	if (r == 0 && tracer_early(t))
		r = tracer_leave_call(t);
	if (r != 0)
		return r;
	t->answer->now = (int32_t)value;
	if (t->answer->error)
		return INJECT_REJECTED;
	return value == t->request->flag ? 0 : INJECT_DIFFERS;
}

/**
 * tracer_ask_and_set() - asks for the flag, sets it, asks again; what the request says
 *
 * From PTRACE_EVENT_STOP. When it returns 0 or INJECT_REJECTED the thread is there again, or
 * `fired`; with `passing`, a signal came in between, and it is there with other registers.
 *
 * Return: 0; enum inject_result; negative errno.
 */
int tracer_ask_and_set(struct tracer *t)
{
	const bool ask_only = t->request->op == INJECT_GET;
	const enum then then = !tracer_early(t) && ask_only ? THEN_STOP : THEN_ANOTHER;
	long value = 0;
	int r;

	if (t->may_fire)
		return fire(t);
	r = call_prctl(t, false, then, &value);
	if (r != 0)
		return r;
	if (value < 0) {
		t->answer->error = (int32_t)-value;
		r = then == THEN_STOP ? 0 : tracer_leave_call(t);
		return r ? r : INJECT_REJECTED;
	}
	if (t->answer->before < 0)
		t->answer->before = (int32_t)value;
	t->answer->now = (int32_t)value;
	tracer_point(t, INJECT_AT_NEXT_CALL);
	if (ask_only || value == t->request->flag)
		return then == THEN_STOP ? 0 : tracer_leave_call(t);
	return set_and_ask(t);
}
