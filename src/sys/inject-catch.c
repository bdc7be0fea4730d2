/* SPDX-License-Identifier: MIT */
/*
 * Catches a process in its exec. It is seized on the way in, and kept from PTRACE_EVENT_EXEC, in
 * which the new program is in place, to the PTRACE_EVENT_STOP on the way out, before its first
 * instruction, with the registers that it will begin with. There it is borrowed as any running
 * thread (inject-tracer.c): whatever moment the tracer is killed at, the program begins.
 *
 * PTRACE_SEIZE takes cred_guard_mutex, which an exec holds while it looks for its program's
 * interpreter (and before Linux 6.8 for the program), and until the program is in place
 * (prepare_bprm_creds() and setup_new_exec(), fs/exec.c). So it may have to wait for an exec that
 * waits for us, and nobody may wait for the thread that calls it.
 */
#include "sys/inject-catch.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "sys/inject-tracer.h"
#include "sys/paths.h"

#define GRACE_NS 500000 /* for an exec to end that was on its way when its thread was seized */
#define LOOK_NS 20000
#define TRY_AGAIN_NS 100000
#define TRIES 20
#define LOOK_AGAIN_NS 1000000

enum seen { SEEN_NOTHING, SEEN_EXEC, SEEN_STOP, SEEN_GONE };

/*
 * Looks at the one thread that this thread traces. It is not named: by an exec, another one than
 * the first of its process gets the first one's number (de_thread(), fs/exec.c). Signals, and stops
 * of the whole process, take their course.
 */
static enum seen look(struct tracer *t, int options)
{
	const int how = options | WSTOPPED | WEXITED | WNOWAIT | __WALL | __WNOTHREAD;

	for (;;) {
		siginfo_t info = { 0 };
		int status, sig = 0;
		uintptr_t pass = 0;
		int request = PTRACE_CONT;

		if (waitid(P_ALL, 0, &info, how) < 0)
			return errno == EINTR ? SEEN_NOTHING : SEEN_GONE;
		if (info.si_pid == 0)
			return SEEN_NOTHING;
		t->target.tid = info.si_pid;
		if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) {
			/* Its end is taken, for its parent waits to be told. */
			(void)waitpid(info.si_pid, &status, __WALL | __WNOTHREAD);
			return SEEN_GONE;
		}
		status = info.si_status << 8 | 0x7f;
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
			/*
			 * Taken, else one that has got another number by it cannot be spoken to
			 * (looks_like_a_spurious_pid(), kernel/ptrace.c); no signal is lost by
			 * that.
			 */
			(void)waitpid(info.si_pid, &status, __WALL | __WNOTHREAD | WNOHANG);
			return SEEN_EXEC;
		}
		switch (tracer_decode(status, &sig)) {
		case STOP_EVENT:
			return SEEN_STOP;
		case STOP_GROUP:
			request = PTRACE_LISTEN;
			break;
		case STOP_SIGNAL:
			pass = (uintptr_t)sig;
			break;
		default:
			break;
		}
		if (tracer_trace(t, request, pass) < 0)
			return SEEN_GONE;
	}
}

/* Whether the process runs the program already; a script is run by another one. */
static bool runs(const struct inject_catch *c)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), PATH_PROC "/%d/exe", c->tid);
	return stat(path, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino;
}

static void pause_ns(long ns)
{
	const struct timespec ts = { .tv_nsec = ns };

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* Whether the process has inherited what is wanted, as seen from outside. */
static bool has_it(const struct tracer *t)
{
	return t->request->flag == THP_FLAG_DISABLE && t->target.thp_enabled == 0;
}

/* From PTRACE_EVENT_EXEC to the release. */
static int at_exec(struct tracer *t)
{
	const int32_t pid = t->target.tid;
	const uint64_t began = monotonic_ns();
	int r, e;

	t->before.nr = -1;
	/* The stop that follows comes before the first instruction, and before any signal. */
	r = (int)tracer_trace(t, PTRACE_INTERRUPT, 0);
	if (r == 0)
		r = (int)tracer_trace(t, PTRACE_CONT, 0);
	if (r < 0)
		return tracer_result(r);
	/* While it is on its way there. */
	r = tracer_prepare(t, pid, 0);
	tracer_follow(t->target.cpu);
	t->target.tid = pid;
	e = tracer_wait_interrupted(t);
	if (e != 0)
		r = e;
	if (r == 0 && has_it(t)) {
		t->answer->before = t->answer->now = THP_FLAG_DISABLE;
		t->answer->stopped_ns = (uint32_t)(monotonic_ns() - began);
		if (!t->group_stop)
			(void)tracer_trace(t, PTRACE_CONT, 0);
		return 0;
	}
	return tracer_visit(t, r, began);
}

/*
 * The program seems to run already: it is interrupted as any other process would be. Which of both
 * was right, the stop tells. Returns INJECT_BUSY when it was not possible just now.
 */
static int at_work(struct tracer *t, struct inject_catch *c)
{
	const int32_t tid = t->target.tid;
	uint64_t began;
	enum seen seen;
	int r = tracer_prepare(t, tid, 0);

	if (r == 0 && t->target.tid != tid)
		r = INJECT_BUSY;
	t->target.tid = tid;
	if (r == 0 && has_it(t)) {
		t->answer->before = t->answer->now = THP_FLAG_DISABLE;
		c->late = true;
		return 0;
	}
	if (r == 0)
		tracer_early_look(t);
	/* In the middle of an exec all sorts of things are not found. */
	if (r != 0 || target_is_bad(&t->target))
		return INJECT_BUSY;
	began = monotonic_ns();
	r = (int)tracer_trace(t, PTRACE_INTERRUPT, 0);
	if (r < 0)
		return tracer_result(r);
	do
		seen = look(t, 0);
	while (seen == SEEN_NOTHING && !tracer_expired(t));
	if (seen == SEEN_EXEC)
		return at_exec(t);
	if (seen != SEEN_STOP)
		return seen == SEEN_GONE ? INJECT_GONE : INJECT_BUSY;
	c->late = true;
	return tracer_visit(t, 0, began);
}

/* From the seizure to the release. */
static int follow_exec(struct tracer *t, struct inject_catch *c)
{
	const uint64_t began = monotonic_ns();
	uint64_t next = began + GRACE_NS;
	int r;

	for (;;) {
		switch (look(t, c->waited ? 0 : WNOHANG)) {
		case SEEN_EXEC:
			return at_exec(t);
		case SEEN_GONE:
			return INJECT_GONE;
		case SEEN_STOP:
			(void)tracer_trace(t, PTRACE_CONT, 0);
			break;
		case SEEN_NOTHING:
			break;
		}
		if (tracer_expired(t))
			return INJECT_BUSY;
		if (c->waited)
			continue;
		if (monotonic_ns() >= next || (next == began + GRACE_NS && runs(c))) {
			r = at_work(t, c);
			if (r != INJECT_BUSY)
				return r;
			next = monotonic_ns() + LOOK_AGAIN_NS;
		}
		pause_ns(LOOK_NS);
	}
}

/* Whether ptrace(2) is refused because of another tracer. */
static int why_forbidden(struct tracer *t, struct inject_catch *c)
{
	int other = tracer_prepare(t, c->tid, 0) == 0 ? target_status(&t->target, "\nTracerPid:") :
							0;

	c->answer.other = other > 0 ? other : 0;
	return other > 0 ? INJECT_TRACED : INJECT_FORBIDDEN;
}

/**
 * inject_catch() - sets the THP flag of a process that is about to run a program
 * @c: which one; gets what has come of it
 *
 * The calling thread must end then, for that is what lets the process go; and another one may call
 * inject_catch_expire(). If the exec waits for `seized` (fanotify's FAN_OPEN_EXEC_PERM), the flag
 * is set before the first instruction. Else the program may run already, and is interrupted.
 *
 * Needs what inject() needs. Whatever becomes of the caller, the program begins as if nothing had
 * been, but for what is said of filters there.
 *
 * Return: 0; enum inject_result; negative errno; the same as in c->answer.
 */
int inject_catch(struct inject_catch *c)
{
	struct inject_request rq = { .pid = c->tid, .op = INJECT_SET, .flag = c->flag };
	struct tracer t = { .request = &rq,
			    .answer = &c->answer,
			    .memory = -1,
			    .sleeps = true,
			    .give_up = &c->expired };
	bool told = false;
	int r;

	t.target = (struct target)TARGET_NONE;
	t.target.pid = t.target.tid = c->tid;
	t.before.nr = -1;
	c->answer = (struct inject_answer){ .before = -1, .now = -1 };
	for (int tries = 0;; tries++) {
		t.target.tid = c->tid;
		r = (int)tracer_trace(&t, PTRACE_SEIZE, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC);
		/*
		 * Another tracer of ours may have it, for a cycle: it lets go in a moment. One that
		 * waits for it to stop has to be given way to: that one will set it, behind the
		 * exec.
		 */
		if (r == -EPERM && tries < TRIES) {
			pause_ns(TRY_AGAIN_NS);
			continue;
		}
		if (!told)
			c->seized(c);
		told = true;
		c->answer.error = r < 0 ? -r : 0;
		r = r == -EPERM ? INJECT_FORBIDDEN : r < 0 ? tracer_result(r) : follow_exec(&t, c);
		/*
		 * The first thread ends when another one makes the exec, and then is that one.
		 * Meanwhile it cannot be traced (ptrace_attach(), kernel/ptrace.c).
		 */
		if ((r != INJECT_GONE && r != INJECT_FORBIDDEN) || c->waited || tries >= TRIES)
			break;
		pause_ns(TRY_AGAIN_NS);
	}
	c->set_ns = monotonic_ns();
	if (r == INJECT_FORBIDDEN)
		r = why_forbidden(&t, c);
	if (t.target.start) {
		c->pid = t.target.pid;
		c->start = t.target.start;
	}
	c->answer.result = r;
	close_fd(t.memory);
	target_close(&t.target);
	return r;
}

static void wake(int sig)
{
	(void)sig;
}

/**
 * inject_catch_init() - once in a process that catches: inject_catch_expire() needs a signal
 *
 * Return: 0; negative errno.
 */
int inject_catch_init(void)
{
	struct sigaction sa = { .sa_handler = wake };

	(void)sigemptyset(&sa.sa_mask);
	return sigaction(TRACER_WAKE, &sa, NULL) < 0 ? -errno : 0;
}

/**
 * inject_catch_expire() - it has taken long enough
 * @c: the catch
 * @thread: who makes it, not joined yet
 *
 * To be called again and again until it has returned: the signal may come too early.
 */
void inject_catch_expire(struct inject_catch *c, pthread_t thread)
{
	__atomic_store_n(&c->expired, true, __ATOMIC_RELEASE);
	(void)pthread_kill(thread, TRACER_WAKE);
}
