/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_PLAN_H
#define THPD_MODEL_PLAN_H

#include "model/diag.h"
#include "model/policy.h"

/* One word each, the same in text, JSON, journal and metrics. */
enum outcome {
	OUTCOME_OK,
	OUTCOME_CHANGED,
	OUTCOME_DRIFTED,
	OUTCOME_ABSENT,
	OUTCOME_REJECTED,
	OUTCOME_DENIED,
	OUTCOME_GONE,
	OUTCOME_NO_TARGET,
	OUTCOME_UNSUPPORTED,
	OUTCOME_UNKNOWN,
	OUTCOME_FAILED,
	OUTCOMES,
};

extern const char *const outcome_words[];

/* In the order in which they are asked. */
enum role_source {
	ROLE_NONE,
	ROLE_OPTION,
	ROLE_CMDLINE,
	ROLE_CREDENTIAL,
	ROLE_FILE,
	ROLE_POLICY,
	ROLE_HOSTS,
};

extern const char *const role_source_words[];

struct role_choice {
	const char *name; /* NULL: host{} alone */
	enum role_source source;
	const char *where; /* file that says so, or NULL */
	uint32_t line;
	const char *pattern; /* for ROLE_HOSTS */
};

/* A kernel file that the policy names. */
struct plan_item {
	const char *key;
	const char *wanted;
	struct pos pos;
	struct pos overrides; /* what the host section said, if a role overrides it */
	const char *found;    /* before anything was done; NULL: not known */
	const char *now;      /* after it was written; NULL: it was not */
	enum outcome outcome; /* any but NO_TARGET and UNSUPPORTED */
	int error;	      /* the errno behind it, positive, or 0 */
	const char *note;     /* why, in words; may be NULL */
	bool tolerated;	      /* absent or rejected, and the policy does not mind */
};

/* A service rule in force on this host. */
struct plan_rule {
	const struct rule *rule;
	const char *section; /* role, or NULL for host */
	enum thp_mode mode;  /* what the rule comes to on this kernel */
	enum outcome outcome;
	const char *note;
	const struct rule *loses_to; /* a later rule for the same units and processes */
};

struct plan {
	struct arena arena;
	struct role_choice role;
	ARRAY(struct plan_item) items;
	ARRAY(struct plan_rule) rules;
	struct diags findings; /* an error among them: nothing may be changed */
};

void plan_free(struct plan *p);
bool plan_item_failed(const struct plan_item *it);

#define _cleanup_plan_ _cleanup_(plan_free)

#endif
