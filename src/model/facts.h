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

struct facts {
	struct arena arena;
	const char *hostname;
	const char *release; /* of the kernel */
	struct role_word cmdline_role, credential_role, file_role;
	int thp_error;	    /* 0, or why transparent_hugepage cannot be opened; -ENOENT: no THP */
	uint64_t pmd_pages; /* base pages in a PMD-sized huge page; 0 when not known */
	ARRAY(struct knob_fact) knobs;
	struct strmap knob_index;
};

void facts_free(struct facts *f);
const struct knob_fact *facts_knob(const struct facts *f, const char *key);
int facts_add_knob(struct facts *f, const char *key, int error, const char *value,
		   const char *words);

#define _cleanup_facts_ _cleanup_(facts_free)

#endif
