/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_HELPER_CLIENT_H
#define THPD_APP_HELPER_CLIENT_H

#include "app/activate.h"
#include "app/helper-wire.h"
#include "engine/privileged.h"

/*
 * The way to the privileged helper; connected when it is first needed, and anew when it was lost.
 */
struct helper {
	int fd;		       /* -1: not connected */
	int error;	       /* of the last call: 0, or why there was no answer */
	uint64_t paused_until; /* CLOCK_MONOTONIC, in microseconds: it is left alone so long */
	struct activated own;  /* where no service manager starts it: fd >= 0 */
};

int helper_connect(struct helper *h);
int helper_answered(const struct helper_answer *a, size_t n, size_t *ret_len);
void helper_privileged(struct helper *helper, struct privileged *ret);

#endif
