/* SPDX-License-Identifier: MIT */
/* How soon a thread that is woken runs on a busy processor. */
#ifndef THPD_SYS_SLICE_H
#define THPD_SYS_SLICE_H

int slice_shorten(void);

#endif
