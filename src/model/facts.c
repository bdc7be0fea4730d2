/* SPDX-License-Identifier: MIT */
#include "model/facts.h"

/** facts_free() - frees the facts and every string in them */
void facts_free(struct facts *f)
{
	arena_free(&f->arena);
	*f = (struct facts){ 0 };
}

/** facts_knob() - what is known about a file, or NULL when it was not looked at */
const struct knob_fact *facts_knob(const struct facts *f, const char *key)
{
	uint32_t i;

	return strmap_get(&f->knob_index, key, &i) ? &f->knobs.items[i] : NULL;
}

/**
 * facts_add_knob() - remembers what a file says; strings are copied
 * @f: the facts
 * @key: path below transparent_hugepage, not looked at before
 * @error: 0, or the negative errno of the attempt (then @value and @words are ignored)
 * @value: the selected word, or the number
 * @words: on offer, a blank between; "" for a number
 *
 * Return: 0 or -ENOMEM.
 */
int facts_add_knob(struct facts *f, const char *key, int error, const char *value,
		   const char *words)
{
	struct knob_fact *k = array_add(&f->arena, &f->knobs);

	if (!k)
		return -ENOMEM;
	k->error = error;
	k->key = arena_strdup(&f->arena, key);
	k->value = arena_strdup(&f->arena, error ? "" : value);
	k->words = arena_strdup(&f->arena, error ? "" : words);
	if (!k->key || !k->value || !k->words)
		return -ENOMEM;
	return strmap_put(&f->knob_index, &f->arena, k->key, (uint32_t)f->knobs.n - 1);
}

/** facts_except_advised() - whether this kernel has PR_THP_DISABLE_EXCEPT_ADVISED, of Linux 6.18 */
bool facts_except_advised(const struct facts *f)
{
	unsigned int major = 0, minor = 0;

	if (!f->release || sscanf(f->release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 18);
}
