/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include <limits.h>

/**
 * parse_uint() - a decimal number and nothing else
 * @s: digits only: no sign, no blank, no leading zero (octal to some readers), no unit
 * @max: the largest number allowed
 * @ret: the number
 *
 * Return: 0; -EINVAL when @s is not such a number; -ERANGE when it is larger than @max.
 */
int parse_uint(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return -EINVAL;
	if (s[strspn(s, "0123456789")])
		return -EINVAL;
	for (; *s; s++) {
		unsigned int d = (unsigned int)(*s - '0');

		if (v > (UINT64_MAX - d) / 10)
			return -ERANGE;
		v = v * 10 + d;
	}
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

/** word_index() - where @s stands in the NULL-terminated @words, or -EINVAL */
int word_index(const char *const *words, const char *s)
{
	for (int i = 0; words[i]; i++)
		if (streq(words[i], s))
			return i;
	return -EINVAL;
}

/** strip() - cuts white space from both ends, in place; returns the new beginning */
char *strip(char *s)
{
	static const char blank[] = " \t\r\n\v\f";
	size_t n;

	s += strspn(s, blank);
	n = strlen(s);
	while (n > 0 && strchr(blank, s[n - 1]))
		n--;
	s[n] = '\0';
	return s;
}

/* Optimal string alignment distance, cut off: words longer than 31 bytes never match. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int row[3][32];
	size_t n = strlen(a), m = strlen(b);

	if (n > 31 || m > 31)
		return UINT_MAX;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned int *cur = row[i % 3], *one = row[(i + 2) % 3], *two = row[(i + 1) % 3];

		cur[0] = (unsigned int)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned int d = one[j - 1] + (a[i - 1] != b[j - 1]);

			if (one[j] + 1 < d)
				d = one[j] + 1;
			if (cur[j - 1] + 1 < d)
				d = cur[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two[j - 2] + 1 < d)
				d = two[j - 2] + 1;
			cur[j] = d;
		}
	}
	return row[n % 3][m];
}

/** closest_word() - the word that @s is most likely a slip of, or NULL when none is near */
const char *closest_word(const char *const *words, size_t n, const char *s)
{
	unsigned int best = (unsigned int)strlen(s) / 3 + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned int d = edit_distance(s, words[i]);

		if (d <= best && (d < best || !found)) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
