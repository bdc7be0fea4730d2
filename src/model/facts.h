/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_FACTS_H
#define THPD_MODEL_FACTS_H

#include "base/strmap.h"

/* What a file below transparent_hugepage says just now. */
struct knob_fact {
	const char *key;
	int error; /* negative errno when it could not be read; -ENOENT: this kernel has none */
	const char *value; /* the selected word, or the number */
	const char *words; /* on offer, a blank between; "" for a number */
};

/* A word found in one of the places that can name the role; NULL where that place is silent. */
struct role_word {
	const char *word;
	const char *where; /* the file, for messages */
	uint32_t line;
};

#define UNIT_NONE UINT32_MAX

/* A unit of the service manager that exists on this host. */
struct unit_fact {
	const char *name;
	uint32_t parent; /* index of the slice that it is in, or UNIT_NONE */
	bool wanted;	 /* a rule may concern its processes: they are to be looked at */
	int error;	 /* negative errno when its processes could not be listed */
	/* For `status` and `reclaim`, in kB; -1 where not known. */
	int64_t current_kb; /* what it is charged with */
	int64_t hidden_kb;  /* of that, what nobody has mapped and no cache holds */
};

/* A process of a unit that is wanted. */
struct proc_fact {
	int32_t pid, ppid;
	uint64_t start;	 /* with pid, what names a process */
	uint32_t unit;	 /* index of the unit that it is in */
	int error;	 /* negative errno when it could not be looked at; -ESRCH: it has ended */
	int32_t tracer;	 /* pid of who traces it, or 0 */
	int flag;	 /* enum thp_flag as far as it is known from outside; -1: not known */
	int thp_enabled; /* as /proc/PID/status says: 0 disabled, 1 not completely; -1: not said */
	bool exempt;	 /* PID 1, or ourselves: never touched */
	const char *comm;
	const char *exe;  /* NULL: not asked, or not readable */
	const char *user; /* name, or the number; NULL: not asked */
	int32_t carrier;  /* pid of the oldest ancestor with the same flag, or 0 */
	/* For `status`, in kB; -1 where not known. */
	int64_t rss_kb, anon_huge_kb, empty_kb;
};

struct facts {
	struct arena arena;
	const char *hostname;
	const char *release; /* of the kernel */
	struct role_word cmdline_role, credential_role, file_role;
	int thp_error;	    /* 0, or why transparent_hugepage cannot be opened; -ENOENT: no THP */
	uint64_t pmd_pages; /* base pages in a PMD-sized huge page; 0 when not known */
	ARRAY(struct knob_fact) knobs;
	struct strmap knob_index;
	int units_error; /* 0, or why there are no units: -ENOENT: no cgroup tree with units */
	ARRAY(struct unit_fact) units;
	ARRAY(struct proc_fact) procs; /* by unit, then by pid */
};

void facts_free(struct facts *f);
const struct knob_fact *facts_knob(const struct facts *f, const char *key);
int facts_add_knob(struct facts *f, const char *key, int error, const char *value,
		   const char *words);

bool facts_except_advised(const struct facts *f);

#define _cleanup_facts_ _cleanup_(facts_free)

#endif
