/* SPDX-License-Identifier: MIT */
#ifndef THPD_BASE_ARENA_H
#define THPD_BASE_ARENA_H

#include <stdarg.h>

#include "base/util.h"

struct arena_block;

/*
 * Everything allocated from an arena is freed with it, and only with it. Zero-initialise to start.
 */
struct arena {
	struct arena_block *head;
};

void *arena_alloc(struct arena *a, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) _printf_(2, 0);
void *arena_grow(struct arena *a, void *items, size_t n, size_t *cap, size_t size);
void arena_free(struct arena *a);

#define _cleanup_arena_ _cleanup_(arena_free)

/*
 * A growable array of T with its memory in an arena: `ARRAY(struct x) xs;`. Items may move when the
 * array grows; keep indices rather than pointers while it does.
 */
#define ARRAY(T)            \
	struct {            \
		T *items;   \
		size_t n;   \
		size_t cap; \
	}

/* Appends a zeroed item and yields a pointer to it, or NULL when out of memory. */
#define array_add(a, arr)                                                       \
	({                                                                      \
		void *_p = arena_grow((a), (arr)->items, (arr)->n, &(arr)->cap, \
				      sizeof(*(arr)->items));                   \
		if (_p)                                                         \
			(arr)->items = _p;                                      \
		_p ? &(arr)->items[(arr)->n++] : NULL;                          \
	})

#define array_foreach(it, arr) \
	for (size_t it##_i = 0; it##_i < (arr)->n && ((it) = &(arr)->items[it##_i], 1); it##_i++)

#endif
