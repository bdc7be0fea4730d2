/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_STARTS_GUARD_H
#define THPD_APP_STARTS_GUARD_H

#include <stdbool.h>
#include <stdint.h>

int starts_guard_fork(void);
int32_t starts_guard_protect(void);
bool starts_guard_capable(void);

#endif
