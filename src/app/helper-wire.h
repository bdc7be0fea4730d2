/* SPDX-License-Identifier: MIT */
/*
 * What thpd and its privileged helper say to each other over a SOCK_SEQPACKET socket: one call, one
 * answer; the numbers are the machine's own. Which process, which flag, which file: nothing that
 * could be told wrongly. A package may be upgraded between the start of the one and of the other:
 * who gets another version than his own reads nothing but that.
 */
#ifndef THPD_APP_HELPER_WIRE_H
#define THPD_APP_HELPER_WIRE_H

#include "engine/reclaim.h"
#include "sys/inject.h"
#include "sys/paths.h"

/* Another one with each change in what follows, and in the structs it has. Not a verb's number. */
#define HELPER_WIRE_VERSION 100U
#define HELPER_SOCKET PATH_STATE "/helper.sock"
/* Each may take most of a second; all of them, less than the asking side waits. */
#define HELPER_BATCH 32U
#define HELPER_PATH_MAX 4096U
#define HELPER_KEYS_MAX 8192U

enum helper_verb {
	HELPER_INJECT = 1, /* requests; answers: one for each */
	HELPER_EXE,	   /* pid; answers the path */
	HELPER_RECLAIM,	   /* a process; answers what came of it, when it is done */
	HELPER_WRITERS,	   /* keys; says from then on who writes to them: a struct writer each */
};

struct helper_call {
	uint32_t version;
	uint32_t verb;
	uint32_t n; /* of the requests */
	union {
		struct inject_request requests[HELPER_BATCH];
		int32_t pid;
		char keys[HELPER_KEYS_MAX]; /* each with its zero */
		struct {
			int32_t pid;
			uint32_t sample;
			uint64_t start, max_rate;
			bool all;
		} reclaim;
	} u;
};

struct helper_answer {
	uint32_t version;
	int32_t r; /* 0 or negative errno; the rest counts only with 0 */
	uint32_t n;
	union {
		struct inject_answer answers[HELPER_BATCH];
		struct reclaim_result reclaim;
		char path[HELPER_PATH_MAX];
	} u;
};

#define HELPER_HEAD offsetof(struct helper_call, u)
#define HELPER_ANSWER_HEAD offsetof(struct helper_answer, u)

#endif
