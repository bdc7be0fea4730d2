/* SPDX-License-Identifier: MIT */
/* Which programs of which units get which flag. */
#include "app/starts-table.h"

#include "app/starts-wire.h"
#include "base/unit-name.h"

/** starts_table_new() - an empty one; NULL when out of memory */
struct starts_table *starts_table_new(void)
{
	return calloc(1, sizeof(struct starts_table));
}

/** starts_table_free() - of starts_table_new(), or NULL */
void starts_table_free(struct starts_table *t)
{
	if (!t)
		return;
	arena_free(&t->arena);
	free(t);
}

/**
 * starts_table_add() - adds a program, not marked yet
 *
 * Return: it, to be filled in; NULL when out of memory.
 */
struct starts_prog *starts_table_add(struct starts_table *t, const char *path, const char *unit)
{
	char *copy = arena_strdup(&t->arena, path), *name = arena_strdup(&t->arena, unit);
	struct starts_prog *p = copy && name ? array_add(&t->arena, &t->progs) : NULL;

	if (!p)
		return NULL;
	p->path = copy;
	p->unit = name;
	p->mode = EXEC_MODES;
	return p;
}

/** starts_table_copy() - the same programs, not marked yet; NULL when out of memory */
struct starts_table *starts_table_copy(const struct starts_table *t)
{
	struct starts_table *copy = starts_table_new();
	const struct starts_prog *p;

	array_foreach(p, &t->progs) {
		struct starts_prog *q = copy ? starts_table_add(copy, p->path, p->unit) : NULL;

		if (!q) {
			starts_table_free(copy);
			return NULL;
		}
		q->flag = p->flag;
		q->wanted = p->wanted;
	}
	return copy;
}

static int compare_files(const struct exec_file *a, const struct exec_file *b)
{
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

static int compare(const void *one, const void *other)
{
	const struct starts_prog *a = *(const struct starts_prog *const *)one;
	const struct starts_prog *b = *(const struct starts_prog *const *)other;
	int r = compare_files(&a->file, &b->file);

	return r ? r : strcmp(a->unit, b->unit);
}

/** starts_table_sort() - what is marked will be found; 0 or -ENOMEM */
int starts_table_sort(struct starts_table *t)
{
	const struct starts_prog *p;

	t->sorted = arena_alloc(&t->arena, (t->progs.n + 1) * sizeof(*t->sorted));
	if (!t->sorted)
		return -ENOMEM;
	array_foreach(p, &t->progs)
		if (p->mode != EXEC_MODES)
			t->sorted[t->n_sorted++] = p;
	qsort(t->sorted, t->n_sorted, sizeof(*t->sorted), compare);
	return 0;
}

/* As it is wanted, or else by watching. */
static void mark(struct starts_prog *p, const int *groups)
{
	int r = EXEC_NO_GATE;

	p->why = 0;
	if (p->wanted == EXEC_GATE && groups[EXEC_GATE] >= 0)
		r = exec_watch_mark(groups[EXEC_GATE], EXEC_GATE, p->path, &p->file);
	p->mode = r == 0 ? EXEC_GATE : EXEC_MODES;
	if (r == 0)
		return;
	if (p->wanted == EXEC_GATE)
		p->why = r;
	if (r == EXEC_ABSENT || r == EXEC_NO_FILE || r == EXEC_VITAL)
		return;
	r = exec_watch_mark(groups[EXEC_WATCH], EXEC_WATCH, p->path, &p->file);
	if (r == 0)
		p->mode = EXEC_WATCH;
	else
		p->why = r;
}

/**
 * starts_table_arm() - marks all its programs
 * @t: not in use yet
 * @groups: of exec_watch_open()
 * @w: will tell when this should be done again, with a copy
 *
 * Each one that is not marked, or not as wanted, says why.
 *
 * Return: 0; -ENOMEM.
 */
int starts_table_arm(struct starts_table *t, const int *groups, struct path_watch *w)
{
	struct starts_prog *p;

	array_foreach(p, &t->progs) {
		/* First: what comes later is seen. */
		int r = path_watch_add(w, p->path);

		if (r == -ENOMEM)
			return r;
		mark(p, groups);
	}
	return starts_table_sort(t);
}

static const struct starts_prog *find(const struct starts_table *t, const struct exec_file *file,
				      const char *unit)
{
	const struct starts_prog key = { .file = *file, .unit = unit }, *at = &key;
	const struct starts_prog **found = bsearch(&at, t->sorted, t->n_sorted, sizeof(*t->sorted),
						   compare);

	return found ? *found : NULL;
}

/* What a template has for its instances: "a@.service" for "a@b.service". */
static const struct starts_prog *find_template(const struct starts_table *t,
					       const struct exec_file *file, const char *unit)
{
	char name[STARTS_UNIT_SIZE];

	(void)snprintf(name, sizeof(name), "%s", unit);
	return unit_name_is_instance(name) && unit_name_broaden(name) ? find(t, file, name) : NULL;
}

/** starts_table_find() - what holds for a program that is started in a unit; NULL: nothing */
const struct starts_prog *starts_table_find(const struct starts_table *t,
					    const struct exec_file *file, const char *unit)
{
	const struct starts_prog *p = *unit ? find(t, file, unit) : NULL;

	if (!p)
		p = find_template(t, file, unit);
	return p ? p : find(t, file, "");
}

static bool marks(const struct starts_table *t, const struct starts_prog *p)
{
	size_t from = 0, to = t->n_sorted;

	while (from < to) {
		size_t at = from + (to - from) / 2;

		if (compare_files(&t->sorted[at]->file, &p->file) < 0)
			from = at + 1;
		else
			to = at;
	}
	for (; from < t->n_sorted && compare_files(&t->sorted[from]->file, &p->file) == 0; from++)
		if (t->sorted[from]->mode == p->mode)
			return true;
	return false;
}

/** starts_table_disarm() - takes the marks off that are not needed any more */
void starts_table_disarm(const struct starts_table *old, const struct starts_table *now,
			 const int *groups)
{
	for (size_t i = 0; i < old->n_sorted; i++) {
		const struct starts_prog *p = old->sorted[i];

		if (!marks(now, p))
			(void)exec_watch_unmark(groups[p->mode], p->mode, p->path, &p->file);
	}
}
