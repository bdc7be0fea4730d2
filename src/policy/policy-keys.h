/* SPDX-License-Identifier: MIT */
#ifndef THPD_POLICY_POLICY_KEYS_H
#define THPD_POLICY_POLICY_KEYS_H

#include "base/util.h"

/* Where a key may stand; a bit each. */
enum context {
	CONTEXT_TOP = 1 << 0,
	CONTEXT_HOST = 1 << 1,
	CONTEXT_ROLE = 1 << 2,
	CONTEXT_KHUGEPAGED = 1 << 3,
	CONTEXT_ANON = 1 << 4,
	CONTEXT_SERVICE = 1 << 5,
};

enum key_kind {
	KEY_WORD,    /* one of `words` */
	KEY_NUMBER,  /* min..max */
	KEY_STRING,  /* see policy_check_value() */
	KEY_LIST,    /* patterns */
	KEY_SECTION, /* opens a section without a title */
	KEY_TITLED,  /* opens a section with one */
};

struct policy_key {
	const char *name;
	unsigned int contexts;
	enum key_kind kind;
	const char *const *words;
	uint32_t min, max;
	enum context opens;
};

#define POLICY_KEYS_MAX 64 /* so that a set of keys is one word */

extern const struct policy_key policy_keys[];
extern const size_t policy_keys_n;

const struct policy_key *policy_key_find(enum context c, const char *name, size_t len);
const struct policy_key *policy_key_elsewhere(const char *name, size_t len);
const char *policy_key_suggest(enum context c, const char *name);
const char *context_to_string(enum context c);

static inline size_t policy_key_index(const struct policy_key *k)
{
	return (size_t)(k - policy_keys);
}

#endif
