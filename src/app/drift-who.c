/* SPDX-License-Identifier: MIT */
#include "app/drift-who.h"

/** drift_who_full() - whether drift_who_next() must make room before the next event */
bool drift_who_full(const struct drift_who *w)
{
	return w->n == DRIFT_WHO_EVENTS;
}

/**
 * drift_who_event() - takes an event of drift_next()
 * @w: not full
 * @e: the event; its key_index is that of writers_set(), too
 * @now: the time
 */
void drift_who_event(struct drift_who *w, const struct drift_event *e, uint64_t now)
{
	w->events[w->n] = *e;
	w->since[w->n++] = now;
}

/**
 * drift_who_writer() - takes a writer of writers_next()
 * @w: the pairs in the making
 * @x: the writer; the oldest one known is forgotten
 */
void drift_who_writer(struct drift_who *w, const struct writer *x)
{
	w->writers[w->next] = *x;
	w->next = (w->next + 1) % DRIFT_WHO_WRITERS;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/*
 * The writer of the same key that is nearest in time. He stays, for one write may be found wrong
 * twice, and several writes of one process may have been told as one.
 */
static const struct writer *nearest(const struct drift_who *w, const struct drift_event *e)
{
	const struct writer *best = NULL;

	for (size_t i = 0; i < DRIFT_WHO_WRITERS; i++) {
		const struct writer *x = &w->writers[i];
		uint64_t distance = apart(x->time_ns, e->woken_ns);

		if (x->time_ns == 0 || x->key != e->key_index || distance > DRIFT_WHO_WAIT_NS)
			continue;
		if (!best || distance < apart(best->time_ns, e->woken_ns))
			best = x;
	}
	return best;
}

static void remove_event(struct drift_who *w, size_t i)
{
	w->n--;
	memmove(w->events + i, w->events + i + 1, (w->n - i) * sizeof(*w->events));
	memmove(w->since + i, w->since + i + 1, (w->n - i) * sizeof(*w->since));
}

/**
 * drift_who_next() - an event that need not wait any longer
 * @w: the pairs in the making
 * @now: the time; UINT64_MAX: no event need wait, for there is nobody who could tell
 * @ret: the event
 * @ret_who: who wrote; a pid of 0: unknown
 *
 * An event that no write has led to waits for nobody. When there is no room for more, the oldest
 * event does not wait either.
 *
 * Return: whether there is one.
 */
bool drift_who_next(struct drift_who *w, uint64_t now, struct drift_event *ret,
		    struct writer *ret_who)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct drift_event *e = &w->events[i];
		const struct writer *x = e->written ? nearest(w, e) : NULL;

		if (!x && e->written && now < w->since[i] + DRIFT_WHO_WAIT_NS && !drift_who_full(w))
			continue;
		*ret_who = x ? *x : (struct writer){ .key = e->key_index };
		*ret = *e;
		remove_event(w, i);
		return true;
	}
	return false;
}

/**
 * drift_who_due() - when drift_who_next() is to be called again in any case
 * @w: the pairs in the making
 *
 * Return: the time; UINT64_MAX: never.
 */
uint64_t drift_who_due(const struct drift_who *w)
{
	return w->n > 0 ? w->since[0] + DRIFT_WHO_WAIT_NS : UINT64_MAX;
}

/**
 * drift_who_forget() - forgets the writers: the list of keys is another one
 * @w: the pairs in the making; take what waits out first
 */
void drift_who_forget(struct drift_who *w)
{
	memset(w->writers, 0, sizeof(w->writers));
}
