/* SPDX-License-Identifier: MIT */
/*
 * Victims that wait for a signal which must break their call, once each. A peer sends it when the
 * call is known to be under way, and says so when the victim does not come back.
 */
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

struct broken {
	unsigned int turn;
	int empty; /* a pipe that nobody writes to */
};

static volatile sig_atomic_t handled, last_value;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	handled++;
	last_value = info->si_value.sival_int;
}

static void poke_run(void *arg)
{
	const int sig = *(int *)arg;
	union sigval value;

	for (unsigned int turn = 1;; turn++) {
		while (atomic_load(&shared->cells[CELL_TURN]) != turn)
			nap(20000);
		wait_asleep(victim_pid);
		dawdle(2000);
		value.sival_int = (int)turn;
		if (sigqueue(victim_pid, sig, value) < 0)
			_exit(0);
		for (int64_t begin = now_ns(); atomic_load(&shared->cells[CELL_DONE]) != turn;) {
			nap(20000);
			if (now_ns() - begin < 3000 * MS)
				continue;
			anomaly("a signal has not broken the call, in round %u", turn);
			(void)sigqueue(victim_pid, sig, value);
			begin = now_ns();
		}
	}
}

static void turn_begins(struct broken *s)
{
	atomic_store(&shared->cells[CELL_TURN], ++s->turn);
}

/* A call has returned @r. */
static void turn_ends(struct broken *s, const char *what, long r, int before)
{
	if (r >= 0)
		anomaly("%s returned %ld instead of being broken", what, r);
	else if (errno != EINTR)
		anomaly("%s: %s", what, strerror(errno));
	if (handled != before + 1)
		anomaly("%s: broken by %d signals", what, handled - before);
	else if (last_value != (int)s->turn)
		anomaly("%s: broken by signal %d instead of %u", what, (int)last_value, s->turn);
	atomic_store(&shared->cells[CELL_DONE], s->turn);
}

/* --- pause */

static int usr2 = SIGUSR2;

static void pause_begin(void *state)
{
	handle(SIGUSR2, on_signal, 0);
	peer(poke_run, &usr2);
}

static void pause_round(void *state)
{
	int before = handled;

	turn_begins(state);
	turn_ends(state, "pause", pause(), before);
}

/* --- sigsuspend, outside of which the signal is blocked */

static void sigsuspend_begin(void *state)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	must(sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
	pause_begin(state);
}

static void sigsuspend_round(void *state)
{
	int before = handled;
	sigset_t set;

	sigemptyset(&set);
	turn_begins(state);
	turn_ends(state, "sigsuspend", sigsuspend(&set), before);
	if (sigprocmask(SIG_BLOCK, NULL, &set) < 0 || !sigismember(&set, SIGUSR2))
		anomaly("sigsuspend has left another signal mask");
}

/* --- a read that a handler without SA_RESTART must break */

static void broken_begin(void *state)
{
	struct broken *s = state;
	int fds[2];

	make_pair(fds, 0);
	s->empty = fds[0];
	/* Of the other end a copy stays with the process, so that the pipe has a writer. */
	pause_begin(state);
}

static void broken_round(void *state)
{
	struct broken *s = state;
	int before = handled;
	char c;

	turn_begins(s);
	turn_ends(s, "read", read(s->empty, &c, 1), before);
}

/*
 * --- alarm: the same with a timer, which can expire before the read has begun, on a busy machine.
 * The handler finds out where it came: at the end of the call, or at its beginning. There it makes
 * the call end, as one that watches for signals has to; but it may come there only when the call
 * has not been begun, so the thread has never slept.
 */

long alarm_read(int fd, void *buf, size_t n);
extern const char alarm_read_call[], alarm_read_done[];

/* clang-format off */
#ifdef __x86_64__
#define IP(context) ((context)->uc_mcontext.gregs[REG_RIP])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
__asm__(".pushsection .text\n"
	".globl alarm_read, alarm_read_call, alarm_read_done\n"
	".type alarm_read, @function\n"
	"alarm_read:		xor %eax, %eax\n"
	"alarm_read_call:	syscall\n"
	"alarm_read_done:	ret\n"
	".size alarm_read, . - alarm_read\n"
	".popsection\n");
#elif defined(__aarch64__)
#define IP(context) ((context)->uc_mcontext.pc)
#define RESULT(context) ((context)->uc_mcontext.regs[0])
__asm__(".pushsection .text\n"
	".globl alarm_read, alarm_read_call, alarm_read_done\n"
	".type alarm_read, @function\n"
	"alarm_read:		mov x8, 63\n"
	"alarm_read_call:	svc 0\n"
	"alarm_read_done:	ret\n"
	".size alarm_read, . - alarm_read\n"
	".popsection\n");
#else
#define IP(context) ((context)->uc_mcontext.gregs[REG_EIP])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_EAX])
__asm__(".pushsection .text\n"
	".globl alarm_read, alarm_read_call, alarm_read_done\n"
	".type alarm_read, @function\n"
	"alarm_read:		push %ebx\n"
	"			mov 8(%esp), %ebx\n"
	"			mov 12(%esp), %ecx\n"
	"			mov 16(%esp), %edx\n"
	"			mov $3, %eax\n"
	"alarm_read_call:	int $0x80\n"
	"alarm_read_done:	pop %ebx\n"
	"			ret\n"
	".size alarm_read, . - alarm_read\n"
	".popsection\n");
#endif
/* clang-format on */

static long slept_before;

static long times_slept(void)
{
	struct rusage usage;

	must(getrusage(RUSAGE_THREAD, &usage), "getrusage");
	return usage.ru_nvcsw;
}

static void on_alarm(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uintptr_t ip = (uintptr_t)IP(uc);

	handled++;
	if (ip == (uintptr_t)alarm_read_done)
		return;
	if (times_slept() != slept_before)
		anomaly("an alarm has come %s a read that was under way",
			ip == (uintptr_t)alarm_read_call ? "in the restart of" : "outside of");
	if (ip >= (uintptr_t)alarm_read && ip <= (uintptr_t)alarm_read_call) {
		IP(uc) = (uintptr_t)alarm_read_done;
		RESULT(uc) = -EINTR;
	} else {
		/* Not there yet: once more. */
		struct itimerval soon = { .it_value.tv_usec = 2000 };

		handled--;
		must(setitimer(ITIMER_REAL, &soon, NULL), "setitimer");
	}
}

static void alarm_begin(void *state)
{
	struct broken *s = state;
	int fds[2];

	make_pair(fds, 0);
	s->empty = fds[0];
	handle(SIGALRM, on_alarm, 0);
}

static void alarm_round(void *state)
{
	struct broken *s = state;
	struct itimerval after = { .it_value.tv_usec = 500 + (suseconds_t)(s->turn++ * 97 % 4000) };
	int before = handled;
	char c;
	long r;

	slept_before = times_slept();
	must(setitimer(ITIMER_REAL, &after, NULL), "setitimer");
	r = alarm_read(s->empty, &c, 1);
	if (r != -EINTR)
		anomaly("a read returned %ld instead of being broken by an alarm", r);
	if (handled != before + 1)
		anomaly("%d alarms have broken one read", handled - before);
}

const struct kind kinds_signal[] = {
	{ "pause", sizeof(struct broken), pause_begin, pause_round, NULL },
	{ "sigsuspend", sizeof(struct broken), sigsuspend_begin, sigsuspend_round, NULL },
	{ "broken", sizeof(struct broken), broken_begin, broken_round, NULL },
	{ "alarm", sizeof(struct broken), alarm_begin, alarm_round, NULL },
	{ 0 },
};
