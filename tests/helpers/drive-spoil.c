/* SPDX-License-Identifier: MIT */
/*
 * Disturbs a process as a careless injector does, to see that a victim notices:
 *
 * detach	stops it and lets it go on: the kernel ends some calls with EINTR, or a short count
 * return:N	the call that it is blocked in returns N
 * gap		the call is about to be restarted when a signal comes
 * register	changes general registers between system calls
 * vector	changes a vector register between system calls
 * flag		makes it call prctl(2) instead of going on with the call that it is blocked in
 * swallow	keeps a signal from it
 * rseq		makes the kernel forget that a restartable sequence was under way
 * continue	sends SIGCONT
 */
#include "drive.h"

#include <elf.h>
#include <errno.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static long trace(long request, pid_t tid, void *addr, void *data)
{
	return syscall(SYS_ptrace, request, tid, addr, data);
}

static bool stop(pid_t tid, int *ret_status)
{
	return trace(PTRACE_SEIZE, tid, NULL, NULL) == 0 &&
	       trace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0 &&
	       waitpid(tid, ret_status, __WALL) == tid && WIFSTOPPED(*ret_status);
}

/* A signal that has come instead of the stop that was asked for is passed on. */
static void release(pid_t tid, int status)
{
	long sig = status >> 16 ? 0 : WSTOPSIG(status);

	(void)trace(PTRACE_DETACH, tid, NULL, (void *)sig);
}

#ifdef __x86_64__

static bool blocked(const struct user_regs_struct *regs)
{
	long ax = (long)regs->rax;

	return (long)regs->orig_rax >= 0 &&
	       (ax == -512 || ax == -513 || ax == -514 || ax == -516 || ax == -EINTR);
}

static bool change_general(struct user_regs_struct *regs)
{
	if ((long)regs->orig_rax >= 0)
		return false;
	regs->rax ^= 1;
	regs->rdx ^= 1;
	regs->rcx ^= 1;
	return true;
}

static void call_prctl(struct user_regs_struct *regs)
{
	const bool compat = regs->cs == 0x23;

	regs->rip -= 2;
	regs->orig_rax = (unsigned long long)-1;
	regs->rax = compat ? 172 : 157;
	regs->rdx = 0;
	if (compat) {
		regs->rbx = 41;
		regs->rcx = 1;
		regs->rsi = regs->rdi = 0;
	} else {
		regs->rdi = 41;
		regs->rsi = 1;
		regs->r10 = regs->r8 = 0;
	}
}

static bool change_registers(pid_t tid, const char *how)
{
	struct user_regs_struct regs;
	bool done = true;

	if (trace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return false;
	if (strcmp(how, "register") == 0) {
		done = change_general(&regs);
	} else if (!blocked(&regs)) {
		return false;
	} else if (strcmp(how, "gap") == 0) {
		regs.rip -= 2;
		regs.rax = regs.orig_rax;
		regs.orig_rax = (unsigned long long)-1;
	} else if (strcmp(how, "flag") == 0) {
		call_prctl(&regs);
	} else {
		regs.rax = (unsigned long long)strtol(how + strlen("return:"), NULL, 10);
		regs.orig_rax = (unsigned long long)-1;
	}
	return done && trace(PTRACE_SETREGS, tid, NULL, &regs) == 0;
}

static bool change_vector(pid_t tid)
{
	struct user_fpregs_struct regs;

	if (trace(PTRACE_GETFPREGS, tid, NULL, &regs) < 0)
		return false;
	regs.xmm_space[4 * 7] ^= 1;
	return trace(PTRACE_SETFPREGS, tid, NULL, &regs) == 0;
}

#else

static bool change_registers(pid_t tid, const char *how)
{
	(void)tid;
	(void)how;
	return false;
}

static bool change_vector(pid_t tid)
{
	(void)tid;
	return false;
}

#endif

/* The word that says which sequence is under way lies 8 bytes into the thread's area. */
static bool forget_rseq(pid_t tid)
{
	struct {
		uint64_t address;
		uint32_t size, signature, flags, pad;
	} config;

	if (trace(0x420f /* PTRACE_GET_RSEQ_CONFIGURATION */, tid, (void *)sizeof(config),
		  &config) < 0)
		return false;
	return trace(PTRACE_POKEDATA, tid, (void *)(uintptr_t)(config.address + 8), NULL) == 0;
}

static bool once(pid_t tid, const char *how)
{
	bool done = false;
	int status = 0;

	if (!stop(tid, &status))
		return false;
	if (strcmp(how, "detach") == 0)
		done = true;
	else if (strcmp(how, "rseq") == 0)
		done = forget_rseq(tid);
	else if (strcmp(how, "vector") == 0)
		done = change_vector(tid);
	else if (status >> 16)
		done = change_registers(tid, how);
	/* Others must have come in between, or a signal. */
	if (done && (strcmp(how, "rseq") == 0 || strcmp(how, "gap") == 0))
		pause_us(6000);
	release(tid, status);
	return done;
}

/* Waits for one signal, and keeps it. */
static bool swallow(pid_t tid)
{
	bool swallowed = false;
	int status;

	if (!stop(tid, &status))
		return false;
	while (!swallowed && trace(PTRACE_CONT, tid, NULL, NULL) == 0 &&
	       waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status))
		swallowed = !(status >> 16);
	(void)trace(PTRACE_DETACH, tid, NULL, NULL);
	return swallowed;
}

int drive_spoil(pid_t tid, const char *how, int n)
{
	const int64_t begin = now_us();
	int done = 0;

	if (strcmp(how, "continue") == 0)
		return kill(tid, SIGCONT) < 0;
	while (done < n && now_us() - begin < 5000000) {
		done += strcmp(how, "swallow") == 0 ? swallow(tid) : once(tid, how);
		pause_us(random_below(3000));
	}
	printf("spoilt=%d\n", done);
	return done == n ? 0 : 1;
}
