/* SPDX-License-Identifier: MIT */
/* What the log says of settings, processes and cycles. */
#include "app/log-entry.h"
#include "base/hash.h"

/* Of a list in a message, the first ones. */
#define LISTED 5U

/* " by sh (pid 812, /bin/dash, of rc-local.service)", as far as it is known; adds the fields. */
static const char *writer_text(struct entry *e, const struct log_writer *by)
{
	const char *exe = by->exe && *by->exe ? by->exe : NULL;
	const char *unit = by->unit && *by->unit ? by->unit : NULL;
	const char *text;

	if (by->pid == 0)
		return "";
	entry_number(e, "THP_PID", (uint64_t)by->pid);
	entry_add(e, "THP_COMM", by->comm);
	entry_add(e, "THP_EXE", exe);
	entry_add(e, "THP_BY_UNIT", unit);
	text = arena_printf(&e->arena, " by %s (pid %d%s%s%s%s)",
			    by->comm && *by->comm ? by->comm : "a process", by->pid,
			    exe ? ", " : "", exe ? exe : "", unit ? ", of " : "", unit ? unit : "");
	return text ? text : "";
}

/** log_setting() - a setting was not as the policy wants it; what became of it */
void log_setting(struct log *l, const struct log_drift *d)
{
	struct entry e = { 0 };
	const char *by = writer_text(&e, &d->by), *note = d->note ? d->note : "";
	const char *found = d->found ? d->found : "?";
	enum event event;
	const char *end;

	entry_add(&e, "THP_KEY", d->key);
	entry_add(&e, "THP_WANTED", d->wanted);
	entry_add(&e, "THP_FOUND", d->found);
	entry_add(&e, "THP_OUTCOME", outcome_words[d->outcome]);
	switch (d->outcome) {
	case OUTCOME_OK:
	case OUTCOME_CHANGED:
		event = EVENT_SETTING_REPAIRED;
		end = arena_printf(&e.arena, "repaired to '%s'", d->wanted);
		break;
	case OUTCOME_DRIFTED:
		event = EVENT_SETTING_DRIFTED;
		end = arena_printf(&e.arena, "the policy wants '%s'; not repaired%s%s", d->wanted,
				   *note ? ": " : "", note);
		break;
	default:
		event = EVENT_SETTING_FAILED;
		end = arena_printf(&e.arena, "the policy wants '%s', but the outcome is %s%s%s",
				   d->wanted, outcome_words[d->outcome], *note ? ": " : "", note);
		break;
	}
	log_tell(l, &e, event, d->key,
		 arena_printf(&e.arena, "%s was set to '%s'%s; %s", d->key, found, by,
			      end ? end : ""));
}

/** log_fight_begins() - somebody sets a setting again and again: it is repaired less often now */
void log_fight_begins(struct log *l, const char *key, uint32_t repairs, uint32_t pause_ms,
		      const struct log_writer *by)
{
	struct entry e = { 0 };
	const char *who = writer_text(&e, by);

	entry_add(&e, "THP_KEY", key);
	entry_number(&e, "THP_COUNT", repairs);
	log_tell(l, &e, EVENT_FIGHT_BEGINS, key,
		 arena_printf(
			 &e.arena,
			 "%s was repaired %u times and set again%s; it is left for %u ms now, and "
			 "longer each time",
			 key, repairs, who, pause_ms));
}

/** log_fight_over() - nobody sets it any more: it is repaired at once again */
void log_fight_over(struct log *l, const char *key)
{
	struct entry e = { 0 };

	entry_add(&e, "THP_KEY", key);
	log_tell(l, &e, EVENT_FIGHT_OVER, key,
		 arena_printf(&e.arena, "%s is left in peace again, and repaired at once", key));
}

static const char *unit_name(const struct plan *plan, const struct plan_proc *p)
{
	return p->unit < plan->units.n ? plan->units.items[p->unit].fact->name : "no unit";
}

static const char *known_flag(int flag)
{
	const char *word = flag_word(flag);

	return word ? word : "unknown";
}

/* "redis-server (pid 812) of redis.service"; adds the fields. */
static const char *process_text(struct entry *e, const struct plan *plan, const struct plan_proc *p)
{
	const char *unit = unit_name(plan, p);
	const char *comm = p->fact->comm ? p->fact->comm : "?", *text;

	entry_add(e, "THP_UNIT", unit);
	entry_number(e, "THP_PID", (uint64_t)p->fact->pid);
	entry_add(e, "THP_COMM", p->fact->comm);
	entry_add(e, "THP_EXE", p->fact->exe);
	entry_add(e, "THP_WANTED", flag_word(thp_mode_flag(p->mode)));
	entry_add(e, "THP_FOUND", flag_word(p->found));
	entry_add(e, "THP_OUTCOME", outcome_words[p->outcome]);
	text = arena_printf(&e->arena, "%s (pid %d) of %s", comm, p->fact->pid, unit);
	return text ? text : "a process";
}

/** log_process_set() - a process that was running was given the flag of its rule */
void log_process_set(struct log *l, const struct plan *plan, const struct plan_proc *p)
{
	struct entry e = { 0 };
	const char *who = process_text(&e, plan, p);

	log_tell(l, &e, EVENT_PROCESS_SET, unit_name(plan, p),
		 arena_printf(&e.arena, "%s: its flag was %s, and is %s now", who,
			      known_flag(p->found), known_flag(thp_mode_flag(p->mode))));
}

/** log_process_drifted() - a process that had been set has not the flag of its rule any more */
void log_process_drifted(struct log *l, const struct plan *plan, const struct plan_proc *p)
{
	struct entry e = { 0 };
	const char *who = process_text(&e, plan, p);
	const char *end = p->outcome == OUTCOME_CHANGED ? "set again" : outcome_words[p->outcome];

	log_tell(l, &e, EVENT_PROCESS_DRIFTED, unit_name(plan, p),
		 arena_printf(&e.arena, "%s: its flag was set, but is %s now; %s", who,
			      known_flag(p->found), end));
}

/** log_start_escaped() - a process was started meanwhile, and only a cycle has found it */
void log_start_escaped(struct log *l, const struct plan *plan, const struct plan_proc *p)
{
	struct entry e = { 0 };
	const char *who = process_text(&e, plan, p);

	log_tell(l, &e, EVENT_START_ESCAPED, unit_name(plan, p),
		 arena_printf(&e.arena, "%s: its start was not seen, a cycle has found it; %s", who,
			      outcome_words[p->outcome]));
}

/**
 * log_reclaimed() - the empty parts of a process's huge pages were given back
 * @l: the log
 * @unit: the unit of the process
 * @pid: the process
 * @comm: its name
 * @given_kb: how much
 * @error: 0, or the negative errno for which not all was
 */
void log_reclaimed(struct log *l, const char *unit, int32_t pid, const char *comm, int64_t given_kb,
		   int error)
{
	struct entry e = { 0 };

	entry_add(&e, "THP_UNIT", unit);
	entry_number(&e, "THP_PID", (uint64_t)pid);
	entry_add(&e, "THP_COMM", comm);
	log_tell(l, &e, EVENT_RECLAIMED, unit,
		 arena_printf(&e.arena, "%s (pid %d) of %s: %lld KiB given back%s%s", comm, pid,
			      unit, (long long)given_kb, error ? "; not all: " : "",
			      error ? strerror(-error) : ""));
}

/* What a cycle had, to be compared and told. */
struct failures {
	struct arena arena;
	uint64_t hash;
	size_t n;
	const char *list;
};

/* A hash over what fails and how, in the order of the plan; 0 is for nothing. */
static void add_failure(struct failures *f, const char *what, enum outcome outcome)
{
	if (f->n == 0)
		f->hash = HASH_BEGIN;
	f->hash = hash_bytes(f->hash, what, strlen(what));
	f->hash = hash_bytes(f->hash, &(unsigned char){ (unsigned char)outcome }, 1);
	f->n++;
	if (f->n <= LISTED)
		f->list = arena_printf(&f->arena, "%s%s%s %s", f->list ? f->list : "",
				       f->n > 1 ? ", " : "", what, outcome_words[outcome]);
}

/* A unit with an outcome counts once, for its processes come and go. */
static void add_unit(struct failures *f, const struct plan *plan, const struct plan_unit *u)
{
	bool seen[OUTCOMES] = { false };

	for (uint32_t i = u->first; i < u->first + u->n; i++)
		seen[plan->procs.items[i].outcome] = true;
	for (size_t o = 0; o < OUTCOMES; o++)
		if (seen[o] && proc_outcome_failed((enum outcome)o))
			add_failure(f, u->fact->name, (enum outcome)o);
}

/**
 * log_cycle() - what is not in order after a cycle, when that has changed since the last one
 * @l: the log
 * @plan: carried out
 */
void log_cycle(struct log *l, const struct plan *plan)
{
	struct failures f = { 0 };
	const struct plan_item *it;
	const struct plan_unit *u;
	struct entry e = { 0 };

	array_foreach(it, &plan->items)
		if (plan_item_failed(it))
			add_failure(&f, it->key, it->outcome);
	array_foreach(u, &plan->units)
		add_unit(&f, plan, u);
	if (f.hash != l->failures && f.n == 0) {
		log_tell(l, &e, EVENT_CYCLE_IN_ORDER, "", "all is as the policy wants it again");
	} else if (f.hash != l->failures) {
		entry_number(&e, "THP_COUNT", f.n);
		log_tell(l, &e, EVENT_CYCLE_FAILURES, "",
			 arena_printf(&e.arena, "not as the policy wants it: %s%s",
				      f.list ? f.list : "out of memory",
				      f.n > LISTED ? ", ..." : ""));
	}
	l->failures = f.hash;
	arena_free(&f.arena);
}
