/* SPDX-License-Identifier: MIT */
/*
 * prctl(2) on other processes. All tracing is done in a process of its own, which is forked for a
 * batch and ends with it, in a thread of its own for each target: whatever a target is left in, the
 * end of that thread lets it go. A SIGKILL of the caller does not even interrupt the one at hand.
 */
#include "sys/inject.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "sys/inject-tracer.h"
#include "sys/slice.h"

#define BATCH 256U
#define STACK_SIZE ((size_t)128 * 1024)
#define STOP_WAIT_MS 500U   /* for a thread to stop: on a busy machine it may wait for a CPU */
#define PATIENCE_MS 200U    /* for a process to come out of what cannot be interrupted */
#define RELEASE_WAIT_MS 20U /* for another tracer, or a vfork(2) child's exec */

const char *const inject_words[] = {
	[INJECT_OK] = "ok",
	[INJECT_GONE] = "gone",
	[INJECT_TRACED] = "traced",
	[INJECT_FORBIDDEN] = "forbidden",
	[INJECT_SECCOMP] = "seccomp",
	[INJECT_BUSY] = "busy",
	[INJECT_SHARED] = "shared",
	[INJECT_UNSUPPORTED] = "unsupported",
	[INJECT_REJECTED] = "rejected",
	[INJECT_DIFFERS] = "differs",
	[INJECT_FULL] = "full",
	[INJECT_UNFINISHED] = "unfinished",
	NULL,
};

const char *const inject_point_words[] = {
#define X(name) #name,
	INJECT_POINTS
#undef X
		NULL,
};

static void wake(int sig)
{
	(void)sig;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

/* Waits for the end of a tracer; one that waits too long for its target is woken. */
static void join(pthread_t thread, struct tracer *t)
{
	for (unsigned int ms = STOP_WAIT_MS;; ms = 1) {
		struct timespec until;

		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += (long)ms * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
			return;
		__atomic_store_n(&t->expired, true, __ATOMIC_RELEASE);
		(void)pthread_kill(thread, TRACER_WAKE);
	}
}

static int run_tracer(struct tracer *t)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r = pthread_attr_init(&attr);

	if (r == 0)
		r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (r == 0)
		r = pthread_create(&thread, &attr, tracer_run, t);
	(void)pthread_attr_destroy(&attr);
	if (r != 0)
		return -r;
	join(thread, t);
	return t->answer->result;
}

/* Whether ptrace(2) is refused because of another tracer, or because there is nothing to trace. */
static int why_forbidden(const struct inject_request *rq, struct inject_answer *answer)
{
	struct target t = TARGET_NONE;
	int r = target_look(rq->pid, rq->start, &t), other = 0;

	/* Nobody may trace what has ended (ptrace_attach(), kernel/ptrace.c). */
	if (r != INJECT_GONE) {
		t.status = target_open(&t, t.pid, "status", O_RDONLY);
		other = target_status(&t, "\nTracerPid:");
	}
	target_close(&t);
	answer->other = other > 0 ? other : 0;
	return other > 0			   ? INJECT_TRACED :
	       r == INJECT_GONE || other == -ESRCH ? INJECT_GONE :
						     INJECT_FORBIDDEN;
}

/*
 * Whether the process is seen to have what is wanted, from outside: then it need not be touched.
 * @fired_from: what was seen when it was last sent through the stub, or -1: that has come true
 * meanwhile, or it will have to be watched.
 */
static bool is_done(struct tracer *t, int fired_from)
{
	const int enabled = t->target.thp_enabled;

	if (t->request->op != INJECT_SET || enabled < 0)
		return false;
	t->watch = fired_from == enabled;
	if (fired_from < 0 && (enabled || t->request->flag != THP_FLAG_DISABLE))
		return false;
	if (t->answer->before < 0 && !t->watch)
		t->answer->before = fired_from > 0 ? THP_FLAG_CLEAR : THP_FLAG_DISABLE;
	t->answer->now = enabled ? THP_FLAG_CLEAR : THP_FLAG_DISABLE;
	return !t->watch;
}

static int try_once(const struct inject_request *rq, int *fired_from, struct inject_answer *answer)
{
	struct tracer t = { .request = rq, .answer = answer };
	int r = target_look(rq->pid, rq->start, &t.target);
	bool done;

	if (r == 0)
		r = target_choose(&t.target);
	done = r == 0 && is_done(&t, *fired_from);
	if (r == 0 && !done)
		r = target_slot(&t.target, &t.vdso_slot);
	if (r == 0 && !done) {
		tracer_follow(t.target.cpu);
		t.memory = target_open(&t.target, t.target.tid, "mem", O_RDWR);
		r = run_tracer(&t);
		close_fd(t.memory);
		if (t.fired)
			*fired_from = t.target.thp_enabled;
	}
	/* It can end between any two looks. */
	if (r == -ESRCH)
		r = INJECT_GONE;
	/* A thread may end while its process goes on. */
	if (r == INJECT_GONE && t.target.tid != rq->pid && t.target.tid != 0)
		r = INJECT_BUSY;
	target_close(&t.target);
	return r == INJECT_FORBIDDEN ? why_forbidden(rq, answer) : r;
}

/* Tries until it is done, or for as long as the reason may pass. */
static void serve(const struct inject_request *rq, pid_t parent, struct inject_answer *ret)
{
	struct inject_answer answer = { .before = -1 };
	unsigned int waited = 0, step = 1, patience;
	int r, fired_from = -1;

	for (;;) {
		/* What an earlier try has set already is not what was there before. */
		answer = (struct inject_answer){ .before = answer.before, .now = -1 };
		r = try_once(rq, &fired_from, &answer);
		/*
		 * Of a tracer that ended a moment ago, the kernel may not have let go yet; in the
		 * middle of an exec there is no vdso, or something else in its place.
		 */
		patience = r == INJECT_BUSY || r == INJECT_UNSUPPORTED ? PATIENCE_MS :
			   r == INJECT_TRACED || r == INJECT_SHARED || r == INJECT_FULL ?
									 RELEASE_WAIT_MS :
			   r == INJECT_FORBIDDEN && answer.error == EPERM ? 2 :
									    0;
		/*
		 * Whom nobody waits for any more must not come in between with what was wanted
		 * then.
		 */
		if (waited >= patience || getppid() != parent)
			break;
		sleep_ms(step);
		waited += step;
		step = step < 16 ? step * 2 : step;
	}
	answer.result = r;
	*ret = answer;
}

/* The process that traces. Ends early when nobody waits for it any more. */
static _Noreturn void trace_batch(const struct inject_request *requests, size_t n,
				  struct inject_answer *answers, pid_t parent)
{
	struct sigaction sa = { .sa_handler = wake };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, TRACER_WAKE);
	(void)sigaction(TRACER_WAKE, &sa, NULL);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	/* Nobody is kept stopped while others finish their turn; where it cannot be, they may. */
	(void)slice_shorten();
	for (size_t i = 0; i < n && getppid() == parent; i++)
		if (answers[i].result == INJECT_UNFINISHED)
			serve(&requests[i], parent, &answers[i]);
	_Exit(0);
}

/* One batch. Returns 0 or negative errno. */
static int run_batch(const struct inject_request *requests, size_t n, struct inject_answer *answers)
{
	sigset_t all, saved;
	pid_t self = getpid(), pid;
	int r;

	/* What the caller is told by signals, the tracer must not hear: ^C goes to both. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &saved);
	pid = fork();
	r = pid < 0 ? -errno : 0;
	if (pid == 0)
		trace_batch(requests, n, answers, self);
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

/* What may never be touched, or needs no look. */
static int refuse(const struct inject_request *rq)
{
	if (!arch_supports(false))
		return INJECT_UNSUPPORTED;
	/* PID 1 hands its flag to everything that is started from then on. */
	if (rq->pid <= 1 || rq->pid == getpid())
		return INJECT_FORBIDDEN;
	if (rq->op != INJECT_GET && rq->op != INJECT_SET)
		return -EINVAL;
	if (rq->op == INJECT_SET && rq->flag != THP_FLAG_CLEAR && rq->flag != THP_FLAG_DISABLE &&
	    rq->flag != THP_FLAG_EXCEPT_ADVISED)
		return -EINVAL;
	return INJECT_UNFINISHED;
}

/**
 * inject() - asks processes for their THP flag, or sets it, and reads it back
 * @requests: which ones, and what; a process is named by pid and start time
 * @n: how many
 * @ret: an answer for each one
 *
 * Works on processes of any user, namespace and word size, also stopped ones, and on those with
 * seccomp filters if the caller has none itself. Needs CAP_SYS_PTRACE, CAP_DAC_OVERRIDE for other
 * users' files in /proc, and for filtered ones CAP_SYS_ADMIN. Each is stopped for some 50 us.
 * Whatever becomes of the caller or of the tracer, the processes go on as if nothing had been;
 * only one that is in epoll_wait(2) or one of its kind (see arch_settle()) sees an EINTR if the
 * tracer is killed right between its stop and the look at its registers. A filter that kills its
 * process on prctl(2) is suspended for the time of the call; here a SIGKILL at the tracer itself,
 * not at the caller, can do harm in the few microseconds of the call.
 *
 * Return: 0, with an enum inject_result or a negative errno in each answer; negative errno when
 * nothing could be begun.
 */
int inject(const struct inject_request *requests, size_t n, struct inject_answer *ret)
{
	const size_t size = BATCH * sizeof(struct inject_answer);
	struct inject_answer *shared;
	int r = 0;

	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	for (size_t from = 0; from < n && r == 0; from += BATCH) {
		size_t some = n - from < BATCH ? n - from : BATCH;

		for (size_t i = 0; i < some; i++)
			shared[i] = (struct inject_answer){ .result = refuse(&requests[from + i]),
							    .before = -1,
							    .now = -1 };
		r = run_batch(requests + from, some, shared);
		memcpy(ret + from, shared, some * sizeof(*ret));
	}
	(void)munmap(shared, size);
	return r;
}
