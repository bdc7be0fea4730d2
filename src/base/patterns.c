/* SPDX-License-Identifier: MIT */
#include "base/patterns.h"

#include <fnmatch.h>
#include <limits.h>

#define NONE UINT32_MAX

static const char special[] = "*?[]\\";

/** pattern_is_literal() - whether a pattern matches nothing but itself */
bool pattern_is_literal(const char *pattern)
{
	return !pattern[strcspn(pattern, special)];
}

static int add_glob(struct patterns *p, const char *pattern, uint32_t value)
{
	struct pattern_glob *g = array_add(&p->arena, &p->globs);
	size_t head = strcspn(pattern, special);
	const char *tail = pattern + head;

	if (!g)
		return -ENOMEM;
	for (const char *c = tail; *c; c++)
		if (strchr(special, *c))
			tail = c + 1;
	*g = (struct pattern_glob){ pattern, tail, head, strlen(tail), value };
	return 0;
}

/**
 * patterns_add() - one more pattern
 * @p: the patterns
 * @pattern: the pattern; must outlive @p
 * @value: what patterns_find() is to say for it
 *
 * Return: 0; -ENOMEM.
 */
int patterns_add(struct patterns *p, const char *pattern, uint32_t value)
{
	struct pattern_literal *l;
	uint32_t first;

	if (!pattern_is_literal(pattern))
		return add_glob(p, pattern, value);
	l = array_add(&p->arena, &p->literals);
	if (!l)
		return -ENOMEM;
	*l = (struct pattern_literal){ value, NONE };
	if (!strmap_get(&p->index, pattern, &first))
		return strmap_put(&p->index, &p->arena, pattern, (uint32_t)p->literals.n - 1);
	/* Second in the list: the map's value stays. */
	l->next = p->literals.items[first].next;
	p->literals.items[first].next = (uint32_t)p->literals.n - 1;
	return 0;
}

/**
 * patterns_copy() - many patterns, copied
 * @p: the patterns
 * @list: what to add; the values are their places in it
 * @n: number of patterns
 *
 * Return: 0; -ENOMEM.
 */
int patterns_copy(struct patterns *p, const char *const *list, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const char *copy = arena_strdup(&p->arena, list[i]);

		r = copy ? patterns_add(p, copy, (uint32_t)i) : -ENOMEM;
	}
	return r;
}

static bool glob_matches(const struct pattern_glob *g, const char *s, size_t len)
{
	return len >= g->head_len && memcmp(s, g->pattern, g->head_len) == 0 &&
	       len >= g->tail_len && memcmp(s + len - g->tail_len, g->tail, g->tail_len) == 0 &&
	       fnmatch(g->pattern, s, 0) == 0;
}

/** patterns_match() - whether any of the patterns matches @s */
bool patterns_match(const struct patterns *p, const char *s)
{
	size_t len = strlen(s);
	const struct pattern_glob *g;

	if (strmap_get(&p->index, s, NULL))
		return true;
	array_foreach(g, &p->globs)
		if (glob_matches(g, s, len))
			return true;
	return false;
}

/**
 * slice_parent() - goes up to the slice that a slice is in
 * @slice: "a-b.slice", becomes "a.slice": systemd.slice(5)
 *
 * Return: false, with @slice as it was, where there is none above but the root.
 */
bool slice_parent(char *slice)
{
	char *dash = strrchr(slice, '-');

	if (!dash || dash == slice || !endswith(dash, ".slice"))
		return false;
	memcpy(dash, ".slice", sizeof(".slice"));
	return true;
}

/**
 * patterns_match_slice() - whether any of the patterns matches a slice, or one that it is in
 * @p: the patterns
 * @slice: name of the slice; the root slice matches nothing, for it has no group of its own
 */
bool patterns_match_slice(const struct patterns *p, const char *slice)
{
	char name[NAME_MAX + 1];

	if (streq(slice, "-.slice") ||
	    snprintf(name, sizeof(name), "%s", slice) >= (int)sizeof(name))
		return false;
	do {
		if (patterns_match(p, name))
			return true;
	} while (slice_parent(name));
	return false;
}

static int add_value(struct arena *a, valuelist *list, uint32_t value)
{
	uint32_t *slot = array_add(a, list);

	if (!slot)
		return -ENOMEM;
	*slot = value;
	return 0;
}

/**
 * patterns_find() - which patterns match
 * @p: the patterns
 * @s: what they are held against
 * @a: where the list lives
 * @list: the values of those that match are appended, in no order
 *
 * Return: 0; -ENOMEM.
 */
int patterns_find(const struct patterns *p, const char *s, struct arena *a, valuelist *list)
{
	size_t len = strlen(s);
	const struct pattern_glob *g;
	uint32_t i = NONE;
	int r = 0;

	if (strmap_get(&p->index, s, &i))
		for (; i < p->literals.n && r == 0; i = p->literals.items[i].next)
			r = add_value(a, list, p->literals.items[i].value);
	array_foreach(g, &p->globs)
		if (r == 0 && glob_matches(g, s, len))
			r = add_value(a, list, g->value);
	return r;
}

/** patterns_free() - forgets all patterns */
void patterns_free(struct patterns *p)
{
	arena_free(&p->arena);
	*p = (struct patterns){ 0 };
}
