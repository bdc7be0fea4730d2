/* SPDX-License-Identifier: MIT */
/* What it does to a system call to be interrupted, 32-bit ones included. */
#include "sys/inject-arch.h"

#ifdef __x86_64__

/**
 * arch_eintr_restarts() - whether a call that ended with EINTR can be made again
 * @compat: of a 32-bit call
 * @nr: its number
 */
bool arch_eintr_restarts(bool compat, long nr)
{
	/*
	 * arch/x86/entry/syscalls/syscall_32.tbl, in native_eintr_restarts()'s order; 102
	 * socketcall, 117 ipc.
	 */
	static const short compat32[] = { 256, 319, 441, 117, 420, 177, 421, 247, 385, 416,
					  426, 3,   145, 371, 372, 337, 417, 364, 362, 4,
					  146, 369, 370, 102, 82,  142, 308, 309, 413, 414 };

	if (!compat)
		return native_eintr_restarts(nr);
	for (size_t i = 0; i < ARRAY_SIZE(compat32); i++)
		if (compat32[i] == nr)
			return true;
	return false;
}

static enum call_class classify32(long nr, const uint64_t *args)
{
	switch (nr) {
	case 4:	  /* write */
	case 120: /* clone: blocks in nothing but a vfork */
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
	case 435: /* clone3 */
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
	return compat ? classify32(nr, args) : native_classify(nr, args);
}

#endif
