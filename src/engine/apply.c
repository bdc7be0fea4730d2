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

static enum outcome outcome_of_error(int error)
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

static void apply_item(const struct root *root, int dirfd, struct plan *plan, struct plan_item *it)
{
	int w = knob_write(root, dirfd, it->key, it->wanted);
	int r = read_back(root, dirfd, plan, it);

	if (r < 0)
		set_outcome(plan, it, r == -ENOENT ? OUTCOME_GONE : OUTCOME_UNKNOWN, r, NULL);
	else if (streq(it->now, it->wanted))
		set_outcome(plan, it, OUTCOME_CHANGED, 0, NULL);
	else if (w < 0)
		set_outcome(plan, it, outcome_of_error(w), w, NULL);
	else
		set_outcome(plan, it, OUTCOME_REJECTED, 0,
			    "the kernel took the write, but not the value");
}

/*
 * One file may stand in another's way: the kernel refuses `shmem_enabled = force` as long as a size
 * other than PMD's inherits it (shmem_enabled_store() in mm/shmem.c). So what was refused is tried
 * again as long as something else succeeds.
 */
static void apply_items(const struct root *root, int dirfd, struct plan *plan)
{
	bool progress = true;

	for (int pass = 0; progress; pass++) {
		struct plan_item *it;

		progress = false;
		array_foreach(it, &plan->items) {
			bool due = pass == 0 ? it->outcome == OUTCOME_DRIFTED :
					       it->outcome == OUTCOME_REJECTED && it->now;

			if (!due)
				continue;
			apply_item(root, dirfd, plan, it);
			progress |= it->outcome == OUTCOME_CHANGED;
		}
	}
}

/**
 * apply_settings() - brings every file that has drifted to what is wanted, and reads it back
 * @root: the host
 * @dirfd: of knob_open()
 * @plan: of resolve_found(), without errors; outcomes and present values are updated
 *
 * When anything was written, everything is read once more at the end: `ok` and `changed` stand for
 * what the kernel holds after the last write.
 *
 * Return: how many files were written with success.
 */
int apply_settings(const struct root *root, int dirfd, struct plan *plan)
{
	struct plan_item *it;
	int changed = 0;

	apply_items(root, dirfd, plan);
	array_foreach(it, &plan->items)
		changed += it->outcome == OUTCOME_CHANGED;
	if (changed == 0)
		return 0;
	array_foreach(it, &plan->items) {
		int r;

		if (it->outcome != OUTCOME_OK && it->outcome != OUTCOME_CHANGED)
			continue;
		r = read_back(root, dirfd, plan, it);
		if (r < 0)
			set_outcome(plan, it, r == -ENOENT ? OUTCOME_GONE : OUTCOME_UNKNOWN, r,
				    NULL);
		else if (!streq(it->now, it->wanted))
			set_outcome(plan, it, OUTCOME_FAILED, 0,
				    "changed again while the other files were written");
	}
	return changed;
}
