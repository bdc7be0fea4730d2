/* SPDX-License-Identifier: MIT */
/* What it does to a 64-bit system call to be interrupted. */
#include "sys/inject-arch.h"

#if defined(__x86_64__) || defined(__aarch64__)

#include <sys/syscall.h>

/* The same on all architectures, and newer than some C libraries. */
#define NR_IO_URING_ENTER 426
#define NR_CLONE3 435
#define NR_EPOLL_PWAIT2 441

/**
 * native_eintr_restarts() - whether a 64-bit call that ended with EINTR can be made again
 * @nr: its number
 *
 * Calls that end with a plain EINTR where others would restart, because their relative time-out
 * cannot be kept, because it lies in memory that cannot be written, or because it is a socket's.
 * All of them can be made again: none has done anything when it returns EINTR.
 */
bool native_eintr_restarts(long nr)
{
	switch (nr) {
	case SYS_epoll_pwait:
	case NR_EPOLL_PWAIT2:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_io_getevents:
	case SYS_io_pgetevents:
	case NR_IO_URING_ENTER:
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_pselect6:
	case SYS_ppoll:
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
#ifdef SYS_select
	case SYS_select:
#endif
		return true;
	default:
		return false;
	}
}

/* Whether the flags of recvfrom(2) or recvmsg(2) ask for all or nothing. */
static enum call_class receive(uint64_t flags)
{
	return flags & 0x100 /* MSG_WAITALL */ ? CALL_BAD : CALL_GOOD;
}

/**
 * native_classify() - how well a blocked 64-bit call takes to being interrupted
 * @nr: its number
 * @args: its six arguments
 */
enum call_class native_classify(long nr, const uint64_t *args)
{
	switch (nr) {
	/* The interruption is seen: a part has been done. */
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_recvmmsg:
	case SYS_sendfile:
	case SYS_splice:
	case SYS_tee:
	case SYS_vmsplice:
	case SYS_copy_file_range:
		/* These block in nothing but a vfork. */
#ifdef SYS_vfork
	case SYS_vfork:
#endif
	case SYS_clone:
	case NR_CLONE3:
		return CALL_BAD;
	case SYS_wait4:
	case SYS_waitid:
		return CALL_TOLERABLE;
	case NR_IO_URING_ENTER: /* says how many it has submitted, and waits no more */
		return args[1] ? CALL_BAD : CALL_TOLERABLE;
	case SYS_recvfrom:
		return receive(args[3]);
	case SYS_recvmsg:
		return receive(args[2]);
	case SYS_read:
	case SYS_readv:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
		return CALL_GOOD;
	default:
		return native_eintr_restarts(nr) ? CALL_TOLERABLE : CALL_GOOD;
	}
}

#ifdef __aarch64__
/** arch_eintr_restarts() - whether a call that ended with EINTR can be made again */
bool arch_eintr_restarts(bool compat, long nr)
{
	return native_eintr_restarts(nr);
}

/** arch_classify() - how well a blocked call takes to being interrupted */
enum call_class arch_classify(bool compat, long nr, const uint64_t *args)
{
	return native_classify(nr, args);
}
#endif

#endif
