/* SPDX-License-Identifier: MIT */
#include "sys/thp-flag.h"

#include <errno.h>
#include <sys/prctl.h>

#ifndef PR_SET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#define PR_GET_THP_DISABLE 42
#endif

/* Linux 6.18, include/uapi/linux/prctl.h; older headers do not have it. */
#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED (1 << 1)
#endif

/** thp_flag_get() - what is set for this process: an enum thp_flag, or negative errno */
int thp_flag_get(void)
{
	int r = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);

	return r < 0 ? -errno : r;
}

/**
 * thp_flag_set() - sets the flag of this process's address space, and reads it back
 * @flag: what to set; it stays over fork(2) and execve(2)
 *
 * Return: 0; -EINVAL for THP_FLAG_EXCEPT_ADVISED before Linux 6.18; -EIO when the kernel reports
 * something else than was set; another negative errno.
 */
int thp_flag_set(enum thp_flag flag)
{
	unsigned long how = flag == THP_FLAG_EXCEPT_ADVISED ? PR_THP_DISABLE_EXCEPT_ADVISED : 0;
	int r;

	if (prctl(PR_SET_THP_DISABLE, flag != THP_FLAG_CLEAR ? 1UL : 0UL, how, 0UL, 0UL) < 0)
		return -errno;
	r = thp_flag_get();
	if (r < 0)
		return r;
	return r == (int)flag ? 0 : -EIO;
}
