/* SPDX-License-Identifier: MIT */
/* What it does to a system call to be interrupted, on x86-64. */
#include "sys/inject-arch.h"

#ifdef __x86_64__

#include <sys/syscall.h>

/**
 * arch_eintr_restarts() - whether a call that ended with EINTR can be made again
 * @compat: of a 32-bit call
 * @nr: its number
 *
 * Calls that end with a plain EINTR where others would restart, because their relative time-out
 * cannot be kept, because it lies in memory that cannot be written, or because it is a socket's.
 * All of them can be made again: none has done anything when it returns EINTR.
 */
bool arch_eintr_restarts(bool compat, long nr)
{
	static const short native[] = {
		SYS_epoll_wait,
		SYS_epoll_pwait,
		441 /* epoll_pwait2 */,
		SYS_semop,
		SYS_semtimedop,
		SYS_rt_sigtimedwait,
		SYS_io_getevents,
		333 /* io_pgetevents */,
		426 /* io_uring_enter */,
		SYS_read,
		SYS_readv,
		SYS_recvfrom,
		SYS_recvmsg,
		SYS_recvmmsg,
		SYS_accept,
		SYS_accept4,
		SYS_connect,
		SYS_write,
		SYS_writev,
		SYS_sendto,
		SYS_sendmsg,
		SYS_select,
		SYS_pselect6,
		SYS_ppoll,
	};
	/* arch/x86/entry/syscalls/syscall_32.tbl, in the same order; 102 socketcall, 117 ipc. */
	static const short compat32[] = { 256, 319, 441, 117, 420, 177, 421, 247, 385, 416,
					  426, 3,   145, 371, 372, 337, 417, 364, 362, 4,
					  146, 369, 370, 102, 82,  142, 308, 309, 413, 414 };
	const short *list = compat ? compat32 : native;
	size_t n = compat ? ARRAY_SIZE(compat32) : ARRAY_SIZE(native);

	for (size_t i = 0; i < n; i++)
		if (list[i] == nr)
			return true;
	return false;
}

/* The calls whose interruption is seen, and those that are best let alone. */
static enum call_class classify64(long nr, const uint64_t *args)
{
	switch (nr) {
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case 328: /* pwritev2 */
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_recvmmsg:
	case SYS_sendfile:
	case SYS_splice:
	case SYS_tee:
	case SYS_vmsplice:
	case 326: /* copy_file_range */
	case SYS_vfork:
		return CALL_BAD;
	case SYS_wait4:
	case SYS_waitid:
		return CALL_TOLERABLE;
	case 426: /* io_uring_enter: says how many it has submitted, and waits no more */
		return args[1] ? CALL_BAD : CALL_TOLERABLE;
	case SYS_recvfrom:
		return args[3] & 0x100 ? CALL_BAD : CALL_GOOD; /* MSG_WAITALL */
	case SYS_recvmsg:
		return args[2] & 0x100 ? CALL_BAD : CALL_GOOD;
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

static enum call_class classify32(long nr, const uint64_t *args)
{
	switch (nr) {
	case 4:	  /* write */
	case 146: /* writev */
	case 181: /* pwrite64 */
	case 187: /* sendfile */
	case 190: /* vfork */
	case 239: /* sendfile64 */
	case 313: /* splice */
	case 315: /* tee */
	case 316: /* vmsplice */
	case 334: /* pwritev */
	case 337: /* recvmmsg */
	case 345: /* sendmmsg */
	case 369: /* sendto */
	case 370: /* sendmsg */
	case 377: /* copy_file_range */
	case 379: /* pwritev2 */
	case 417: /* recvmmsg_time64 */
		return CALL_BAD;
	case 7:	  /* waitpid */
	case 114: /* wait4 */
	case 284: /* waitid */
		return CALL_TOLERABLE;
	case 426: /* io_uring_enter */
		return args[1] ? CALL_BAD : CALL_TOLERABLE;
	case 371: /* recvfrom */
		return args[3] & 0x100 ? CALL_BAD : CALL_GOOD;
	case 372: /* recvmsg */
		return args[2] & 0x100 ? CALL_BAD : CALL_GOOD;
	case 102: /* socketcall: send, sendto, sendmsg, sendmmsg, recvmmsg; the rest as it comes */
		return args[0] == 9 || args[0] == 11 || args[0] == 16 || args[0] == 19 ||
				       args[0] == 20 ?
			       CALL_BAD :
			       CALL_TOLERABLE;
	default:
		return arch_eintr_restarts(true, nr) ? CALL_TOLERABLE : CALL_GOOD;
	}
}

/**
 * arch_classify() - how well a blocked call takes to being interrupted
 * @compat: of a 32-bit process
 * @nr: its number
 * @args: its six arguments
 */
enum call_class arch_classify(bool compat, long nr, const uint64_t *args)
{
	return compat ? classify32(nr, args) : classify64(nr, args);
}

#endif
