/* SPDX-License-Identifier: MIT */
#ifndef THPD_BASE_STRMAP_H
#define THPD_BASE_STRMAP_H

#include "base/arena.h"

struct strmap_slot {
	const char *key;
	uint32_t hash;
	uint32_t value;
};

/* From strings to small numbers. Keys are not copied. Zero-initialise to start. */
struct strmap {
	struct strmap_slot *slots;
	uint32_t size; /* a power of two, or 0 */
	uint32_t used;
};

int strmap_put(struct strmap *m, struct arena *a, const char *key, uint32_t value);
bool strmap_get(const struct strmap *m, const char *key, uint32_t *ret_value);

#endif
