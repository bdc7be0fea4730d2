/* SPDX-License-Identifier: MIT */
/* What it does to a system call to be interrupted, on aarch64. */
#include "sys/inject-arch.h"

#ifdef __aarch64__

#include <sys/syscall.h>

#define NR_IO_PGETEVENTS 292
#define NR_IO_URING_ENTER 426
#define NR_CLONE3 435
#define NR_EPOLL_PWAIT2 441

/**
 * arch_eintr_restarts() - whether a call that ended with EINTR can be made again
 * @compat: of a 32-bit call
 * @nr: its number
 *
 * Calls that end with a plain EINTR where others would restart, because their relative time-out
 * cannot be kept, or because of a socket's time-out. All of them can be made again: none has done
 * anything when it returns EINTR.
 */
bool arch_eintr_restarts(bool compat, long nr)
{
	static const short list[] = {
		SYS_epoll_pwait,  NR_EPOLL_PWAIT2,     SYS_semop,
		SYS_semtimedop,	  SYS_rt_sigtimedwait, SYS_io_getevents,
		NR_IO_PGETEVENTS, NR_IO_URING_ENTER,   SYS_read,
		SYS_readv,	  SYS_recvfrom,	       SYS_recvmsg,
		SYS_recvmmsg,	  SYS_accept,	       SYS_accept4,
		SYS_connect,	  SYS_write,	       SYS_writev,
		SYS_sendto,	  SYS_sendmsg,
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (list[i] == nr)
			return true;
	return false;
}

/* Whether the flags of recvfrom(2) or recvmsg(2) ask for all or nothing. */
static bool wants_all(uint64_t flags)
{
	return flags & 0x100; /* MSG_WAITALL */
}

/**
 * arch_classify() - how well a blocked call takes to being interrupted
 * @compat: of a 32-bit process
 * @nr: its number
 * @args: its six arguments
 */
enum call_class arch_classify(bool compat, long nr, const uint64_t *args)
{
	switch (nr) {
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
	case SYS_clone: /* blocks in nothing but a vfork */
	case NR_CLONE3:
		return CALL_BAD;
	case SYS_wait4:
	case SYS_waitid:
		return CALL_TOLERABLE;
	case 426: /* io_uring_enter: says how many it has submitted, and waits no more */
		return args[1] ? CALL_BAD : CALL_TOLERABLE;
	case SYS_recvfrom:
		return wants_all(args[3]) ? CALL_BAD : CALL_GOOD;
	case SYS_recvmsg:
		return wants_all(args[2]) ? CALL_BAD : CALL_GOOD;
	case SYS_read:
	case SYS_readv:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
		return CALL_GOOD;
	default:
		return arch_eintr_restarts(false, nr) ? CALL_TOLERABLE : CALL_GOOD;
	}
}

#endif
