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
	bool rests;	      /* is not to be written just now: somebody fights about it */
};

/* A service rule in force on this host. */
struct plan_rule {
	const struct rule *rule;
	const char *section; /* role, or NULL for host */
	enum thp_mode mode;  /* what the rule comes to on this kernel */
	enum outcome outcome;
	const char *note;
	const struct rule *loses_to; /* a later rule for the same units and processes */
	size_t matched;		     /* processes for which it is the last rule that matches */
	size_t lost;		     /* processes that it matches, but a later rule too */
	enum thp_mode dropin;	     /* as below, of a rule that says names and matches nothing */
};

/* A process that a rule is about. */
struct plan_proc {
	const struct proc_fact *fact;
	uint32_t unit; /* index in plan.units */
	uint32_t rule; /* index in plan.rules: the last one that matches */
	enum thp_mode mode;
	enum outcome outcome;
	int error;  /* the errno behind it, positive, or 0 */
	int found;  /* the flag before anything was done, enum thp_flag; -1: not known */
	int now;    /* the flag after it was set or asked; -1: it was not */
	int given;  /* for `restore`: the flag that thpd gave it, or its ancestor */
	bool again; /* it had been set before, and was not so any more */
	const char *note;
};

/* A unit with processes that some rule is about, for the tables. */
struct plan_unit {
	const struct unit_fact *fact;
	uint32_t first, n;    /* its processes in plan.procs */
	enum thp_mode dropin; /* the generator's for this unit; UNSET: none, or not looked for */
};

struct plan {
	struct arena arena;
	struct role_choice role;
	ARRAY(struct plan_item) items;
	ARRAY(struct plan_rule) rules;
	ARRAY(struct plan_unit) units;
	ARRAY(struct plan_proc) procs; /* by unit, then by pid */
	struct diags findings;	       /* an error among them: nothing may be changed */
};

/* A process's flag as prctl(2) numbers it; sys/thp-flag.h has the same numbers. */
enum {
	THP_WANT_NOTHING = -1,
	THP_WANT_CLEAR = 0,
	THP_WANT_DISABLE = 1,
	THP_WANT_EXCEPT_ADVISED = 3,
};

void plan_free(struct plan *p);
int thp_mode_flag(enum thp_mode mode);
bool plan_item_failed(const struct plan_item *it);

#define _cleanup_plan_ _cleanup_(plan_free)

#endif
