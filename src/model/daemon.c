/* SPDX-License-Identifier: MIT */
#include "model/daemon.h"

/*
 * A cycle may come later than the interval says: jitter and timer slack move it, and on a host with
 * thousands of processes it takes a while itself.
 */
#define LATE_US UINT64_C(60000000)

const char *const daemon_part_words[] = {
	[PART_UNUSED] = "unused",
	[PART_OK] = "ok",
	[PART_LOST] = "lost",
	[PART_FAILED] = "failed",
	NULL,
};

const char *const daemon_state_words[] = {
	[DAEMON_NOT_RUNNING] = "not_running",
	[DAEMON_RUNNING] = "running",
	[DAEMON_LATE] = "late",
	[DAEMON_UNKNOWN] = "unknown",
	NULL,
};

/** daemon_parts() - the parts of the daemon that can be lost, by name */
void daemon_parts(const struct daemon_status *s, struct daemon_part_state ret[DAEMON_PARTS])
{
	ret[0] = (struct daemon_part_state){ "bus", "the way to systemd", s->bus };
	ret[1] = (struct daemon_part_state){ "helper", "thpd-helper", s->helper };
	ret[2] = (struct daemon_part_state){ "starts", "thpd-starts", s->starts };
}

/**
 * daemon_state_of() - how a daemon stands that has left a report
 * @s: what the report says
 * @alive: whether that very process still runs
 * @now_us: the time of the day
 *
 * Its cycle is late when two intervals and a minute have gone by without one. A clock that was set
 * back says nothing.
 *
 * Return: the state, never DAEMON_UNKNOWN.
 */
enum daemon_state daemon_state_of(const struct daemon_status *s, bool alive, uint64_t now_us)
{
	uint64_t last = s->cycle_us > s->started_us ? s->cycle_us : s->started_us;
	uint64_t interval = UINT64_C(1000000) * s->verify_interval;

	if (!alive)
		return DAEMON_NOT_RUNNING;
	if (interval > 0 && now_us > last && now_us - last > 2 * interval + LATE_US)
		return DAEMON_LATE;
	return DAEMON_RUNNING;
}
