/* SPDX-License-Identifier: MIT */
#include "app/drift-repair.h"

#include <time.h>

#include "engine/apply.h"
#include "sys/knob.h"

static void copy(char to[DRIFT_TEXT], const char *from)
{
	(void)snprintf(to, DRIFT_TEXT, "%.*s", (int)DRIFT_TEXT - 1, from);
}

static struct drift_event new_event(const struct drift_state *s, const struct drift_item *it,
				    const char *found, bool written)
{
	struct drift_event e = {
		.key_index = (uint32_t)(it - s->items),
		.serial = s->serial,
		.outcome = OUTCOME_DRIFTED,
		.written = written,
		.woken_ns = s->woken_ns,
	};

	copy(e.key, it->key);
	copy(e.wanted, it->wanted);
	copy(e.found, found);
	return e;
}

/* Writes a setting and reads it back; says what came of it. */
static void repair(struct drift_state *s, struct drift_item *it, struct drift_event *e)
{
	int written = knob_write(&s->root, s->dirfd, it->key, it->wanted), r;
	struct knob k;

	s->counts.writes++;
	r = knob_read(&s->root, s->dirfd, it->key, &k);
	e->latency_ns = monotonic_ns() - s->woken_ns;
	it->refused = false;
	if (r < 0) {
		e->outcome = r == -ENOENT ? OUTCOME_GONE : OUTCOME_UNKNOWN;
		e->error = -r;
		return;
	}
	copy(e->now, k.value);
	if (streq(k.value, it->wanted)) {
		e->outcome = OUTCOME_CHANGED;
	} else if (written < 0) {
		e->outcome = (int32_t)outcome_of_error(written);
		e->error = -written;
		it->refused = true;
	}
	/* Else somebody was there again, and has raised an event that is not read yet. */
}

/*
 * What was refused may be taken now: see apply_settings(). Each success may make room for more;
 * what is refused again waits for the next one.
 */
static void retry_refused(struct drift_state *s)
{
	bool again;

	do {
		again = false;
		for (struct drift_item *it = s->items; it < s->items + s->n; it++) {
			struct drift_event e;
			struct knob k;

			if (!it->refused || knob_read(&s->root, s->dirfd, it->key, &k) < 0 ||
			    streq(k.value, it->wanted))
				continue;
			e = new_event(s, it, k.value, false);
			repair(s, it, &e);
			if (e.outcome != OUTCOME_CHANGED)
				continue;
			again = true;
			s->tell(s->data, &e);
		}
	} while (again);
}

/* A wrong value: repairs it, or tells of it, unless it is a fight. */
static void found_wrong(struct drift_state *s, struct drift_item *it, const char *found,
			bool written)
{
	struct drift_event e = new_event(s, it, found, written);

	/* Once at the end of each rest it is repaired; the next write counts again. */
	if (written)
		e.fight = (int32_t)fight_found(&it->fight, &s->limits, monotonic_us());
	else if (it->fight.rest_us > 0)
		e.fight = FIGHT_ON;
	if (it->fight.resting) {
		driftwatch_drop(&s->watch, e.key_index);
	} else if (s->repair) {
		repair(s, it, &e);
	} else if (streq(it->told, e.found) && e.fight != FIGHT_ON) {
		return; /* the same as before */
	}
	copy(it->told, found);
	s->tell(s->data, &e);
	if (e.outcome == OUTCOME_CHANGED)
		retry_refused(s);
}

/* Reads a setting and compares. @written: somebody has written it, perhaps ourselves */
static void look(struct drift_state *s, struct drift_item *it, bool written)
{
	struct knob k;
	int r;

	if (it->fight.resting)
		return;
	s->counts.looks++;
	r = knob_read(&s->root, s->dirfd, it->key, &k);
	if (r == -ENOENT)
		return;
	if (r == 0 && !streq(k.value, it->wanted)) {
		found_wrong(s, it, k.value, written);
		return;
	}
	if (r < 0) {
		struct drift_event e = new_event(s, it, "", written);

		e.outcome = OUTCOME_UNKNOWN;
		e.error = -r;
		s->tell(s->data, &e);
	}
	it->told[0] = '\0';
	it->refused = false;
	if (written && fight_right(&it->fight, &s->limits, monotonic_us()))
		driftwatch_drop(&s->watch, (size_t)(it - s->items));
}

/**
 * drift_look_at_all() - looks at every setting, without a reason to think that it was written
 * @s: the state
 */
void drift_look_at_all(struct drift_state *s)
{
	for (size_t i = 0; i < s->n; i++)
		look(s, &s->items[i], false);
}

/**
 * drift_handle_writes() - deals with what the watch has to tell
 * @s: the state; its woken_ns is set
 *
 * First all is heard, then each setting is looked at once, however often it has been written: so
 * one that is written without end does not keep the others waiting.
 */
void drift_handle_writes(struct drift_state *s)
{
	size_t max = 4096, i; /* somebody may write faster than we read */
	bool any = false, all = false;

	while (max-- > 0 && driftwatch_next(&s->watch, &i) > 0) {
		any = true;
		if (i == DRIFTWATCH_ANY)
			all = true;
		else
			s->items[i].written = true;
	}
	for (i = 0; any && i < s->n; i++) {
		struct drift_item *it = &s->items[i];
		bool written = it->written || all;

		it->written = false;
		if (written)
			look(s, it, true);
	}
}

/* Watched first, then looked at: so no write is missed. */
static void end_rest(struct drift_state *s, struct drift_item *it, uint64_t now)
{
	int r = driftwatch_add(&s->watch, &s->root, s->dirfd, (size_t)(it - s->items), it->key);

	if (r < 0 && r != -ENOENT) { /* no memory, or too many watches: later, then */
		it->fight.until = now + 1000000;
		return;
	}
	fight_rested(&it->fight, &s->limits, now);
	look(s, it, false);
}

/* Nobody has written for a while. */
static void end_fight(struct drift_state *s, struct drift_item *it)
{
	struct knob k = { .value = "" };
	struct drift_event e;
	bool right;

	(void)knob_read(&s->root, s->dirfd, it->key, &k);
	right = streq(k.value, it->wanted);
	e = new_event(s, it, k.value, false);
	e.fight = FIGHT_OVER;
	e.outcome = right ? OUTCOME_OK : OUTCOME_DRIFTED;
	s->tell(s->data, &e);
}

/**
 * drift_handle_time() - ends rests and fights that have come to their end
 * @s: the state; its woken_ns is set
 */
void drift_handle_time(struct drift_state *s)
{
	uint64_t now = s->woken_ns / 1000;

	for (struct drift_item *it = s->items; it < s->items + s->n; it++) {
		if (fight_due(&it->fight) > now)
			continue;
		if (it->fight.resting)
			end_rest(s, it, now);
		else if (fight_over(&it->fight, now))
			end_fight(s, it);
	}
}

/**
 * drift_due_us() - when drift_handle_time() has something to do
 * @s: the state
 *
 * Return: microseconds of CLOCK_MONOTONIC; UINT64_MAX: never.
 */
uint64_t drift_due_us(const struct drift_state *s)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < s->n; i++) {
		uint64_t due = fight_due(&s->items[i].fight);

		first = due < first ? due : first;
	}
	return first;
}
