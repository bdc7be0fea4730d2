/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_CLI_H
#define THPD_APP_CLI_H

#include "base/arena.h"
#include "model/policy.h"

enum verb {
	VERB_CHECK,
	VERB_PLAN,
	VERB_APPLY,
	VERB_VERIFY,
	VERB_STATUS,
	VERB_EXEC,
	VERB_RECLAIM,
	VERB_RESTORE,
	VERB_DOCTOR,
};

/* The contract of exit statuses, see thpctl(8). */
enum {
	EXIT_GOOD = 0,
	EXIT_NOT_ALL = 1,
	EXIT_TROUBLE = 2,
	EXIT_EXEC_SELF = 125,
	EXIT_EXEC_DENIED = 126,
	EXIT_EXEC_MISSING = 127,
};

/* Bytes of huge pages that `reclaim` looks after in a second, unless told otherwise. */
#define MAX_RATE_DEFAULT (UINT64_C(1) << 30)

struct cli {
	struct arena arena;
	strlist policy;
	const char *root; /* NULL: the running host */
	const char *role;
	const char *helpers; /* the daemon's: where its helper programs are; NULL: as installed */
	bool json, quiet, verbose;
	enum verb verb;
	const char *verb_name;
	enum thp_mode thp;    /* exec */
	strlist units;	      /* reclaim: its arguments; status: the patterns of --unit */
	ARRAY(int32_t) pids;  /* reclaim */
	uint64_t max_rate;    /* reclaim: bytes per second; 0: no limit */
	bool force;	      /* reclaim: also where it would be undone at once */
	bool all;	      /* reclaim: full huge pages, too */
	bool dry_run;	      /* reclaim: measure only */
	bool failed;	      /* status: only what is not in order */
	bool empty;	      /* status: estimate the empty part of huge pages */
	unsigned int options; /* which of those for one verb were given, for cli_parse() */
	char **args;	      /* what stands behind the verb, NULL-terminated */
};

int cli_parse(int argc, char **argv, struct cli *ret);

#endif
