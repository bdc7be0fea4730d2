/* SPDX-License-Identifier: MIT */
#ifndef THPD_BASE_PATTERNS_H
#define THPD_BASE_PATTERNS_H

#include "base/strmap.h"

/* One value among those with the same literal pattern. */
struct pattern_literal {
	uint32_t value;
	uint32_t next; /* index in literals, or UINT32_MAX: the last */
};

struct pattern_glob {
	const char *pattern;
	/* What stands before the first and behind the last special character, to say no quickly. */
	const char *tail;
	size_t head_len, tail_len;
	uint32_t value;
};

/*
 * fnmatch(3) patterns, each with a small number. Most name one thing: these are found in a map, and
 * only real patterns cost a comparison each. Strings are not copied. Zero-initialise to start.
 */
struct patterns {
	struct arena arena;
	struct strmap index; /* first of the literals with this text */
	ARRAY(struct pattern_literal) literals;
	ARRAY(struct pattern_glob) globs;
};

typedef ARRAY(uint32_t) valuelist;

bool pattern_is_literal(const char *pattern);
int patterns_add(struct patterns *p, const char *pattern, uint32_t value);
int patterns_copy(struct patterns *p, const char *const *list, size_t n);
bool patterns_match(const struct patterns *p, const char *s);
bool patterns_match_slice(const struct patterns *p, const char *slice);
int patterns_find(const struct patterns *p, const char *s, struct arena *a, valuelist *list);
void patterns_free(struct patterns *p);
bool slice_parent(char *slice);

#define _cleanup_patterns_ _cleanup_(patterns_free)

#endif
