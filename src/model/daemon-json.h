/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_DAEMON_JSON_H
#define THPD_MODEL_DAEMON_JSON_H

#include "base/arena.h"
#include "model/daemon.h"

int daemon_parse(const char *text, size_t len, struct arena *a, struct daemon_status *ret);

#endif
