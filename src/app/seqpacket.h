/* SPDX-License-Identifier: MIT */
/* The sockets by which the parts of the daemon reach each other; for root only. */
#ifndef THPD_APP_SEQPACKET_H
#define THPD_APP_SEQPACKET_H

#include <sys/types.h>

#define LISTEN_FD 3 /* SD_LISTEN_FDS_START, sd_listen_fds(3) */

int seqpacket_listen(const char *path, int flags);
int seqpacket_connect(const char *path, int flags, time_t room_s);
int seqpacket_accept(int listener, int flags);
int seqpacket_passed(void);

#endif
