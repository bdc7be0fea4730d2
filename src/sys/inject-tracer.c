/* SPDX-License-Identifier: MIT */
/*
 * Borrows system calls of a running thread. Whatever moment the tracer is killed at, the thread
 * goes on as if nothing had been: until the registers are exchanged it is untouched; from then on
 * its own way back lies in its memory, the stub in the empty end of its vdso.
 *
 * Registers are exchanged while it is in PTRACE_EVENT_STOP, which is in get_signal(): what they say
 * of an interrupted call is looked at only afterwards (arch_do_signal_or_restart()), so that putting
 * them back there is enough, whether a signal is pending or not.
 *
 * It is released while it runs, by the end of this thread (exit_ptrace()), never by PTRACE_DETACH:
 * that way this thread still sees a signal that hits the gap in which the kernel restarts a call.
 */
#include "sys/inject-tracer.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define LINGER_NS 1000000

/* A filter that forbids prctl(2) must not see ours. Needs CAP_SYS_ADMIN, and no filter of our own. */
static int suspend_seccomp(struct tracer *t)
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

static int resume_seccomp(struct tracer *t)
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

/* Lets the thread make one system call, from PTRACE_EVENT_STOP or from the end of another one. */
static int call(struct tracer *t, const uint64_t *args, enum then then, long *ret)
{
	struct regs regs;
	enum stop stop;
	int sig = 0, r;

	arch_call(&t->was, t->slot, args, &regs);
	t->redirected = true;
	r = arch_set(t->target.tid, &regs);
	tracer_point(t, INJECT_AT_REDIRECTED);
	if (r == 0)
		r = (int)tracer_trace(t, PTRACE_SYSCALL, 0);
	tracer_point(t, INJECT_AT_RUNNING);
	if (r < 0)
		return tracer_result(r);
	stop = tracer_next_stop(t, &sig);
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

/* From the end of a call to PTRACE_EVENT_STOP. */
static int leave_call(struct tracer *t)
{
	int r = (int)tracer_trace(t, PTRACE_INTERRUPT, 0);

	if (r == 0)
		r = (int)tracer_trace(t, PTRACE_CONT, 0);
	return r < 0 ? tracer_result(r) : tracer_wait_interrupted(t);
}

static void prctl_args(const struct tracer *t, bool set, uint64_t *args)
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

	prctl_args(t, set, args);
	return call(t, args, then, ret);
}

/*
 * Whether the stub may run to its end unwatched, which saves half of the stops: a thread that goes
 * back to its call, where it is found again (not one that runs on), without a filter that would stay
 * suspended meanwhile, and for a flag that /proc/PID/status shows.
 */
static bool may_fire(const struct tracer *t)
{
	const struct inject_request *rq = t->request;

	return rq->op == INJECT_SET && t->how == WAS_BLOCKED && !t->suspended && !t->group_stop &&
	       t->memory >= 0 && t->target.thp_enabled >= 0 &&
	       (rq->flag == THP_FLAG_DISABLE ||
		(rq->flag == THP_FLAG_CLEAR && !t->target.thp_enabled));
}

/* Sends the thread through the stub. It is released in there, see settle(). */
static int fire(struct tracer *t)
{
	struct regs regs;
	uint64_t args[5];
	int r;

	prctl_args(t, true, args);
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
	r = call_prctl(t, false, THEN_STOP, &value);
	if (r != 0)
		return r;
	t->answer->now = (int32_t)value;
	if (t->answer->error)
		return INJECT_REJECTED;
	return value == t->request->flag ? 0 : INJECT_DIFFERS;
}

/* Asks, sets, asks again. Ends in PTRACE_EVENT_STOP when it returns 0 or INJECT_REJECTED. */
static int ask_and_set(struct tracer *t)
{
	const bool ask_only = t->request->op == INJECT_GET, fast = may_fire(t);
	const enum then then = ask_only || fast ? THEN_STOP : THEN_ANOTHER;
	long value = 0;
	int r = call_prctl(t, false, then, &value);

	if (r != 0)
		return r;
	if (value < 0) {
		t->answer->error = (int32_t)-value;
		r = then == THEN_STOP ? 0 : leave_call(t);
		return r ? r : INJECT_REJECTED;
	}
	t->answer->before = t->answer->now = (int32_t)value;
	tracer_point(t, INJECT_AT_NEXT_CALL);
	if (ask_only || value == t->request->flag)
		return then == THEN_STOP ? 0 : leave_call(t);
	return fast ? fire(t) : set_and_ask(t);
}

/* One try, from PTRACE_EVENT_STOP to PTRACE_EVENT_STOP. */
static int borrow(struct tracer *t)
{
	int r = arch_get(t->target.tid, &t->was), e;
	struct regs settled;

	if (r < 0)
		return tracer_result(r);
	settled = t->was;
	t->how = arch_settle(&settled);
	/* What was changed holds from now on, also if we are killed. */
	if (memcmp(&settled, &t->was, sizeof(settled)) != 0)
		r = arch_set(t->target.tid, &settled);
	t->was = settled;
	tracer_point(t, INJECT_AT_REGISTERS_READ);
	if (r == 0)
		r = tracer_check_mode(t);
	if (r == 0)
		r = tracer_put_stub(t);
	if (r == 0)
		r = suspend_seccomp(t);
	if (r == 0)
		r = ask_and_set(t);
	tracer_point(t, INJECT_AT_CALLS_DONE);
	/* What does not stop any more finds its way back by the stub. */
	if (r < 0 || r == INJECT_GONE || __atomic_load_n(&t->expired, __ATOMIC_ACQUIRE))
		return tracer_result(r);
	if (t->fired)
		return r;
	e = tracer_put_back(t);
	tracer_point(t, INJECT_AT_REGISTERS_RESTORED);
	if (e == 0)
		e = resume_seccomp(t);
	if (e == 0)
		e = tracer_remove_stub(t);
	return e < 0 ? tracer_result(e) : r;
}

/*
 * A signal came while the thread was on its way back to its call: it is given the registers of the
 * interrupted call, for which the kernel decides whether it restarts or ends with EINTR.
 */
static void pass_in_gap(struct tracer *t, int sig)
{
	struct regs regs;

	if (arch_get(t->target.tid, &regs) == 0 &&
	    (arch_in_gap(&regs, &t->was) || arch_in_stub(&regs, t->slot)))
		(void)arch_set(t->target.tid, &t->was);
	(void)tracer_trace(t, PTRACE_CONT, (uintptr_t)sig);
}

/*
 * After the release: until the thread is back in its call, a signal can hit the gap in which the
 * kernel has rewound it but not restarted it. Returns whether it was seen in a call.
 */
static bool linger(struct tracer *t)
{
	uint64_t until = tracer_now() + LINGER_NS;

	do {
		/* In this order: a stop for a signal looks like being in the call, too. */
		bool blocked = target_in_call(&t->target, arch_pc(&t->was));
		int status = 0, sig = 0;
		pid_t r = waitpid(t->target.tid, &status, __WALL | __WNOTHREAD | WNOHANG);

		if (r < 0 || (r == 0 && blocked))
			return r == 0;
		if (r == 0)
			(void)sched_yield();
		else if (tracer_decode(status, &sig) == STOP_SIGNAL)
			pass_in_gap(t, sig);
		else
			return false; /* the end of this thread leaves it so */
	} while (tracer_now() < until);
	return false;
}

/*
 * The stub of a thread that was sent through it is removed when the thread has left it. Returns 0 when
 * what was to be set may be looked at.
 */
static int settle(struct tracer *t)
{
	struct regs regs;
	int r;

	if (linger(t)) {
		r = tracer_remove_stub(t);
		return r < 0 ? tracer_result(r) : 0;
	}
	/* Its call has ended meanwhile, perhaps, and it runs. */
	r = (int)tracer_trace(t, PTRACE_INTERRUPT, 0);
	r = r < 0 ? tracer_result(r) : tracer_wait_interrupted(t);
	if (r == 0)
		r = tracer_result(arch_get(t->target.tid, &regs));
	if (r == 0 && !arch_in_stub(&regs, t->slot)) {
		t->was = regs;
		t->how = arch_settle(&t->was);
	}
	if (r == 0)
		r = tracer_result(arch_set(t->target.tid, &t->was));
	if (r == 0)
		r = tracer_result(tracer_remove_stub(t));
	if (r == 0 && !t->group_stop)
		r = tracer_result((int)tracer_trace(t, PTRACE_CONT, 0));
	if (r == 0 && t->how == WAS_BLOCKED && !t->group_stop)
		(void)linger(t);
	return r;
}

/* What the kernel says from outside, after the thread went through the stub. */
static int look_back(struct tracer *t)
{
	int enabled = target_status(t->target.pid, "\nTHP_enabled:");

	if (enabled < 0)
		return enabled == -ESRCH ? INJECT_GONE : enabled;
	t->answer->now = enabled ? THP_FLAG_CLEAR : THP_FLAG_DISABLE;
	/* A signal took precedence, and the thread was put back before its call. */
	return t->answer->now == t->request->flag ? 0 : INJECT_BUSY;
}

static void release(struct tracer *t, uint64_t began)
{
	/* A stopped process stays where it is: the end of this thread leaves it in its stop. */
	if (!t->group_stop)
		(void)tracer_trace(t, PTRACE_CONT, 0);
	t->answer->stopped_ns = (uint32_t)(tracer_now() - began);
	tracer_point(t, INJECT_AT_RELEASED);
}

static int seize(struct tracer *t)
{
	int r = (int)tracer_trace(t, PTRACE_SEIZE, PTRACE_O_TRACESYSGOOD);

	if (r < 0) {
		t->answer->error = -r;
		return r == -ESRCH ? INJECT_GONE : r == -EPERM ? INJECT_FORBIDDEN : r;
	}
	tracer_point(t, INJECT_AT_SEIZED);
	r = (int)tracer_trace(t, PTRACE_INTERRUPT, 0);
	tracer_point(t, INJECT_AT_INTERRUPTED);
	return tracer_result(r);
}

/**
 * tracer_run() - what the thread of a tracer does
 * @data: the struct tracer; its answer is filled in
 *
 * The thread must end for the process to be released, also when this returns with a failure.
 *
 * Return: NULL.
 */
void *tracer_run(void *data)
{
	struct tracer *t = data;
	uint64_t began = tracer_now();
	int r = seize(t);

	if (r == 0)
		r = tracer_wait_interrupted(t);
	for (int tries = 0; r == 0; tries++) {
		tracer_point(t, INJECT_AT_STOPPED);
		t->passing = false;
		r = borrow(t);
		if (!t->passing || tries >= TRACER_SIGNALS)
			break;
		r = 0;
	}
	if (r >= 0 && r != INJECT_GONE) {
		release(t, began);
		if (t->fired)
			r = settle(t);
		else if (t->how == WAS_BLOCKED && !t->group_stop)
			(void)linger(t);
	}
	if (r == 0 && t->fired)
		r = look_back(t);
	t->answer->result = r;
	return NULL;
}
