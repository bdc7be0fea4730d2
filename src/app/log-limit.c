/* SPDX-License-Identifier: MIT */
#include "app/log-limit.h"

static bool is_slot_of(const struct limit_slot *s, uint32_t event, const char *subject)
{
	return s->until_us > 0 && s->event == event &&
	       strncmp(s->subject, subject, LIMIT_SUBJECT - 1) == 0;
}

/* The slot of an event and subject; else one that is free, or the one that is over first. */
static struct limit_slot *find_slot(struct log_limit *l, uint32_t event, const char *subject)
{
	struct limit_slot *oldest = l->slots;

	for (struct limit_slot *s = l->slots; s < l->slots + LIMIT_SLOTS; s++) {
		if (is_slot_of(s, event, subject))
			return s;
		if (s->until_us < oldest->until_us)
			oldest = s;
	}
	return oldest;
}

/**
 * limit_pass() - whether an event may be told
 * @l: what was told
 * @event: the kind, below LIMIT_EVENTS
 * @subject: what it is about
 * @burst: most of this kind that are told in a minute, whatever they are about
 * @now_us: the time
 * @ret_left_out: how many of the same kind and subject were left out since one was told
 *
 * Return: true when it may; false when it counts as left out.
 */
bool limit_pass(struct log_limit *l, uint32_t event, const char *subject, uint32_t burst,
		uint64_t now_us, uint32_t *ret_left_out)
{
	struct limit_slot *s = find_slot(l, event, subject);
	struct limit_event *e = &l->events[event];
	bool same = is_slot_of(s, event, subject);

	if (same && now_us < s->until_us) {
		s->left_out++;
		return false;
	}
	if (e->told == 0 || now_us - e->since_us >= LIMIT_US) {
		e->since_us = now_us;
		e->told = 0;
	}
	if (e->told >= burst) {
		e->left_out++;
		return false;
	}
	e->told++;
	*ret_left_out = same ? s->left_out : 0;
	/* What a slot that has to go has counted is told with the rest of its kind. */
	if (!same && s->until_us > 0)
		l->events[s->event].left_out += s->left_out;
	*s = (struct limit_slot){ .until_us = now_us + LIMIT_US, .event = event };
	(void)snprintf(s->subject, sizeof(s->subject), "%s", subject);
	return true;
}

/**
 * limit_left_out() - how many of a kind were left out, where no later one has said so
 * @l: what was told
 * @event: the kind
 * @now_us: the time
 *
 * Counts what is a minute old, and forgets it: it is the caller's to tell.
 *
 * Return: the number.
 */
uint32_t limit_left_out(struct log_limit *l, uint32_t event, uint64_t now_us)
{
	struct limit_event *e = &l->events[event];
	uint32_t n = 0;

	for (struct limit_slot *s = l->slots; s < l->slots + LIMIT_SLOTS; s++)
		if (s->until_us > 0 && s->event == event && now_us >= s->until_us) {
			n += s->left_out;
			s->left_out = 0;
		}
	if (now_us - e->since_us >= LIMIT_US) {
		n += e->left_out;
		e->left_out = 0;
	}
	return n;
}
