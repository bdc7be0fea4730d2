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

struct cli {
	struct arena arena;
	strlist policy;
	const char *root; /* NULL: the running host */
	const char *role;
	bool json, quiet, verbose;
	enum verb verb;
	const char *verb_name;
	enum thp_mode thp; /* exec */
	char **args;	   /* what stands behind the verb, NULL-terminated */
};

int cli_parse(int argc, char **argv, struct cli *ret);

#endif
