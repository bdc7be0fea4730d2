/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_THP_FLAG_H
#define THPD_SYS_THP_FLAG_H

/* The calling process's own flag, as prctl(2) numbers it. */
enum thp_flag {
	THP_FLAG_CLEAR = 0,
	THP_FLAG_DISABLE = 1,
	THP_FLAG_EXCEPT_ADVISED = 3, /* 1 | PR_THP_DISABLE_EXCEPT_ADVISED */
};

int thp_flag_get(void);
int thp_flag_set(enum thp_flag flag);

#endif
