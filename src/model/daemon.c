/* SPDX-License-Identifier: MIT */
#include "model/daemon.h"

const char *const daemon_part_words[] = {
	[PART_UNUSED] = "unused",
	[PART_OK] = "ok",
	[PART_LOST] = "lost",
	[PART_FAILED] = "failed",
	NULL,
};
