/* SPDX-License-Identifier: MIT */
/* Patterns held against names of which only the beginning and the end are known. */
#include "plan/match-names.h"

#include <fnmatch.h>

/* The end of a bracket expression that begins at @s; glob(7). */
static const char *bracket_end(const char *s)
{
	const char *c = s + 1;

	if (*c == '!' || *c == '^')
		c++;
	if (*c == ']')
		c++;
	while (*c && *c != ']')
		c++;
	return *c ? c : s;
}

/* Whether a pattern without its last wildcard matches some beginning of @s. */
static bool matches_beginning(const char *pattern, const char *s)
{
	char part[UNIT_NAME_MAX + 1];

	for (size_t i = 0; i <= strlen(s) && i < sizeof(part); i++) {
		memcpy(part, s, i);
		part[i] = '\0';
		if (fnmatch(pattern, part, 0) == 0)
			return true;
	}
	return false;
}

static bool matches_end(const char *pattern, const char *s)
{
	for (size_t i = 0; i <= strlen(s); i++)
		if (fnmatch(pattern, s + i, 0) == 0)
			return true;
	return false;
}

/**
 * names_covered() - whether a pattern matches every one of @names
 * @pattern: of fnmatch(3)
 * @names: which begin and end alike
 * @a: scratch memory
 *
 * It does if one of its `*` takes all that is not known. What needs more than that to be seen
 * (`a@?*`), and having no memory, counts as no.
 */
bool names_covered(const char *pattern, const struct names *names, struct arena *a)
{
	for (const char *c = pattern; *c; c++) {
		const char *before;

		if (*c == '\\' && c[1]) {
			c++;
		} else if (*c == '[') {
			c = bracket_end(c);
		} else if (*c == '*') {
			before = arena_strndup(a, pattern, (size_t)(c - pattern));
			if (before && matches_beginning(before, names->head) &&
			    matches_end(c + 1, names->tail))
				return true;
		}
	}
	return false;
}

/** names_touched() - whether a pattern may match some of @names: never a wrong no */
bool names_touched(const struct pattern_glob *g, const struct names *names)
{
	size_t head = g->head_len < names->head_len ? g->head_len : names->head_len;
	size_t tail = g->tail_len < names->tail_len ? g->tail_len : names->tail_len;

	return memcmp(g->pattern, names->head, head) == 0 &&
	       memcmp(g->tail + g->tail_len - tail, names->tail + names->tail_len - tail, tail) ==
		       0;
}

/**
 * names_are_place() - whether a pattern is just what a place for drop-ins is for
 * @g: the pattern
 * @type: of the units
 *
 * "a-*.service" is for the same units as a-.service.d, and "a@*.service" as a@.service.d; without a
 * type, the pattern is so for each. Such a place has the first @g->head_len bytes and the type's
 * suffix for its name.
 */
bool names_are_place(const struct pattern_glob *g, const struct unit_type *type)
{
	const char *rest = g->pattern + g->head_len, *at = strchr(g->pattern, '@');
	char last = g->head_len > 1 ? rest[-1] : '\0';

	if (*rest != '*' || (rest[1] && !streq(rest + 1, type->suffix)))
		return false;
	return (last == '-' && (!at || at > rest)) || (last == '@' && at == rest - 1);
}

/**
 * names_of_place() - what a place for drop-ins is for
 * @place: "service": all of a type; "a-.service": all with a prefix; "a@.service": all instances
 * @a: where the names will live
 * @ret: the names; head is NULL when there is no memory
 *
 * Return: their type; NULL, and no names, when it is for one unit alone.
 */
const struct unit_type *names_of_place(const char *place, struct arena *a, struct names *ret)
{
	const char *dot = strrchr(place, '.');
	const struct unit_type *type = unit_types;
	struct names names = { .head = "" };

	if (dot && !unit_name_is_template(place) && (dot[-1] != '-' || dot == place + 1))
		return NULL;
	while (!streq(type->suffix + 1, dot ? dot + 1 : place))
		type++;
	if (dot)
		names.head = arena_strndup(a, place, (size_t)(dot - place));
	names.head_len = names.head ? strlen(names.head) : 0;
	names.tail = type->suffix;
	names.tail_len = strlen(type->suffix);
	*ret = names;
	return type;
}
