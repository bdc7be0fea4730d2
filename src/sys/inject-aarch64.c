/* SPDX-License-Identifier: MIT */
/* Remote calls on arm64, for 64-bit processes. */
#include "sys/inject-arch.h"

#ifdef __aarch64__

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#define SVC 0xd4000001U
#define RET_X17 0xd65f0220U
#define BTYPE (UINT64_C(3) << 10) /* PSR_BTYPE_MASK */

/* include/linux/errno.h: what a blocked call is left with when it is interrupted. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/* Numbers that the C library may not know yet; include/uapi/asm-generic/unistd.h. */
#define NR_IO_PGETEVENTS 292
#define NR_IO_URING_ENTER 426
#define NR_EPOLL_PWAIT2 441

#define REGS_SIZE sizeof(struct user_regs_struct)
#define CODE 34 /* of struct regs: what the call of a blocked thread was interrupted with */

_Static_assert(REGS_SIZE == CODE * sizeof(uint64_t),
	       "registers, and something of ours behind them");

static struct user_regs_struct *arm(struct regs *r)
{
	return (struct user_regs_struct *)r->r;
}

static const struct user_regs_struct *carm(const struct regs *r)
{
	return (const struct user_regs_struct *)r->r;
}

/** arch_supports() - whether processes of this machine can be reached; 32-bit ones cannot */
bool arch_supports(bool compat)
{
	return !compat;
}

/** arch_get() - the registers of a stopped thread; 0 or negative errno */
int arch_get(int32_t tid, struct regs *ret)
{
	struct regs r = { 0 };
	struct iovec v = { .iov_base = r.r, .iov_len = REGS_SIZE };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &v) < 0)
		return -errno;
	if (v.iov_len != REGS_SIZE)
		return -EPROTO;
	*ret = r;
	return 0;
}

/**
 * arch_set() - gives a stopped thread its registers, all at once; 0 or negative errno
 *
 * x7 not in the stops at the beginning and end of a call, where it tells these apart and then is
 * what it was (arch/arm64/kernel/ptrace.c).
 */
int arch_set(int32_t tid, const struct regs *regs)
{
	struct iovec v = { .iov_base = (void *)regs->r, .iov_len = REGS_SIZE };

	return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &v) < 0 ? -errno : 0;
}

/** arch_compat() - whether the thread runs in 32-bit mode */
bool arch_compat(const struct regs *regs)
{
	return false;
}

/*
 * The state behind struct user_sve_header (asm/ptrace.h): 32 vectors, then 16 predicates and one
 * more.
 */
static bool sve_is_zero(const unsigned char *state, size_t vector)
{
	const size_t end = 32 * vector + 17 * (vector / 8);

	for (size_t i = 0; i < end; i++)
		if (state[i] && (i >= 32 * vector || i % vector >= 16))
			return false;
	return true;
}

/**
 * arch_keeps() - whether a system call leaves a running thread's registers alone
 *
 * It zeroes what SVE has more than the vectors of 128 bits, and leaves streaming mode
 * (Documentation/arch/arm64/sve.rst, sme.rst). A thread that has something there cannot be given it
 * back once its tracer is killed.
 */
bool arch_keeps(int32_t tid)
{
	static const struct {
		uintptr_t type;
		bool streaming;
	} sets[] = { { 0x405 /* NT_ARM_SVE */, false }, { 0x40b /* NT_ARM_SSVE */, true } };

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		struct {
			uint32_t size, max_size;
			uint16_t vector, max_vector, flags, reserved;
			unsigned char state[32 * 256 + 17 * 32]; /* of the longest vectors */
		} sve = { 0 };
		struct iovec v = { .iov_base = &sve, .iov_len = sizeof(sve) };

		if (ptrace(PTRACE_GETREGSET, tid, (void *)sets[i].type, &v) < 0)
			continue;
		if ((sve.flags & 1) /* SVE_PT_REGS_SVE: more than the vectors of 128 bits */ &&
		    (sets[i].streaming || sve.vector < 16 || sve.vector > 256 ||
		     !sve_is_zero(sve.state, sve.vector)))
			return false;
	}
	return true;
}

/*
 * What a call was interrupted with, of those that the kernel has rewound. It does not tell: known
 * from hrtimer_nanosleep(), futex_wait(), sigsuspend(), poll_select_finish() and their like. Most
 * are left with ERESTARTSYS.
 */
static uint64_t restart_code(long nr, const uint64_t *args)
{
	switch (nr) {
	case SYS_nanosleep:
	case SYS_restart_syscall:
		return ERESTART_RESTARTBLOCK;
	case SYS_clock_nanosleep:
		return args[1] & 1 /* TIMER_ABSTIME */ ? ERESTARTNOHAND : ERESTART_RESTARTBLOCK;
	case SYS_futex:
		switch (args[1] & 0x7f) {
		case 0: /* FUTEX_WAIT */
		case 9: /* FUTEX_WAIT_BITSET */
			return args[3] ? ERESTART_RESTARTBLOCK : ERESTARTSYS;
		default: /* FUTEX_LOCK_PI and its like */
			return ERESTARTNOINTR;
		}
	case SYS_rt_sigsuspend:
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_msgsnd:
	case SYS_msgrcv:
	case SYS_epoll_pwait:
	case NR_EPOLL_PWAIT2:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_io_getevents:
	case NR_IO_PGETEVENTS:
	case NR_IO_URING_ENTER:
		return ERESTARTNOHAND;
	default:
		return ERESTARTSYS;
	}
}

/**
 * arch_settle() - finds out what a thread was doing, and sees to it that it will go on with it
 * @regs: of a thread in PTRACE_EVENT_STOP, the first one after PTRACE_INTERRUPT; a blocked one's
 * are
 *	those with which it makes its call anew, also if the call was left with a plain EINTR for
 *	our sake
 * @before: the call that it was seen in before PTRACE_INTERRUPT
 *
 * do_signal() in arch/arm64/kernel/signal.c has rewound the call by now, or else left it with
 * EINTR. Neither can be told from a thread that runs and happens to be there, but by what was seen
 * before.
 */
enum was arch_settle(struct regs *regs, const struct in_call *before)
{
	struct user_regs_struct *u = arm(regs);

	regs->r[CODE] = 0;
	if (before->nr < 0 || (int32_t)u->regs[8] != before->nr || u->sp != before->sp ||
	    memcmp(u->regs + 1, before->args + 1, 5 * sizeof(uint64_t)) != 0)
		return WAS_RUNNING;
	if (u->pc == before->pc - 4 && u->regs[0] == before->args[0]) {
		regs->r[CODE] = restart_code(before->nr, before->args);
		return WAS_BLOCKED;
	}
	if (u->pc == before->pc && (long)u->regs[0] == -EINTR &&
	    arch_eintr_restarts(false, before->nr)) {
		u->pc -= 4;
		u->regs[0] = before->args[0];
		regs->r[CODE] = ERESTARTNOHAND;
		return WAS_BLOCKED;
	}
	return WAS_RUNNING;
}

/* The number that the kernel would restart a blocked call with, or else what x8 was. */
static uint64_t restart_nr(const struct regs *was)
{
	return was->r[CODE] == ERESTART_RESTARTBLOCK ? SYS_restart_syscall : carm(was)->regs[8];
}

/* Code, word by word; literals are counted in words, too. */
struct code {
	uint32_t word[STUB_SIZE / 4];
	unsigned int n;
};

enum {
	LITERALS = 16, /* x0 to x4, x8 */
	LITERAL_TO = 28,
	LITERAL_MASK = 30,
};

static void put(struct code *c, uint32_t word)
{
	c->word[c->n++] = word;
}

/* mov xREG, #value */
static void put_mov(struct code *c, unsigned int reg, uint32_t value)
{
	put(c, 0xd2800000U | value << 5 | reg);
}

/* ldr xREG, literal */
static void put_ldr(struct code *c, unsigned int reg, unsigned int literal, uint64_t value)
{
	memcpy(&c->word[literal], &value, sizeof(value));
	put(c, 0x58000000U | (literal - c->n) << 5 | reg);
}

/* rt_sigprocmask(SIG_SETMASK, &mask, NULL, 8) */
static void put_unblock(struct code *c, uint64_t mask)
{
	memcpy(&c->word[LITERAL_MASK], &mask, sizeof(mask));
	put_mov(c, 0, 2);
	put(c, 0x10000000U | (LITERAL_MASK - c->n) << 5 | 1); /* adr x1, mask */
	put_mov(c, 2, 0);
	put_mov(c, 3, 8);
	put_mov(c, 8, SYS_rt_sigprocmask);
	put(c, SVC);
}

static bool in_reach(int64_t words)
{
	return words >= -(1 << 25) && words < 1 << 25;
}

/*
 * A jump out of reach takes a register: x17, which a call of a function may change anyway. It is a
 * return: a branch would have to land where branches may.
 */
static void put_jump(struct code *c, uint64_t at, uint64_t to)
{
	int64_t words = (int64_t)(to - at) / 4 - c->n;

	if (in_reach(words)) {
		put(c, 0x14000000U | ((uint32_t)words & 0x3ffffffU)); /* b */
	} else {
		put_ldr(c, 17, LITERAL_TO, to);
		put(c, RET_X17);
	}
}

/**
 * arch_reaches() - whether a stub at @at can jump to where a thread was
 *
 * Else it takes a register, see put_jump(), which is lost when the tracer is killed.
 */
bool arch_reaches(uint64_t at, const struct regs *was)
{
	int64_t words = (int64_t)(carm(was)->pc - at) / 4;

	return in_reach(words) && in_reach(words - (int64_t)(STUB_SIZE / 4));
}

/**
 * arch_stub() - code that makes a system call, then puts the thread back to where it was
 * @was: its registers, settled
 * @how: of arch_settle()
 * @at: where the code will lie in its address space
 * @then: unused: nothing is fired here, see arch_early()
 * @mask: its signal mask; a blocked one's is restored
 * @stub: gets the code, at most STUB_SIZE bytes
 *
 * It uses no stack, and no instruction of it changes the flags.
 *
 * Return: the length of the code.
 */
size_t arch_stub(const struct regs *was, enum was how, uint64_t at, uint64_t mask,
		 const uint64_t *then, unsigned char *stub)
{
	const struct user_regs_struct *u = carm(was);
	struct code c = { .n = 0 };

	put(&c, SVC);
	if (how == WAS_BLOCKED)
		put_unblock(&c, mask);
	for (unsigned int i = 0; i < 5; i++)
		put_ldr(&c, i, LITERALS + 2 * i, u->regs[i]);
	put_ldr(&c, 8, LITERALS + 2 * 5, restart_nr(was));
	put_jump(&c, at, u->pc);
	memcpy(stub, c.word, sizeof(c.word));
	return sizeof(c.word);
}

static void idle(const struct regs *was, uint64_t at, struct regs *ret)
{
	*ret = *was;
	arm(ret)->pc = at;
	arm(ret)->pstate &= ~BTYPE; /* where it goes, no branch has led */
	arm(ret)->regs[8] = SYS_getpid;
}

static void interrupted(const struct regs *was, struct regs *ret)
{
	*ret = *was;
	arm(ret)->pc += 4;
	arm(ret)->regs[0] = -was->r[CODE];
}

/** arch_early() - how a thread is made to look interrupted again */
const struct arch_early *arch_early(void)
{
	static const struct arch_early early = { .idle = idle, .interrupted = interrupted };

	return &early;
}

/**
 * arch_call() - registers with which a thread makes the stub's system call, prctl(2)
 * @was: its registers, settled
 * @at: where the stub is
 * @args: the five arguments
 * @ret: the registers
 */
void arch_call(const struct regs *was, uint64_t at, const uint64_t *args, struct regs *ret)
{
	idle(was, at, ret);
	arm(ret)->regs[8] = SYS_prctl;
	memcpy(arm(ret)->regs, args, 5 * sizeof(*args));
}

/** arch_called() - whether a thread is in the stub's system call, or has just left it */
bool arch_called(const struct regs *now, uint64_t at)
{
	return carm(now)->pc == at + 4;
}

/** arch_result() - what the stub's system call returned */
long arch_result(const struct regs *now)
{
	return (long)carm(now)->regs[0];
}

/**
 * arch_in_gap() - whether the kernel has rewound a blocked call, and not yet restarted it
 * @now: registers in a signal stop
 * @was: the registers of the blocked call
 *
 * A signal that hits this gap would run its handler and then restart a call that it should have
 * ended.
 */
bool arch_in_gap(const struct regs *now, const struct regs *was)
{
	struct regs rewound = *was;

	arm(&rewound)->regs[8] = carm(now)->regs[8];
	return (carm(now)->regs[8] == carm(was)->regs[8] ||
		carm(now)->regs[8] == restart_nr(was)) &&
	       memcmp(&rewound, now, REGS_SIZE) == 0;
}

/** arch_pc() - where the thread goes on, or its call returns to */
uint64_t arch_pc(const struct regs *regs)
{
	return carm(regs)->pc + (regs->r[CODE] ? 4 : 0);
}

/** arch_in_stub() - whether a thread is in the stub that lies at @at */
bool arch_in_stub(const struct regs *now, uint64_t at)
{
	return carm(now)->pc >= at && carm(now)->pc < at + STUB_SIZE;
}

/** arch_clobbers() - whether the stub's call leaves traces that a blocked call would not */
bool arch_clobbers(const struct regs *was)
{
	return false;
}

#endif
