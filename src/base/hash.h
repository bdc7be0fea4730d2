/* SPDX-License-Identifier: MIT */
/* FNV-1a, to see whether something is what it was: not for what others choose. */
#ifndef THPD_BASE_HASH_H
#define THPD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_BEGIN UINT64_C(14695981039346656037)

/** hash_bytes() - goes on with a hash that began with HASH_BEGIN */
static inline uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(1099511628211);
	return h;
}

/** hash_string() - the same with a string, its end included: "ab", "c" is not "a", "bc" */
static inline uint64_t hash_string(uint64_t h, const char *s)
{
	return hash_bytes(h, s, strlen(s) + 1);
}

#endif
