/* SPDX-License-Identifier: MIT */
/*
 * Borrows system calls of a running thread. Whatever moment the tracer is killed at, the thread
 * goes on as if nothing had been: until the registers are exchanged it is untouched; from then on
 * its own way back lies in its memory, the stub in the empty end of its vdso.
 *
 * Registers are exchanged while it is in PTRACE_EVENT_STOP, which is in get_signal(): what they say
 * of an interrupted call is looked at only afterwards (arch_do_signal_or_restart()), so that
 * putting them back there is enough, whether a signal is pending or not.
 *
 * It is released while it runs, by the end of this thread (exit_ptrace()), never by PTRACE_DETACH:
 * that way this thread still sees a signal that hits the gap in which the kernel restarts a call.
 */
#include "sys/inject-tracer.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#define LINGER_NS 4000000
#define LINGER_SPIN_NS 30000
#define LINGER_REST_NS 50000

/*
 * Near the vdso there may be no way back from the stub that leaves all registers alone; it is used
 * nevertheless where there is no other place.
 */
static void choose_slot(struct tracer *t)
{
	uint64_t slot;

	t->slot = t->vdso_slot;
	if (!arch_reaches(t->slot, &t->was) &&
	    target_text_slot(&t->target, arch_pc(&t->was), &slot) == 0)
		t->slot = slot;
}

/* One try, from PTRACE_EVENT_STOP to PTRACE_EVENT_STOP. */
static int borrow(struct tracer *t)
{
	int r = arch_get(t->target.tid, &t->was), e;
	struct regs settled;

	if (r < 0)
		return tracer_result(r);
	settled = t->was;
	t->how = arch_settle(&settled, &t->before);
	/* What was changed holds from now on, also if we are killed. */
	if (memcmp(&settled, &t->was, sizeof(settled)) != 0)
		r = arch_set(t->target.tid, &settled);
	t->was = settled;
	tracer_point(t, INJECT_AT_REGISTERS_READ);
	choose_slot(t);
	if (r == 0)
		r = tracer_check_mode(t);
	if (r == 0)
		r = tracer_early_mask(t);
	t->may_fire = tracer_may_fire(t);
	if (r == 0)
		r = tracer_put_stub(t);
	if (r == 0)
		r = tracer_suspend_seccomp(t);
	if (r == 0)
		r = tracer_ask_and_set(t);
	tracer_point(t, INJECT_AT_CALLS_DONE);
	/* What does not stop any more finds its way back by the stub. */
	if (r < 0 || r == INJECT_GONE || tracer_expired(t))
		return tracer_result(r);
	if (t->fired)
		return r;
	e = tracer_put_back(t);
	tracer_point(t, INJECT_AT_REGISTERS_RESTORED);
	if (e == 0)
		e = tracer_resume_seccomp(t);
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
	    (arch_in_gap(&regs, &t->was) || arch_in_stub(&regs, t->slot))) {
		if (arch_early()) {
			tracer_early_pass(t, sig);
			return;
		}
		(void)arch_set(t->target.tid, &t->was);
	}
	(void)tracer_trace(t, PTRACE_CONT, (uintptr_t)sig);
}

/*
 * After the release: until the thread is back in its call, a signal can hit the gap in which the
 * kernel has rewound it but not restarted it. Returns whether it was seen in its call.
 */
static bool linger(struct tracer *t)
{
	const struct timespec rest = { .tv_nsec = LINGER_REST_NS };
	const uint64_t began = monotonic_ns();

	do {
		/* In this order: a stop for a signal looks like being in the call, too. */
		bool blocked = target_in_call(&t->target, arch_pc(&t->was));
		int status = 0, sig = 0;
		int r = tracer_look(t, WNOHANG, &status);

		if (r < 0 || (r == 0 && blocked))
			return r == 0;
		if (r == 0) {
			/* It may be waiting for this very CPU. */
			if (monotonic_ns() > began + LINGER_SPIN_NS)
				(void)nanosleep(&rest, NULL);
			continue;
		}
		switch (tracer_decode(status, &sig)) {
		case STOP_SIGNAL:
			pass_in_gap(t, sig);
			break;
		case STOP_GROUP:
			t->group_stop = true; /* the end of this thread leaves it so */
			return false;
		case STOP_GONE:
			return false;
		default:
			(void)tracer_trace(t, PTRACE_CONT, 0);
		}
	} while (monotonic_ns() < began + LINGER_NS);
	return false;
}

/*
 * The stub of a thread that was sent through it is removed when the thread has left it. Returns 0
 * when what was to be set may be looked at.
 */
static int settle(struct tracer *t)
{
	struct regs regs;
	int r;

	if (linger(t)) {
		r = tracer_remove_stub(t);
		return r < 0 ? tracer_result(r) : 0;
	}
	/* Its call has ended meanwhile, perhaps, and it runs; or the whole process was stopped. */
	r = t->group_stop ? 0 : (int)tracer_trace(t, PTRACE_INTERRUPT, 0);
	if (r == 0 && !t->group_stop)
		r = tracer_wait_interrupted(t);
	r = tracer_result(r);
	if (r == 0)
		r = tracer_result(arch_get(t->target.tid, &regs));
	if (r == 0 && !arch_in_stub(&regs, t->slot)) {
		t->was = regs;
		t->how = arch_settle(&t->was, &t->before);
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
	int enabled = target_status(&t->target, "\nTHP_enabled:");

	if (enabled < 0)
		return enabled == -ESRCH ? INJECT_GONE : enabled;
	/*
	 * A signal took precedence, and the thread was put back before its call; or there was a
	 * flag that does not show.
	 */
	if (enabled == t->target.thp_enabled)
		return INJECT_BUSY;
	if (t->answer->before < 0)
		t->answer->before = enabled ? THP_FLAG_DISABLE : THP_FLAG_CLEAR;
	t->answer->now = enabled ? THP_FLAG_CLEAR : THP_FLAG_DISABLE;
	return 0;
}

static void release(struct tracer *t, uint64_t began)
{
	/*
	 * A stopped process stays where it is: the end of this thread leaves it in its stop. One
	 * that was waited for may be in a stop for a signal by now, which only the end passes on.
	 */
	if (!t->group_stop && (t->fired || !tracer_expired(t)))
		(void)tracer_trace(t, PTRACE_CONT, 0);
	t->answer->stopped_ns = (uint32_t)(monotonic_ns() - began);
	tracer_point(t, INJECT_AT_RELEASED);
}

/**
 * tracer_prepare() - looks at a process, as it is by now
 * @t: what is open of an earlier look is closed
 * @pid: the process
 * @start: when it started; 0 where it cannot be another one
 *
 * Return: 0; enum inject_result; negative errno.
 */
int tracer_prepare(struct tracer *t, int32_t pid, uint64_t start)
{
	int r;

	t->memory = close_fd(t->memory);
	target_close(&t->target);
	r = target_look(pid, start, &t->target);
	if (r == 0)
		r = target_choose(&t->target);
	if (r == 0)
		r = target_slot(&t->target, &t->vdso_slot);
	if (r == 0)
		t->memory = target_open(&t->target, t->target.tid, "mem", O_RDWR);
	return r;
}

/*
 * One that was in an exec as it was interrupted stops behind it, before the first instruction of
 * its new program: the best of all moments, if what was seen of the old one is forgotten.
 */
static int begin_anew(struct tracer *t)
{
	const int32_t tid = t->target.tid;
	int r = tracer_prepare(t, tid, t->request->start);

	t->before.nr = -1;
	if (r == 0 && t->target.tid != tid)
		r = INJECT_BUSY;
	t->target.tid = tid;
	return r;
}

static int seize(struct tracer *t)
{
	int r = (int)tracer_trace(t, PTRACE_SEIZE, PTRACE_O_TRACESYSGOOD);

	if (r < 0) {
		t->answer->error = -r;
		return r == -ESRCH ? INJECT_GONE : r == -EPERM ? INJECT_FORBIDDEN : r;
	}
	tracer_point(t, INJECT_AT_SEIZED);
	tracer_early_look(t);
	/* Meanwhile it may have begun what is not to be interrupted; it has noticed nothing yet. */
	if (target_is_bad(&t->target))
		return INJECT_BUSY;
	r = (int)tracer_trace(t, PTRACE_INTERRUPT, 0);
	tracer_point(t, INJECT_AT_INTERRUPTED);
	return tracer_result(r);
}

/**
 * tracer_visit() - what is done to a thread, up to its release
 * @t: it is in PTRACE_EVENT_STOP
 * @r: or could not be brought there: enum inject_result, or negative errno
 * @began: since when it has been kept, of monotonic_ns()
 *
 * The thread that calls this must end for the process to be released, whatever is returned.
 *
 * Return: 0; enum inject_result; negative errno.
 */
int tracer_visit(struct tracer *t, int r, uint64_t began)
{
	for (int tries = 0; r == 0; tries++) {
		tracer_point(t, INJECT_AT_STOPPED);
		t->passing = false;
		r = borrow(t);
		if (r == INJECT_BUSY && tries == 0 && !t->fired && tracer_moved(t)) {
			r = begin_anew(t);
			continue;
		}
		if (!t->passing || tries >= TRACER_SIGNALS)
			break;
		r = 0;
	}
	if (r >= 0 && r != INJECT_GONE) {
		release(t, began);
		if (t->fired)
			r = settle(t);
		else if (t->how == WAS_BLOCKED && !t->group_stop && !tracer_expired(t))
			(void)linger(t);
	}
	return r == 0 && t->fired ? look_back(t) : r;
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
	uint64_t began = monotonic_ns();
	int r = seize(t);

	if (r == 0)
		r = tracer_wait_interrupted(t);
	t->answer->result = tracer_visit(t, r, began);
	return NULL;
}
