/* SPDX-License-Identifier: MIT */
/* The record of flags that thpd has set, so that `restore` clears these and no others. */
#include "model/flags.h"

#include <jansson.h>

#define SCHEMA "thpd.flags/1"

static void json_decref_ptr(json_t **j)
{
	json_decref(*j);
}

#define _cleanup_json_ _cleanup_(json_decref_ptr)

/** flags_free() - frees the records */
void flags_free(struct flag_records *f)
{
	arena_free(&f->arena);
	*f = (struct flag_records){ 0 };
}

static int compare(const void *a, const void *b)
{
	const struct flag_record *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

/** flags_find() - the record of a process among those that were read, or NULL */
struct flag_record *flags_find(const struct flag_records *f, int32_t pid, uint64_t start)
{
	const struct flag_record key = { .pid = pid, .start = start };

	return f->sorted ? bsearch(&key, f->list.items, f->sorted, sizeof(key), compare) : NULL;
}

/**
 * flags_add() - appends a record; whether there is one of the process already is not asked
 * @f: the records
 * @pid: the process
 * @start: when it started, in clock ticks after boot
 * @unit: that it is in; copied
 * @set: the flag that it gets
 * @was: the flag that it had, -1: not known
 *
 * Return: 0; -ENOMEM.
 */
int flags_add(struct flag_records *f, int32_t pid, uint64_t start, const char *unit, int set,
	      int was)
{
	struct flag_record *it = array_add(&f->arena, &f->list);

	if (!it)
		return -ENOMEM;
	*it = (struct flag_record){ pid, start, arena_strdup(&f->arena, unit), set, was };
	return it->unit ? 0 : -ENOMEM;
}

static bool flag_valid(json_int_t v)
{
	return v == 0 || v == 1 || v == 3;
}

static int parse_record(json_t *o, struct flag_records *f)
{
	json_int_t pid = 0, start = 0, set = -1, was = -1;
	const char *unit = NULL;

	if (json_unpack(o, "{s:I, s:I, s:s, s:I, s:I}", "pid", &pid, "start", &start, "unit", &unit,
			"set", &set, "was", &was) < 0)
		return -EBADMSG;
	if (pid <= 1 || pid > INT32_MAX || start < 0 || !flag_valid(set) ||
	    (was != -1 && !flag_valid(was)))
		return -EBADMSG;
	return flags_add(f, (int32_t)pid, (uint64_t)start, unit, (int)set, (int)was);
}

/**
 * flags_parse() - from the text of flags.json
 * @text: the text
 * @len: its length
 * @ret: the records; free with flags_free()
 *
 * Return: 0; -EBADMSG when it is not such a text; -ENOMEM.
 */
int flags_parse(const char *text, size_t len, struct flag_records *ret)
{
	_cleanup_json_ json_t *top = NULL;
	struct flag_records f = { 0 };
	const char *schema;
	json_t *list, *o;
	size_t i;
	int r = 0;

	json_object_seed(1);
	top = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	schema = json_string_value(json_object_get(top, "schema"));
	list = json_object_get(top, "processes");
	if (!schema || strcmp(schema, SCHEMA) != 0 || !json_is_array(list))
		return -EBADMSG;
	json_array_foreach(list, i, o) {
		r = parse_record(o, &f);
		if (r < 0) {
			flags_free(&f);
			return r;
		}
	}
	f.sorted = f.list.n;
	if (f.sorted > 1)
		qsort(f.list.items, f.sorted, sizeof(*f.list.items), compare);
	*ret = f;
	return 0;
}

/* A unit's name need not be UTF-8, and is of use to the reader alone. */
static json_t *unit_text(const char *unit)
{
	json_t *j = json_string(unit);

	return j ? j : json_string("?");
}

/** flags_format() - the text of flags.json, to be freed by the caller; 0 or -ENOMEM */
int flags_format(const struct flag_records *f, char **ret)
{
	_cleanup_json_ json_t *top = NULL;
	const struct flag_record *it;
	json_t *list;
	char *text;
	int r = 0;

	json_object_seed(1);
	top = json_object();
	list = json_array();
	array_foreach(it, &f->list)
		r |= json_array_append_new(list, json_pack("{s:i, s:I, s:o, s:i, s:i}", "pid",
							   it->pid, "start", (json_int_t)it->start,
							   "unit", unit_text(it->unit), "set",
							   it->set, "was", it->was));
	r |= json_object_set_new(top, "schema", json_string(SCHEMA));
	r |= json_object_set_new(top, "processes", list);
	text = r == 0 ? json_dumps(top, JSON_COMPACT) : NULL;
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}
