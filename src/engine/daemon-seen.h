/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_DAEMON_SEEN_H
#define THPD_ENGINE_DAEMON_SEEN_H

#include "model/daemon.h"
#include "sys/paths.h"
#include "sys/root.h"

#define REPORT_NAME "report.json"
#define REPORT_FILE PATH_STATE "/" REPORT_NAME
#define REPORT_MAX (UINT64_C(64) << 20)

/* What is to be seen of the daemon from outside; the view points into the rest. */
struct daemon_seen {
	struct arena arena;
	struct daemon_status status;
	struct daemon_view view;
};

void daemon_look(const struct root *root, uint64_t now_us, struct daemon_seen *ret);
void daemon_seen_free(struct daemon_seen *s);

#define _cleanup_daemon_seen_ _cleanup_(daemon_seen_free)

#endif
