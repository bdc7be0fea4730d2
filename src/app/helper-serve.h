/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_HELPER_SERVE_H
#define THPD_APP_HELPER_SERVE_H

int helper_serve(int fd);
int helper_writers(int fd);

#endif
