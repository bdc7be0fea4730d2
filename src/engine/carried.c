/* SPDX-License-Identifier: MIT */
/* Flags that no rule accounts for: a process has one from an ancestor, or has set it itself. */
#include <stdlib.h>

#include "base/parse.h"
#include "engine/services.h"
#include "sys/paths.h"
#include "sys/proc.h"

struct known {
	int32_t pid, ppid;
	const char *comm;
	bool planned; /* a rule wants it so */
};

typedef ARRAY(struct known) known_list;

static int compare(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct known *find(const known_list *l, int32_t pid)
{
	const struct known key = { .pid = pid };

	return l->n ? bsearch(&key, l->items, l->n, sizeof(key), compare) : NULL;
}

/* All processes of the host that are completely disabled; the other mode does not show. */
static int find_disabled(const struct root *root, struct arena *a, known_list *list)
{
	const char **names;
	size_t n;
	int r = root_list(root, PATH_PROC, a, &names, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct known *k;
		struct proc p;
		uint64_t pid;

		if (parse_uint(names[i], INT32_MAX, &pid) < 0 ||
		    proc_read(root, (int32_t)pid, &p) < 0 || p.thp_enabled != 0 || p.kernel)
			continue;
		k = array_add(a, list);
		if (!k)
			return -ENOMEM;
		*k = (struct known){ p.pid, p.ppid, arena_strdup(a, p.comm), false };
		if (!k->comm)
			return -ENOMEM;
	}
	if (list->n > 1)
		qsort(list->items, list->n, sizeof(*list->items), compare);
	return 0;
}

/* The oldest ancestor in an unbroken line of processes with the flag. */
static const struct known *carrier_of(const known_list *l, const struct known *k)
{
	const struct known *oldest = NULL;

	/* The list is of one moment, but parents are not: no longer than the list. */
	for (size_t i = 0; i < l->n && (k = find(l, k->ppid)); i++)
		oldest = k;
	return oldest;
}

/**
 * services_carried() - processes with a flag that the policy does not name
 * @root: the host
 * @plan: of match_procs(); processes that are to be disabled by it are left out
 * @a: where the list will live
 * @ret: the list, by pid
 *
 * Looks at every process of the host, unlike all else here. Only complete disabling shows from
 * outside.
 *
 * Return: 0; negative errno.
 */
int services_carried(const struct root *root, const struct plan *plan, struct arena *a,
		     carried_flags *ret)
{
	const struct plan_proc *pp;
	known_list list = { 0 };
	struct known *k;
	int r = find_disabled(root, a, &list);

	if (r < 0)
		return r;
	array_foreach(pp, &plan->procs) {
		k = find(&list, pp->fact->pid);
		if (k && pp->mode == THP_MODE_DISABLE)
			k->planned = true;
	}
	array_foreach(k, &list) {
		const struct known *carrier;
		struct carried_flag *c;

		if (k->planned)
			continue;
		c = array_add(a, ret);
		if (!c)
			return -ENOMEM;
		carrier = carrier_of(&list, k);
		*c = (struct carried_flag){ .pid = k->pid,
					    .comm = k->comm,
					    .flag = THP_WANT_DISABLE,
					    .carrier = carrier ? carrier->pid : 0,
					    .carrier_comm = carrier ? carrier->comm : NULL };
		if (unit_of(root, k->pid, a, &c->unit) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}
