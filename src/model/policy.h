/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_POLICY_H
#define THPD_MODEL_POLICY_H

#include "base/strmap.h"

/* The words of a service's `thp`, as in systemd's MemoryTHP=. */
enum thp_mode {
	THP_MODE_UNSET,
	THP_MODE_INHERIT,
	THP_MODE_DISABLE,
	THP_MODE_MADVISE,
	THP_MODE_SYSTEM,
};

enum fallback { FALLBACK_UNSET, FALLBACK_DISABLE, FALLBACK_INHERIT };
enum reclaim { RECLAIM_UNSET, RECLAIM_NO, RECLAIM_ONCE, RECLAIM_YES };
enum apply_mode { APPLY_UNSET, APPLY_ALL, APPLY_START, APPLY_VERIFY };
enum start_mode { START_UNSET, START_WATCH, START_GATE, START_NO };
enum missing { MISSING_UNSET, MISSING_ERROR, MISSING_WARN, MISSING_IGNORE };
enum on_drift { ON_DRIFT_UNSET, ON_DRIFT_REAPPLY, ON_DRIFT_REPORT };

/* NULL-terminated, indexed by the enums above; index 0 (unset) is the empty string. */
extern const char *const thp_mode_words[];
extern const char *const fallback_words[];
extern const char *const reclaim_words[];
extern const char *const apply_words[];
extern const char *const start_words[];
extern const char *const missing_words[];
extern const char *const on_drift_words[];

struct pos {
	const char *file; /* NULL: not set by any file */
	uint32_t line;
};

/* A file below transparent_hugepage and what it should hold. */
struct setting {
	const char *key; /* as the kernel names it: "enabled", "khugepaged/max_ptes_none" */
	const char *value;
	struct pos pos;
};

typedef ARRAY(const char *) strlist;

/* A `service` section: which processes, and what they get. */
struct rule {
	const char *title;
	strlist unit, exe, user, comm; /* fnmatch(3) patterns; empty: not asked */
	enum thp_mode thp;
	enum reclaim reclaim;
	enum apply_mode apply;
	enum start_mode start;
	enum fallback fallback;
	struct pos pos; /* where it was last set */
};

/* `host` or one `role`. */
struct section {
	const char *name; /* NULL: host */
	struct pos pos;	  /* where it was first named */
	strlist hosts;
	struct pos hosts_pos;
	ARRAY(struct setting) settings;
	ARRAY(struct rule) rules;
	struct strmap setting_index, rule_index;
};

struct policy {
	struct arena arena;
	strlist files; /* in the order read */
	struct section host;
	ARRAY(struct section *) roles;
	struct strmap role_index;
	uint32_t verify_interval; /* seconds */
	enum on_drift on_drift;
	enum missing missing;
	enum fallback fallback;
	const char *metrics_file; /* NULL: none */
	const char *host_role;	  /* NULL: not named */
	struct pos host_role_pos;
};

#define VERIFY_INTERVAL_DEFAULT 60U

void policy_init(struct policy *p);
void policy_free(struct policy *p);
int policy_set(struct policy *p, const char *name, const char *value, struct pos pos);
struct section *policy_role(const struct policy *p, const char *name);
struct section *policy_section(struct policy *p, const char *name, struct pos pos);
int section_set(struct policy *p, struct section *s, const char *key, const char *value,
		struct pos pos);
struct rule *section_rule(struct policy *p, struct section *s, const char *title, struct pos pos);
int policy_merge_role(struct policy *p, struct section *s, const struct section *over);
void rule_set(struct rule *r, const char *const *words, unsigned int w);
bool rule_is_narrow(const struct rule *r);
enum fallback rule_fallback(const struct policy *p, const struct rule *r);

#define _cleanup_policy_ _cleanup_(policy_free)

#endif
