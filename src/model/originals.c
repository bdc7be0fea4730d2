/* SPDX-License-Identifier: MIT */
#include "model/originals.h"

#include <jansson.h>

#define SCHEMA "thpd.original/1"

static void json_decref_ptr(json_t **j)
{
	json_decref(*j);
}

#define _cleanup_json_ _cleanup_(json_decref_ptr)

/* Any seed will do for a file of our own, and jansson's own choice costs a read of /dev/urandom. */
static void seed_json(void)
{
	json_object_seed(1);
}

/** originals_free() - frees the values */
void originals_free(struct originals *o)
{
	arena_free(&o->arena);
	*o = (struct originals){ 0 };
}

/**
 * originals_add() - remembers a value, unless one is remembered for that key already
 * @o: the values so far
 * @key: path below transparent_hugepage; copied
 * @value: what it held; copied
 *
 * Return: 1 when it is new, 0 when there was one, -ENOMEM.
 */
int originals_add(struct originals *o, const char *key, const char *value)
{
	struct original *it;

	if (strmap_get(&o->index, key, NULL))
		return 0;
	it = array_add(&o->arena, &o->list);
	if (!it)
		return -ENOMEM;
	it->key = arena_strdup(&o->arena, key);
	it->value = arena_strdup(&o->arena, value);
	if (!it->key || !it->value ||
	    strmap_put(&o->index, &o->arena, it->key, (uint32_t)o->list.n - 1) < 0)
		return -ENOMEM;
	return 1;
}

/* A key must stay below its directory, whoever wrote the file. */
static bool key_valid(const char *key)
{
	return key[0] && key[0] != '/' && !strstr(key, "..") && strlen(key) < 128;
}

/**
 * originals_parse() - from the text of original.json
 * @text: the text
 * @len: its length
 * @ret: the values; free with originals_free()
 *
 * Return: 0; -EBADMSG when it is not such a text; -ENOMEM.
 */
int originals_parse(const char *text, size_t len, struct originals *ret)
{
	_cleanup_json_ json_t *top = NULL;
	json_t *settings, *value;
	struct originals o = { 0 };
	const char *key, *schema;

	seed_json();
	top = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	schema = json_string_value(json_object_get(top, "schema"));
	settings = json_object_get(top, "settings");
	if (!schema || !streq(schema, SCHEMA) || !json_is_object(settings))
		return -EBADMSG;
	json_object_foreach(settings, key, value) {
		const char *s = json_string_value(value);
		int r = s && key_valid(key) ? originals_add(&o, key, s) : -EBADMSG;

		if (r < 0) {
			originals_free(&o);
			return r;
		}
	}
	*ret = o;
	return 0;
}

/** originals_format() - the text of original.json, to be freed by the caller; 0 or -ENOMEM */
int originals_format(const struct originals *o, char **ret)
{
	_cleanup_json_ json_t *top = NULL;
	const struct original *it;
	json_t *settings;
	char *text;
	int r = 0;

	seed_json();
	top = json_object();
	settings = json_object();
	array_foreach(it, &o->list)
		r |= json_object_set_new(settings, it->key, json_string(it->value));
	r |= json_object_set_new(top, "schema", json_string(SCHEMA));
	r |= json_object_set_new(top, "settings", settings);
	text = r == 0 ? json_dumps(top, JSON_INDENT(2)) : NULL;
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}
