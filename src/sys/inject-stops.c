/* SPDX-License-Identifier: MIT */
/* The stops of a traced thread, and what may be done in them. */
#include "sys/inject-tracer.h"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define SPIN_NS 50000
#define GROUP_STOP_EVENT 128 /* PTRACE_EVENT_STOP */

/**
 * tracer_follow() - runs where a thread ran last from now on
 * @cpu: as proc_read() tells
 *
 * On the target's own CPU each of its stops is but a switch to us, and takes a fraction of the
 * time; and a thread that is made begins where we are.
 */
void tracer_follow(int32_t cpu)
{
	cpu_set_t cpus;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&cpus);
	CPU_SET((size_t)cpu, &cpus);
	(void)sched_setaffinity(0, sizeof(cpus), &cpus);
}

/** tracer_expired() - whether the thread of a tracer has waited long enough */
bool tracer_expired(const struct tracer *t)
{
	return __atomic_load_n(&t->expired, __ATOMIC_ACQUIRE) ||
	       (t->give_up && __atomic_load_n(t->give_up, __ATOMIC_ACQUIRE));
}

/** tracer_point() - for tests: the tracer is killed here, if the request says so */
void tracer_point(const struct tracer *t, enum inject_point p)
{
	if (t->request->die_at == (int32_t)p && p != INJECT_AT_NONE)
		(void)kill(getpid(), SIGKILL);
}

/** tracer_trace() - a ptrace(2) request without an address; 0 or negative errno */
long tracer_trace(const struct tracer *t, int request, uintptr_t data)
{
	return ptrace((enum __ptrace_request)request, t->target.tid, NULL, (void *)data) < 0 ?
		       -errno :
		       0;
}

/** tracer_decode() - what a status of waitpid(2) means; a signal's number in @ret_signal */
enum stop tracer_decode(int status, int *ret_signal)
{
	int sig;

	if (!WIFSTOPPED(status))
		return STOP_GONE;
	sig = WSTOPSIG(status);
	if (status >> 16 == GROUP_STOP_EVENT)
		return sig == SIGTRAP ? STOP_EVENT : STOP_GROUP;
	if (sig == (SIGTRAP | 0x80))
		return STOP_CALL;
	*ret_signal = sig;
	return STOP_SIGNAL;
}

/**
 * tracer_look() - looks at the stop that the thread is in, without taking it
 * @t: the tracer
 * @options: WNOHANG, or 0 to wait for a stop
 * @ret_status: what waitpid(2) would say
 *
 * A signal that is reported and taken is lost if we are killed before it is passed on: the thread
 * is then told to go on without (wait_task_stopped() in kernel/exit.c clears exit_code, unless
 * WNOWAIT).
 *
 * Return: 1; 0 when there is none; negative errno.
 */
int tracer_look(const struct tracer *t, int options, int *ret_status)
{
	siginfo_t info = { 0 };
	int how = options | WSTOPPED | WEXITED | WNOWAIT | __WALL | __WNOTHREAD;

	if (waitid(P_PID, (id_t)t->target.tid, &info, how) < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
		*ret_status = info.si_status << 8 | 0x7f;
		return 1;
	}
	/* Its end is taken, for its parent waits to be told. */
	if (waitpid(t->target.tid, ret_status, options | __WALL | __WNOTHREAD) < 0)
		return -errno;
	return 1;
}

/**
 * tracer_next_stop() - waits for the next stop, or until the thread is woken as expired
 *
 * A stop mostly comes at once, and a CPU that sleeps meanwhile takes longer to wake than that. If
 * it does not, the thread may be waiting for this very CPU: then we sleep until it has stopped.
 * sched_yield(2) would have us wait for everybody else as well, with the thread stopped.
 */
enum stop tracer_next_stop(const struct tracer *t, int *ret_signal)
{
	const uint64_t until = monotonic_ns() + SPIN_NS;
	int options = t->sleeps ? 0 : WNOHANG;

	for (;;) {
		int status = 0;
		int r = tracer_look(t, options, &status);

		if (r > 0)
			return tracer_decode(status, ret_signal);
		if (r < 0 && r != -EINTR)
			return STOP_GONE;
		if (tracer_expired(t))
			return STOP_EXPIRED;
		if (monotonic_ns() >= until)
			options = 0;
	}
}

/**
 * tracer_put_back() - gives the thread its registers back; only in a stop inside get_signal()
 *
 * One that was sent through the stub may have left it long ago, and is let alone then.
 *
 * Return: 0; negative errno.
 */
int tracer_put_back(struct tracer *t)
{
	struct regs now;
	int r = 0;

	if (t->fired) {
		r = arch_get(t->target.tid, &now);
		if (r == 0 && (arch_in_gap(&now, &t->was) || arch_in_stub(&now, t->slot)))
			r = arch_set(t->target.tid, &t->was);
		return r;
	}
	if (t->redirected)
		r = arch_set(t->target.tid, &t->was);
	if (r == 0)
		t->redirected = false;
	return r;
}

/**
 * tracer_pass_signal() - lets a signal through, on the way to the next PTRACE_EVENT_STOP
 *
 * The interruption is asked for again first: any stop cancels the one that was asked for.
 */
int tracer_pass_signal(struct tracer *t, int sig)
{
	int r = tracer_put_back(t);

	tracer_point(t, INJECT_AT_SIGNAL_STOPPED);
	if (r == 0)
		r = (int)tracer_trace(t, PTRACE_INTERRUPT, 0);
	if (r == 0)
		r = (int)tracer_trace(t, PTRACE_CONT, (uintptr_t)sig);
	tracer_point(t, INJECT_AT_SIGNAL_PASSED);
	return r;
}

/** tracer_result() - of an errno: a process that is not there any more is no surprise */
int tracer_result(int r)
{
	return r == -ESRCH ? INJECT_GONE : r;
}

/**
 * tracer_wait_interrupted() - waits until the thread is in PTRACE_EVENT_STOP, letting signals
 * through
 *
 * Return: 0; INJECT_GONE; INJECT_BUSY.
 */
int tracer_wait_interrupted(struct tracer *t)
{
	for (int passed = 0; passed < TRACER_SIGNALS; passed++) {
		int sig = 0, r;

		switch (tracer_next_stop(t, &sig)) {
		case STOP_EVENT:
			t->group_stop = false;
			return 0;
		case STOP_GROUP:
			t->group_stop = true;
			return 0;
		case STOP_SIGNAL:
			r = tracer_pass_signal(t, sig);
			if (r < 0)
				return tracer_result(r);
			break;
		case STOP_CALL:
			r = (int)tracer_trace(t, PTRACE_CONT, 0);
			if (r < 0)
				return tracer_result(r);
			break;
		case STOP_GONE:
			return INJECT_GONE;
		case STOP_EXPIRED:
			return INJECT_BUSY;
		}
	}
	return INJECT_BUSY;
}

/* include/uapi/linux/ptrace.h, Linux 5.13 and 6.4; C libraries came to have them later. */
#define GET_RSEQ_CONFIGURATION ((enum __ptrace_request)0x420f)
#define GET_SYSCALL_USER_DISPATCH_CONFIG ((enum __ptrace_request)0x4211)

/**
 * tracer_check_mode() - whether registers may be exchanged just now
 *
 * In a restartable sequence another register set would go unnoticed, and with syscall user dispatch
 * (Wine) a call from elsewhere would be a signal to the process. A running thread may not expect a
 * call at all, see arch_keeps().
 *
 * Return: 0; INJECT_BUSY; INJECT_UNSUPPORTED.
 */
int tracer_check_mode(const struct tracer *t)
{
	struct {
		uint64_t address;
		uint32_t size, signature, flags, pad;
	} rseq = { 0 };
	struct {
		uint64_t mode, selector, offset, len;
	} sud = { 0 };

	if (t->how == WAS_RUNNING &&
	    ptrace(GET_RSEQ_CONFIGURATION, t->target.tid, (void *)sizeof(rseq), &rseq) > 0 &&
	    rseq.address) {
		long cs;

		errno = 0;
		/* struct rseq: cpu_id_start, cpu_id, rseq_cs */
		cs = ptrace(PTRACE_PEEKDATA, t->target.tid, (void *)(uintptr_t)(rseq.address + 8),
			    NULL);
		if (errno == 0 && cs != 0)
			return INJECT_BUSY;
	}
	if (t->how == WAS_RUNNING && !arch_keeps(t->target.tid))
		return INJECT_BUSY;
	if (ptrace(GET_SYSCALL_USER_DISPATCH_CONFIG, t->target.tid, (void *)sizeof(sud), &sud) ==
		    0 &&
	    sud.mode != 0)
		return INJECT_UNSUPPORTED;
	return 0;
}

/*
 * Whether this is still the address space that was looked at. Since then the process may have made
 * an exec, and where the vdso was may be anything now.
 */
static int check_place(const struct tracer *t)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, t->target.tid,
		      (void *)(uintptr_t)(t->target.vdso + VDSO_MARK), NULL);
	if (errno == ESRCH)
		return INJECT_GONE;
	return errno == 0 && word == t->target.mark ? 0 : INJECT_BUSY;
}

/** tracer_moved() - whether the thread has another address space than the one that was looked at */
bool tracer_moved(const struct tracer *t)
{
	return check_place(t) == INJECT_BUSY;
}

/* PTRACE_POKEDATA writes also where the process itself may not write; 1 us a word. */
static int poke(const struct tracer *t, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += sizeof(long)) {
		long word;

		memcpy(&word, bytes + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, t->target.tid, (void *)(uintptr_t)(t->slot + i),
			   (void *)word) < 0)
			return -errno;
	}
	return 0;
}

/* /proc/PID/mem does the same all at once, if the kernel lets it (proc_mem.force_override=). */
static bool write_memory(const struct tracer *t, const unsigned char *bytes, size_t n)
{
	return t->memory >= 0 && pwrite(t->memory, bytes, n, (off_t)t->slot) == (ssize_t)n;
}

/** tracer_put_stub() - writes the stub, for the registers that are to be gone back to */
int tracer_put_stub(struct tracer *t)
{
	unsigned char stub[STUB_SIZE] = { 0 };
	uint64_t then[5];
	int r = check_place(t);

	if (r != 0)
		return r;
	tracer_prctl(t, true, then);
	(void)arch_stub(&t->was, t->how, t->slot, t->mask,
			t->may_fire && t->target.thp_enabled ? then : NULL, stub);
	t->stub = true; /* a part of it, at least */
	t->direct = write_memory(t, stub, sizeof(stub));
	if (!t->direct) {
		t->may_fire = false;
		(void)arch_stub(&t->was, t->how, t->slot, t->mask, NULL, stub);
		r = poke(t, stub, sizeof(stub));
	}
	tracer_point(t, INJECT_AT_STUB_WRITTEN);
	return r;
}

/**
 * tracer_remove_stub() - makes its place zero again
 *
 * Where the address space is another one by now, there is nothing to be removed: what was written
 * through its descriptor is never looked for in the new one.
 */
int tracer_remove_stub(struct tracer *t)
{
	static const unsigned char zero[STUB_SIZE] = { 0 };
	int r = 0;

	if (t->stub && t->direct)
		(void)write_memory(t, zero, sizeof(zero));
	else if (t->stub && check_place(t) == 0)
		r = poke(t, zero, sizeof(zero));
	t->stub = false;
	tracer_point(t, INJECT_AT_STUB_REMOVED);
	return r;
}
