/* SPDX-License-Identifier: MIT */
/* Remote calls on x86-64: 64-bit processes, and 32-bit ones by way of int $0x80. */
#include "sys/inject-arch.h"

#ifdef __x86_64__

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#define USER32_CS 0x23U /* __USER32_CS, arch/x86/include/asm/segment.h */
#define NR_PRCTL_32 172
#define NR_RESTART_32 0

/* include/linux/errno.h: what a blocked call is left with when it is interrupted. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

_Static_assert(sizeof(struct user_regs_struct) <= sizeof(struct regs), "registers fit");

static struct user_regs_struct *x86(struct regs *r)
{
	return (struct user_regs_struct *)r->r;
}

/*
 * Behind the registers: the thread is in a 32-bit call, made by int $0x80. A 64-bit program may do
 * so, too, and only the instruction tells.
 */
#define INT80 39

static bool is_int80(const struct regs *r)
{
	return r->r[INT80] != 0;
}

static const struct user_regs_struct *cx86(const struct regs *r)
{
	return (const struct user_regs_struct *)r->r;
}

/** arch_supports() - whether processes of this machine can be reached, or 32-bit ones */
bool arch_supports(bool compat)
{
	return true;
}

/** arch_early() - NULL: interrupted calls are looked at after the stops */
const struct arch_early *arch_early(void)
{
	return NULL;
}

/** arch_keeps() - whether a system call leaves a running thread's registers alone */
bool arch_keeps(int32_t tid)
{
	return true;
}

/** arch_get() - the registers of a stopped thread; 0 or negative errno */
int arch_get(int32_t tid, struct regs *ret)
{
	struct regs r = { 0 };

	if (ptrace(PTRACE_GETREGS, tid, NULL, r.r) < 0)
		return -errno;
	if (arch_compat(&r)) {
		r.r[INT80] = 1;
	} else if ((int32_t)x86(&r)->orig_rax >= 0) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKTEXT, tid, (void *)(uintptr_t)(x86(&r)->rip - 2), NULL);
		r.r[INT80] = errno == 0 && (word & 0xffff) == 0x80cd;
	}
	*ret = r;
	return 0;
}

/** arch_set() - gives a stopped thread its registers, all at once; 0 or negative errno */
int arch_set(int32_t tid, const struct regs *regs)
{
	return ptrace(PTRACE_SETREGS, tid, NULL, regs->r) < 0 ? -errno : 0;
}

/** arch_compat() - whether the thread runs in 32-bit mode */
bool arch_compat(const struct regs *regs)
{
	return cx86(regs)->cs == USER32_CS;
}

/**
 * arch_settle() - finds out what a thread was doing, and sees to it that it will go on with it
 * @regs: of a thread in PTRACE_EVENT_STOP, the first one after PTRACE_INTERRUPT; a call that was
 *	left with a plain EINTR for our sake is turned into one that the kernel restarts, unless a
 *	signal handler is run
 * @before: unused; the registers tell all
 *
 * arch_do_signal_or_restart() and handle_signal() in arch/x86/kernel/signal.c tell what the kernel
 * will make of these registers.
 */
enum was arch_settle(struct regs *regs, const struct in_call *before)
{
	struct user_regs_struct *u = x86(regs);
	long nr = (int32_t)u->orig_rax;
	long result = arch_compat(regs) ? (int32_t)u->rax : (long)u->rax;

	if (nr < 0)
		return WAS_RUNNING;
	if (result == -EINTR && arch_eintr_restarts(is_int80(regs), nr)) {
		u->rax = (uint64_t)-ERESTARTNOHAND;
		return WAS_BLOCKED;
	}
	return result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND ||
			       result == -ERESTART_RESTARTBLOCK ?
		       WAS_BLOCKED :
		       WAS_RUNNING;
}

/* The number that the kernel would restart a blocked call with. */
static uint64_t restart_nr(const struct regs *was)
{
	const struct user_regs_struct *u = cx86(was);

	if ((int32_t)u->rax != -ERESTART_RESTARTBLOCK)
		return u->orig_rax;
	return is_int80(was) ? NR_RESTART_32 : SYS_restart_syscall;
}

static unsigned char *put(unsigned char *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

/* movabs $value, %reg */
static unsigned char *put_mov64(unsigned char *p, unsigned char rex, unsigned char op,
				uint64_t value)
{
	p = put(p, (unsigned char[]){ rex, op }, 2);
	return put(p, &value, 8);
}

/* mov $value, %reg32 */
static unsigned char *put_mov32(unsigned char *p, unsigned char op, uint64_t value)
{
	uint32_t v = (uint32_t)value;

	*p++ = op;
	return put(p, &v, 4);
}

/*
 * Another call with the same last arguments, if the first returned 0. Uses %ecx, which is put back
 * afterwards, or was lost by the first call.
 */
static unsigned char *put_then(unsigned char *p, bool compat, const uint64_t *then)
{
	const unsigned char *syscall = (const unsigned char *)(compat ? "\xcd\x80" : "\x0f\x05");

	/* mov %eax,%ecx; jrcxz or jecxz 1f; jmp 2f */
	p = put(p, "\x89\xc1\xe3\x02\xeb\x11", 6);
	p = put_mov32(p, 0xb8, compat ? NR_PRCTL_32 : SYS_prctl); /* 1: */
	p = put_mov32(p, compat ? 0xbb : 0xbf, then[0]);
	p = put_mov32(p, compat ? 0xb9 : 0xbe, then[1]);
	return put(p, syscall, 2); /* 2: follows */
}

static unsigned char *stub64(const struct user_regs_struct *u, enum was how, bool int80,
			     uint64_t nr, const uint64_t *then, unsigned char *p)
{
	uint64_t to = how == WAS_BLOCKED ? u->rip - 2 : u->rip;

	p = put(p, "\x0f\x05", 2); /* syscall */
	if (then)
		p = put_then(p, false, then);
	p = put_mov64(p, 0x48, 0xbf, u->rdi);
	p = put_mov64(p, 0x48, 0xbe, u->rsi);
	p = put_mov64(p, 0x48, 0xba, u->rdx);
	p = put_mov64(p, 0x49, 0xba, u->r10);
	p = put_mov64(p, 0x49, 0xb8, u->r8);
	p = how == WAS_BLOCKED ? put_mov32(p, 0xb8, nr) : put_mov64(p, 0x48, 0xb8, u->rax);
	/* Where a system call went on, they are what every one leaves in them. */
	if (how == WAS_RUNNING || int80) {
		p = put_mov64(p, 0x48, 0xb9, u->rcx);
		p = put_mov64(p, 0x49, 0xbb, u->r11);
	}
	p = put(p, "\xff\x25\0\0\0\0", 6); /* jmp *0(%rip) */
	return put(p, &to, 8);
}

static unsigned char *stub32(const struct user_regs_struct *u, enum was how, uint64_t nr,
			     uint64_t at, const uint64_t *then, unsigned char *stub)
{
	uint32_t to = (uint32_t)(how == WAS_BLOCKED ? u->rip - 2 : u->rip);
	unsigned char *p = put(stub, "\xcd\x80", 2); /* int $0x80 */

	if (then)
		p = put_then(p, true, then);
	p = put_mov32(p, 0xbb, u->rbx);
	p = put_mov32(p, 0xb9, u->rcx);
	p = put_mov32(p, 0xba, u->rdx);
	p = put_mov32(p, 0xbe, u->rsi);
	p = put_mov32(p, 0xbf, u->rdi);
	p = put_mov32(p, 0xb8, how == WAS_BLOCKED ? nr : u->rax);
	*p++ = 0xe9; /* jmp */
	to -= (uint32_t)at + (uint32_t)(p - stub) + 4;
	return put(p, &to, 4);
}

/** arch_reaches() - whether a stub at @at can jump to where a thread was */
bool arch_reaches(uint64_t at, const struct regs *was)
{
	return true;
}

/**
 * arch_stub() - code that makes a system call, then puts the thread back to where it was
 * @was: its registers, settled
 * @how: of arch_settle()
 * @at: where the code will lie in its address space
 * @mask: unused
 * @then: arguments of another call, made if the first one returns 0, whose arguments they are but
 *	for the first two; NULL: none
 * @stub: gets the code, at most STUB_SIZE bytes
 *
 * It uses no stack, and no instruction of it changes the flags.
 *
 * Return: the length of the code.
 */
size_t arch_stub(const struct regs *was, enum was how, uint64_t at, uint64_t mask,
		 const uint64_t *then, unsigned char *stub)
{
	const struct user_regs_struct *u = cx86(was);
	uint64_t nr = restart_nr(was);

	if (arch_compat(was))
		return (size_t)(stub32(u, how, nr, at, then, stub) - stub);
	return (size_t)(stub64(u, how, is_int80(was), nr, then, stub) - stub);
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
	struct user_regs_struct *u = x86(ret);

	*ret = *was;
	u->rip = at;
	u->orig_rax = (uint64_t)-1; /* no call to be restarted */
	if (arch_compat(was)) {
		u->rax = NR_PRCTL_32;
		u->rbx = args[0];
		u->rcx = args[1];
		u->rdx = args[2];
		u->rsi = args[3];
		u->rdi = args[4];
	} else {
		u->rax = SYS_prctl;
		u->rdi = args[0];
		u->rsi = args[1];
		u->rdx = args[2];
		u->r10 = args[3];
		u->r8 = args[4];
	}
}

/** arch_called() - whether a thread is in the stub's system call, or has just left it */
bool arch_called(const struct regs *now, uint64_t at)
{
	return cx86(now)->rip == at + 2 && (int32_t)cx86(now)->orig_rax >= 0;
}

/** arch_result() - what the stub's system call returned */
long arch_result(const struct regs *now)
{
	return arch_compat(now) ? (int32_t)cx86(now)->rax : (long)cx86(now)->rax;
}

/**
 * arch_in_gap() - whether the kernel has rewound a blocked call, and not yet restarted it
 * @now: registers in a signal stop
 * @was: the registers of the blocked call
 *
 * A signal that hits this gap would run its handler and then restart a call that it should have
 * ended. Every other register must be as it was: a loop may be about to make the call anew.
 */
bool arch_in_gap(const struct regs *now, const struct regs *was)
{
	struct regs rewound = *was;

	/* What every system call leaves in these, one of the stub's did too. */
	x86(&rewound)->rip -= 2;
	x86(&rewound)->orig_rax = cx86(now)->orig_rax;
	rewound.r[INT80] = now->r[INT80];
	if (!arch_compat(now)) {
		x86(&rewound)->rcx = cx86(now)->rcx;
		x86(&rewound)->r11 = cx86(now)->r11;
	}
	x86(&rewound)->rax = cx86(now)->rax; /* compared apart: of a 32-bit process, half of it */
	return (uint32_t)cx86(now)->rax == (uint32_t)restart_nr(was) &&
	       memcmp(&rewound, now, sizeof(rewound)) == 0;
}

/**
 * arch_clobbers() - whether the stub's call leaves traces in registers that a blocked call would
 * not
 *
 * Then the stub may not run to its end unwatched, unless the tracer is gone.
 */
bool arch_clobbers(const struct regs *was)
{
	return is_int80(was) && !arch_compat(was);
}

/** arch_pc() - where the thread goes on, or its call returns to */
uint64_t arch_pc(const struct regs *regs)
{
	return cx86(regs)->rip;
}

/** arch_in_stub() - whether a thread is in the stub that lies at @at */
bool arch_in_stub(const struct regs *now, uint64_t at)
{
	return cx86(now)->rip >= at && cx86(now)->rip < at + STUB_SIZE;
}

#endif
