/* SPDX-License-Identifier: MIT */
/* The drop-ins of a policy on this host, and those that the generator has left. */
#include "app/dropins.h"

#include "engine/dropins.h"
#include "sys/unitfiles.h"

/**
 * host_dropins() - what systemd is to set by itself
 * @h: the host, with a policy
 * @systemd: its version, or 0
 * @ret: the drop-ins, none with a systemd that knows no MemoryTHP=; free with dropins_free()
 *
 * Return: 0; negative errno.
 */
int host_dropins(const struct host *h, int systemd, struct dropins *ret)
{
	_cleanup_unit_files_ struct unit_files files = { 0 };
	const struct unit_file *f;
	struct dropin_unit *units;
	int r;

	/* Who only reports sets no start. */
	if (systemd < MEMORY_THP_SINCE || h->plan.rules.n == 0 ||
	    h->policy.on_drift == ON_DRIFT_REPORT)
		return 0;
	r = unit_files_read(&h->root, resolve_dropins_slices(&h->plan), &files);
	if (r < 0)
		return r;
	units = arena_alloc(&files.arena, (files.list.n + 1) * sizeof(*units));
	if (!units)
		return -ENOMEM;
	array_foreach(f, &files.list)
		units[f_i] = (struct dropin_unit){ f->name, f->alias_of, f->masked, f->own_slice };
	return resolve_dropins(&h->plan, units, files.list.n, ret);
}

/**
 * host_dropins_stale() - whether systemd goes by drop-ins of another policy
 * @h: the running host, with a policy; of a tree nothing is said, for its systemd does not run
 * @systemd: its version, or 0
 * @a: where the path will live
 * @ret: one that is not as it should be, where there are some
 *
 * The generator runs in the boot and in each daemon-reload, but not as a policy changes.
 *
 * Return: how many are not as they should be; negative errno.
 */
int host_dropins_stale(const struct host *h, int systemd, struct arena *a, const char **ret)
{
	_cleanup_dropins_ struct dropins want = { 0 };
	int r = 0;

	if (!h->root.live || systemd < MEMORY_THP_SINCE)
		return 0;
	if (!dropins_masked(&h->root))
		r = host_dropins(h, systemd, &want);
	return r < 0 ? r : dropins_stale(&h->root, &want, a, ret);
}
