/* SPDX-License-Identifier: MIT */
#include "base/strmap.h"

/* FNV-1a: policies are root's own files, so no need for a keyed hash. */
static uint32_t hash_string(const char *s)
{
	uint32_t h = 2166136261U;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619U;
	return h;
}

static struct strmap_slot *find_slot(const struct strmap *m, const char *key, uint32_t hash)
{
	for (uint32_t i = hash & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
		struct strmap_slot *s = &m->slots[i];

		if (!s->key || (s->hash == hash && streq(s->key, key)))
			return s;
	}
}

static int strmap_resize(struct strmap *m, struct arena *a)
{
	struct strmap bigger = { .size = m->size ? m->size * 2 : 16, .used = m->used };

	if (bigger.size < m->size)
		return -ENOMEM;
	bigger.slots = arena_alloc(a, bigger.size * sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->size; i++)
		if (m->slots[i].key)
			*find_slot(&bigger, m->slots[i].key, m->slots[i].hash) = m->slots[i];
	*m = bigger;
	return 0;
}

/**
 * strmap_put() - remembers @value under @key
 * @m: the map
 * @a: where the table lives; the same arena every time
 * @key: not copied, must live as long as the map
 * @value: any number
 *
 * Return: 0; -EEXIST when the key is there already (nothing changes); -ENOMEM.
 */
int strmap_put(struct strmap *m, struct arena *a, const char *key, uint32_t value)
{
	uint32_t hash = hash_string(key);
	struct strmap_slot *s;

	if (m->used * 2 >= m->size) {
		int r = strmap_resize(m, a);

		if (r < 0)
			return r;
	}
	s = find_slot(m, key, hash);
	if (s->key)
		return -EEXIST;
	*s = (struct strmap_slot){ .key = key, .hash = hash, .value = value };
	m->used++;
	return 0;
}

/** strmap_get() - whether @key is in the map; if so, its value in @ret_value (may be NULL) */
bool strmap_get(const struct strmap *m, const char *key, uint32_t *ret_value)
{
	const struct strmap_slot *s;

	if (m->size == 0)
		return false;
	s = find_slot(m, key, hash_string(key));
	if (!s->key)
		return false;
	if (ret_value)
		*ret_value = s->value;
	return true;
}
