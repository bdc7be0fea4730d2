/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#define BLOCK_SIZE 8192U
#define ALIGN 16U

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	_Alignas(ALIGN) unsigned char data[];
};

/**
 * arena_alloc() - memory that lives as long as the arena
 * @a: the arena
 * @size: bytes wanted; 0 is allowed and yields a valid pointer
 *
 * Return: zeroed memory aligned for any type, or NULL when out of memory.
 */
void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->head;
	size_t need;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);

	if (!b || b->size - b->used < need) {
		size_t n = need > BLOCK_SIZE / 4 ? need : BLOCK_SIZE;

		b = malloc(sizeof(*b) + n);
		if (!b)
			return NULL;
		b->used = 0;
		b->size = n;
		/* A block made for one large item is full: keep filling the one before it. */
		if (a->head && n == need) {
			b->next = a->head->next;
			a->head->next = b;
		} else {
			b->next = a->head;
			a->head = b;
		}
	}
	p = b->data + b->used;
	b->used += need;
	return memset(p, 0, need);
}

/** arena_strndup() - a terminated copy of the first @n bytes of @s, or NULL when out of memory */
char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	return p ? memcpy(p, s, n) : NULL;
}

/** arena_strdup() - a copy of @s, or NULL when out of memory */
char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

/** arena_vprintf() - a formatted string in the arena, or NULL when out of memory */
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again); /* NOLINT(clang-analyzer-valist.Uninitialized) */
	va_end(again);
	if (n < 0)
		return NULL;
	p = arena_alloc(a, (size_t)n + 1);
	if (p)
		(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	return p;
}

/** arena_printf() - arena_vprintf() with the arguments spelled out */
char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}

/**
 * arena_grow() - room for one more item; the engine behind array_add()
 * @a: the arena
 * @items: the items so far, may be NULL
 * @n: how many there are
 * @cap: how many fit; updated
 * @size: bytes of one item
 *
 * Growing doubles, so that appending stays linear; the old copy stays in the arena.
 *
 * Return: where the items are now, with a zeroed item at index @n, or NULL when out of memory.
 */
void *arena_grow(struct arena *a, void *items, size_t n, size_t *cap, size_t size)
{
	size_t want = *cap ? *cap * 2 : 4;
	void *p;

	if (n < *cap) {
		memset((unsigned char *)items + n * size, 0, size);
		return items;
	}
	if (want > SIZE_MAX / size)
		return NULL;
	p = arena_alloc(a, want * size);
	if (!p)
		return NULL;
	if (n > 0)
		memcpy(p, items, n * size);
	*cap = want;
	return p;
}

/** arena_free() - frees everything; the arena may be used again */
void arena_free(struct arena *a)
{
	struct arena_block *b = a->head;

	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	a->head = NULL;
}
