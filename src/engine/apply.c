/* SPDX-License-Identifier: MIT */
#include "engine/apply.h"

#include "sys/knob.h"

static void set_outcome(struct plan *plan, struct plan_item *it, enum outcome outcome, int error,
			const char *note)
{
	it->outcome = outcome;
	it->error = -error;
	it->note = note ? note : error ? arena_strdup(&plan->arena, strerror(-error)) : NULL;
	it->tolerated = false;
}

/** outcome_of_error() - what became of a setting whose write failed with @error (negative) */
enum outcome outcome_of_error(int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return OUTCOME_DENIED;
	case -EINVAL:
		return OUTCOME_REJECTED;
	default:
		return OUTCOME_FAILED;
	}
}

/* Reads a file again and remembers what it says. Returns 0 or negative errno. */
static int read_back(const struct root *root, int dirfd, struct plan *plan, struct plan_item *it)
{
	struct knob k;
	int r = knob_read(root, dirfd, it->key, &k);

	if (r < 0)
		return r;
	it->now = arena_strdup(&plan->arena, k.value);
	return it->now ? 0 : -ENOMEM;
}

/* What became of a file that was written in this pass (@written, with what result) or was right. */
static void judge(const struct root *root, int dirfd, struct plan *plan, struct plan_item *it,
		  bool written, int result)
{
	int r = read_back(root, dirfd, plan, it);

	if (r < 0)
		set_outcome(plan, it, r == -ENOENT ? OUTCOME_GONE : OUTCOME_UNKNOWN, r, NULL);
	else if (streq(it->now, it->wanted))
		set_outcome(plan, it, written ? OUTCOME_CHANGED : it->outcome, 0, NULL);
	else if (!written)
		set_outcome(plan, it, OUTCOME_FAILED, 0,
			    "changed again while the other files were written");
	else if (result < 0)
		set_outcome(plan, it, outcome_of_error(result), result, NULL);
	else
		set_outcome(plan, it, OUTCOME_REJECTED, 0,
			    "the kernel took the write, but not the value");
}

/*
 * Writes what is @due, then reads back everything that is or should be right, for one file may
 * change what another one says. Returns how many files were brought to what is wanted; -ENOMEM.
 */
static int apply_pass(const struct root *root, int dirfd, struct plan *plan, enum outcome due)
{
	_cleanup_free_ int *results = calloc(plan->items.n + 1, sizeof(*results));
	struct plan_item *it;
	int changed = 0;

	if (!results)
		return -ENOMEM;
	array_foreach(it, &plan->items) {
		/*
		 * Not a word that this kernel has not got, nor one that it took and did not keep.
		 */
		bool write = it->outcome == due && (due == OUTCOME_DRIFTED || it->error) &&
			     !it->rests;

		results[it_i] = write ? knob_write(root, dirfd, it->key, it->wanted) : 1;
		changed += write;
	}
	if (changed == 0)
		return 0;
	changed = 0;
	array_foreach(it, &plan->items) {
		bool written = results[it_i] <= 0;

		if (!written && it->outcome != OUTCOME_OK && it->outcome != OUTCOME_CHANGED)
			continue;
		judge(root, dirfd, plan, it, written, results[it_i]);
		changed += written && it->outcome == OUTCOME_CHANGED;
	}
	return changed;
}

/**
 * apply_settings() - brings every file that has drifted to what is wanted, and reads it back
 * @root: the host
 * @dirfd: of knob_open()
 * @plan: of resolve_found(), without errors; outcomes and present values are updated
 *
 * One file may stand in another's way: the kernel refuses `shmem_enabled = force` as long as a size
 * other than PMD's inherits it (shmem_enabled_store() in mm/shmem.c). So what was refused is tried
 * again as long as something else succeeds. `ok` and `changed` stand for what the kernel holds
 * after the last write.
 *
 * Return: how many files were written with success; -ENOMEM, and then outcomes that were not
 * reached are still `drifted`.
 */
int apply_settings(const struct root *root, int dirfd, struct plan *plan)
{
	int all = 0, r = apply_pass(root, dirfd, plan, OUTCOME_DRIFTED);

	for (; r > 0; r = apply_pass(root, dirfd, plan, OUTCOME_REJECTED))
		all += r;
	return r < 0 ? r : all;
}
