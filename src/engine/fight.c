/* SPDX-License-Identifier: MIT */
#include "engine/fight.h"

#define SECOND UINT64_C(1000000)

/*
 * Up to seven repairs in a minute are done at once: an administrator's write, tuned's at a change
 * of its profile, and the same again by somebody who does not believe it. A writer in a loop so
 * makes seven entries in a journal, and one more that says that it is a fight: below ten a minute.
 *
 * The first rest is short, and the rests add up to the length of the fight: whatever it was, the
 * value is right again no later than after as much time as it took. The longest rest is that of the
 * default verify_interval. A minute without a foreign write is peace.
 *
 * In a fight a setting costs two looks a rest, about 0.1 ms in at least 100 ms. A value that is
 * written over and over, but is the right one, costs up to 250 looks of 10 us, then a second of
 * respite: 0.3 % of a core.
 */
const struct fight_limits fight_limits = {
	.repairs = FIGHT_REPAIRS_MAX,
	.window_us = 60 * SECOND,
	.first_us = SECOND / 10,
	.longest_us = 60 * SECOND,
	.quiet_us = 60 * SECOND,
	.looks = 250,
	.looks_us = SECOND,
	.respite_us = SECOND,
};

/* Whether the repair that would be made now is one too many. */
static bool too_many(const struct fight *f, const struct fight_limits *limits, uint64_t now)
{
	uint32_t max = limits->repairs < FIGHT_REPAIRS_MAX ? limits->repairs : FIGHT_REPAIRS_MAX;
	uint32_t first = (f->next + FIGHT_REPAIRS_MAX - max) % FIGHT_REPAIRS_MAX;

	return max > 0 && f->n >= max && now - f->repairs[first] < limits->window_us;
}

static void rest(struct fight *f, uint64_t until)
{
	f->until = until;
	f->resting = true;
}

/**
 * fight_found() - somebody has written a setting, and the value is not what it should be
 * @f: what is remembered of the setting
 * @limits: what counts as a fight
 * @now: the time
 *
 * Return: FIGHT_CALM: it is to be repaired at once; else it is to rest until fight_due():
 * FIGHT_BEGINS the first time, FIGHT_ON.
 */
enum fight_news fight_found(struct fight *f, const struct fight_limits *limits, uint64_t now)
{
	if (f->rest_us > 0) {
		f->rest_us *= 2;
		if (f->rest_us > limits->longest_us)
			f->rest_us = limits->longest_us;
		rest(f, now + f->rest_us);
		return FIGHT_ON;
	}
	if (too_many(f, limits, now)) {
		f->rest_us = limits->first_us;
		rest(f, now + f->rest_us);
		return FIGHT_BEGINS;
	}
	f->repairs[f->next] = now;
	f->next = (f->next + 1) % FIGHT_REPAIRS_MAX;
	f->n += f->n < FIGHT_REPAIRS_MAX;
	return FIGHT_CALM;
}

/**
 * fight_right() - somebody has written a setting, and the value is what it should be
 * @f: what is remembered of the setting
 * @limits: how often that is no burden
 * @now: the time
 *
 * One's own writes come here, too.
 *
 * Return: whether it is to rest until fight_due() nevertheless, for it is written too often.
 */
bool fight_right(struct fight *f, const struct fight_limits *limits, uint64_t now)
{
	if (f->looks == 0 || now - f->looks_since >= limits->looks_us) {
		f->looks_since = now;
		f->looks = 0;
	}
	if (limits->looks == 0 || ++f->looks <= limits->looks)
		return false;
	f->looks = 0;
	rest(f, now + limits->respite_us);
	return true;
}

/**
 * fight_rested() - the rest is over: the setting is watched again, looked at and repaired
 * @f: what is remembered of the setting
 * @limits: as before
 * @now: the time
 */
void fight_rested(struct fight *f, const struct fight_limits *limits, uint64_t now)
{
	f->resting = false;
	f->until = f->rest_us > 0 ? now + limits->quiet_us : 0;
}

/**
 * fight_over() - whether a fight has just come to its end
 * @f: what is remembered of the setting
 * @now: the time
 *
 * Return: true once; then everything is forgotten.
 */
bool fight_over(struct fight *f, uint64_t now)
{
	if (f->rest_us == 0 || f->resting || now < f->until)
		return false;
	*f = (struct fight){ 0 };
	return true;
}

/**
 * fight_due() - when something is to be done without a write
 * @f: what is remembered of the setting
 *
 * Return: the end of the rest, or of the fight; UINT64_MAX: never.
 */
uint64_t fight_due(const struct fight *f)
{
	return f->until > 0 ? f->until : UINT64_MAX;
}
