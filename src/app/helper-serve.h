/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_HELPER_SERVE_H
#define THPD_APP_HELPER_SERVE_H

#include <stddef.h>

int helper_serve(int fd);
int helper_writers(int fd, const char *keys, size_t size, size_t n);

#endif
