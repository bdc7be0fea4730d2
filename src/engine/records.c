/* SPDX-License-Identifier: MIT */
/*
 * Which flags thpd has set in this boot, kept in /run: written before a process is touched, so that
 * nothing that was done is ever unknown.
 */
#include "engine/records.h"

#include "engine/services.h"
#include "sys/proc.h"

static bool will_be_set(const struct plan *plan, const struct plan_proc *pp)
{
	enum apply_mode apply = plan->rules.items[pp->rule].rule->apply;

	return pp->outcome == OUTCOME_DRIFTED && pp->now < 0 && apply != APPLY_START &&
	       apply != APPLY_VERIFY;
}

static const char *unit_of_proc(const struct plan *plan, const struct plan_proc *pp)
{
	return plan->units.items[pp->unit].fact->name;
}

/* From pids to processes. */
static int index_procs(const struct facts *f, struct arena *a, struct strmap *ret)
{
	const struct proc_fact *fact;

	array_foreach(fact, &f->procs) {
		const char *key = arena_printf(a, "%d", fact->pid);

		if (!key || strmap_put(ret, a, key, (uint32_t)fact_i) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The record that a process falls under: its own, or that of an ancestor it has the flag from. */
static const struct flag_record *record_of(const struct flag_records *records,
					   const struct facts *f, const struct strmap *index,
					   const struct proc_fact *fact)
{
	const struct flag_record *mine = flags_find(records, fact->pid, fact->start);

	for (size_t i = 0; !mine && i < f->procs.n; i++) {
		char key[16];
		uint32_t at;

		(void)snprintf(key, sizeof(key), "%d", fact->ppid);
		if (!strmap_get(index, key, &at))
			return NULL;
		fact = &f->procs.items[at];
		mine = flags_find(records, fact->pid, fact->start);
	}
	return mine;
}

/*
 * Who got his flag from an ancestor that has a record gets one himself: the ancestor may have
 * ended by the time of `restore`.
 */
static int add_descendants(struct flag_records *records, const struct facts *f,
			   const struct plan *plan, bool *ret_new)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct strmap index = { 0 };
	const struct plan_proc *pp;
	int r = records->sorted ? index_procs(f, &a, &index) : 0;

	if (r < 0 || !records->sorted)
		return r;
	array_foreach(pp, &plan->procs) {
		const struct proc_fact *fact = pp->fact;
		const struct flag_record *from;

		if (pp->outcome != OUTCOME_OK || thp_mode_flag(pp->mode) < 0 ||
		    flags_find(records, fact->pid, fact->start))
			continue;
		from = record_of(records, f, &index, fact);
		if (!from || from->set != pp->found)
			continue;
		r = flags_add(records, fact->pid, fact->start, unit_of_proc(plan, pp), from->set,
			      from->was);
		if (r < 0)
			return r;
		*ret_new = true;
	}
	return 0;
}

/**
 * records_before() - notes which processes services_apply() will set
 * @root: the running host, locked
 * @f: the processes
 * @plan: of resolve_procs(); is told which of them were set before, and have undone it
 *
 * Return: 0; negative errno, and then nothing may be set: it could not be cleared again.
 */
int records_before(const struct root *root, const struct facts *f, struct plan *plan)
{
	_cleanup_flags_ struct flag_records records = { 0 };
	struct plan_proc *pp;
	bool new = false;
	int r = records_load(root, &records);

	if (r < 0)
		return r;
	r = add_descendants(&records, f, plan, &new);
	array_foreach(pp, &plan->procs)
		new |= will_be_set(plan, pp);
	/* Who has ended is looked for only when the file is written anyway. */
	if (r < 0 || !new)
		return r;
	records_drop_ended(root, &records);
	array_foreach(pp, &plan->procs) {
		const struct proc_fact *fact = pp->fact;
		int flag = thp_mode_flag(pp->mode);
		struct flag_record *old;

		if (!will_be_set(plan, pp))
			continue;
		old = flags_find(&records, fact->pid, fact->start);
		pp->again = old && old->set != pp->found;
		if (old)
			old->set = flag; /* what it had before our first time stays */
		else
			r = flags_add(&records, fact->pid, fact->start, unit_of_proc(plan, pp),
				      flag, pp->found);
		if (r < 0)
			return r;
	}
	return records_save(root, &records);
}

/**
 * records_after() - completes the notes with what was found, and drops those of whom nothing was
 * done
 * @root: the running host, locked
 * @plan: of services_apply()
 *
 * Return: 0; negative errno.
 */
int records_after(const struct root *root, const struct plan *plan)
{
	_cleanup_flags_ struct flag_records records = { 0 };
	const struct plan_proc *pp;
	const struct flag_record *it;
	bool changed = false;
	size_t n = 0;
	int r = records_load(root, &records);

	if (r < 0)
		return r;
	array_foreach(pp, &plan->procs) {
		struct flag_record *mine = flags_find(&records, pp->fact->pid, pp->fact->start);

		if (!mine)
			continue;
		/* It was not reached, and has what it had: nothing to be put back. */
		if (pp->outcome == OUTCOME_DENIED && pp->now < 0 && pp->found == mine->was) {
			changed = true;
			mine->was = mine->set;
		}
		if (mine->was >= 0)
			continue;
		changed = true;
		/* Without a flag of its own before, and none since: nothing to be put back. */
		mine->was = pp->outcome == OUTCOME_CHANGED ? pp->found : mine->set;
	}
	array_foreach(it, &records.list)
		if (it->was != it->set)
			records.list.items[n++] = *it;
	changed |= n != records.list.n;
	records.list.n = records.sorted = n;
	return changed ? records_save(root, &records) : 0;
}

/**
 * records_outside() - looks at processes that have a record, but are in no unit any more
 * @root: the running host
 * @records: what was set
 * @f: facts, with the processes of all units; gets those that are in none, in a unit named `-`
 *
 * Return: 0; -ENOMEM.
 */
int records_outside(const struct root *root, const struct flag_records *records, struct facts *f)
{
	_cleanup_arena_ struct arena a = { 0 };
	ARRAY(int32_t) pids = { 0 };
	const struct flag_record *it;
	struct strmap index = { 0 };
	struct unit_fact *none;
	size_t first = f->procs.n;
	int r = index_procs(f, &a, &index);

	array_foreach(it, &records->list) {
		const char *key = arena_printf(&a, "%d", it->pid);
		int32_t *pid;

		if (r == 0 && key && strmap_get(&index, key, NULL))
			continue;
		pid = array_add(&a, &pids);
		if (r < 0 || !key || !pid)
			return -ENOMEM;
		*pid = it->pid;
	}
	if (pids.n == 0)
		return 0;
	none = array_add(&f->arena, &f->units);
	if (!none)
		return -ENOMEM;
	*none = (struct unit_fact){
		.name = "-", .parent = UNIT_NONE, .current_kb = -1, .hidden_kb = -1
	};
	r = services_named(root, pids.items, pids.n, f);
	for (size_t i = first; i < f->procs.n; i++)
		f->procs.items[i].unit = (uint32_t)f->units.n - 1;
	return r;
}

static enum thp_mode mode_of(int flag)
{
	return flag == THP_WANT_DISABLE	       ? THP_MODE_DISABLE :
	       flag == THP_WANT_EXCEPT_ADVISED ? THP_MODE_MADVISE :
						 THP_MODE_SYSTEM;
}

static int add_proc(struct plan *plan, const struct facts *f, const struct proc_fact *fact,
		    const struct flag_record *record)
{
	const struct unit_fact *unit = &f->units.items[fact->unit];
	struct plan_unit *u = plan->units.n ? &plan->units.items[plan->units.n - 1] : NULL;
	struct plan_proc *pp = array_add(&plan->arena, &plan->procs);

	if (!pp)
		return -ENOMEM;
	if (!u || u->fact != unit) {
		u = array_add(&plan->arena, &plan->units);
		if (!u)
			return -ENOMEM;
		*u = (struct plan_unit){ .fact = unit, .first = (uint32_t)plan->procs.n - 1 };
	}
	u->n++;
	*pp = (struct plan_proc){
		.fact = fact,
		.unit = (uint32_t)plan->units.n - 1,
		.rule = UINT32_MAX,
		.mode = mode_of(record->was),
		.given = record->set,
		.outcome = OUTCOME_UNKNOWN,
		.found = fact->flag,
		.now = -1,
	};
	return 0;
}

/**
 * records_plan() - a plan that puts back the flags that thpd has set
 * @records: what was set
 * @f: facts, with the processes of all units
 * @plan: gets the processes that have a record, and their descendants
 *
 * Return: 0; -ENOMEM.
 */
int records_plan(const struct flag_records *records, const struct facts *f, struct plan *plan)
{
	struct strmap index = { 0 };
	const struct proc_fact *fact;
	int r = index_procs(f, &plan->arena, &index);

	if (r < 0)
		return r;
	array_foreach(fact, &f->procs) {
		const struct flag_record *record = fact->exempt || fact->error ?
							   NULL :
							   record_of(records, f, &index, fact);

		if (record && add_proc(plan, f, fact, record) < 0)
			return -ENOMEM;
	}
	return 0;
}

/**
 * records_limit() - leaves alone what has another flag by now than thpd gave it, or its ancestor
 * @plan: of records_plan(), asked and resolved
 *
 * Nor is anything done to one that could not be asked.
 */
void records_limit(struct plan *plan)
{
	struct plan_proc *pp;

	array_foreach(pp, &plan->procs) {
		if (pp->outcome != OUTCOME_DRIFTED || pp->found == pp->given)
			continue;
		pp->outcome = pp->found < 0 ? OUTCOME_UNKNOWN : OUTCOME_OK;
		if (pp->found >= 0)
			pp->note = "has another flag by now than thpd gave it: left alone";
	}
}

/**
 * records_forget() - drops the records of what was put back
 * @root: the running host, locked
 * @plan: of services_apply(); what failed is kept
 *
 * Return: 0; negative errno.
 */
int records_forget(const struct root *root, const struct plan *plan)
{
	_cleanup_flags_ struct flag_records records = { 0 };
	const struct plan_proc *pp;
	const struct flag_record *it;
	size_t n = 0;
	int r = records_load(root, &records);

	if (r < 0)
		return r;
	array_foreach(pp, &plan->procs) {
		struct flag_record *mine = flags_find(&records, pp->fact->pid, pp->fact->start);

		if (mine && (pp->outcome == OUTCOME_OK || pp->outcome == OUTCOME_CHANGED))
			mine->was = mine->set;
	}
	records_drop_ended(root, &records);
	array_foreach(it, &records.list)
		if (it->was != it->set)
			records.list.items[n++] = *it;
	records.list.n = records.sorted = n;
	return records_save(root, &records);
}
