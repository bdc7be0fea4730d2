/* SPDX-License-Identifier: MIT */
/* Foreign writes: the thread undoes them, the helper tells by whom, the loop counts and logs. */
#include "app/daemon.h"

#include <sys/socket.h>

#include "base/hash.h"

#define SOON_US 1000000U

static const char unwatched[] = "foreign writes are seen by cycles alone";

static void tell(struct daemon *d, const struct drift_event *e, const struct writer *who)
{
	const struct log_writer by = {
		.pid = who->pid, .comm = who->comm, .exe = who->exe, .unit = who->unit
	};
	const struct log_drift drift = { .key = e->key,
					 .wanted = e->wanted,
					 .found = e->found,
					 .outcome = (enum outcome)e->outcome,
					 .note = e->error ? strerror(e->error) : NULL,
					 .by = by };

	if (e->fight == FIGHT_BEGINS)
		log_fight_begins(&d->log, e->key, fight_limits.repairs,
				 (uint32_t)(fight_limits.first_us / 1000U), &by);
	else if (e->fight == FIGHT_OVER)
		log_fight_over(&d->log, e->key);
	else if (e->fight == FIGHT_CALM)
		log_setting(&d->log, &drift);
}

/* Events go out when their writer is known, or nobody will tell any more. */
static void flush(struct daemon *d)
{
	uint64_t now = d->writers_fd >= 0 ? monotonic_ns() : UINT64_MAX, due;
	struct drift_event e;
	struct writer who;

	while (drift_who_next(&d->who, now, &e, &who))
		tell(d, &e, &who);
	due = drift_who_due(&d->who);
	if (due == UINT64_MAX)
		return;
	(void)sd_event_source_set_time(d->who_timer, due / 1000 + 1);
	(void)sd_event_source_set_enabled(d->who_timer, SD_EVENT_ONESHOT);
}

static int on_who_timer(sd_event_source *s, uint64_t usec, void *data)
{
	flush(data);
	return 0;
}

static void count(struct daemon *d, const struct drift_event *e)
{
	d->status.foreign_writes += e->written && e->fight != FIGHT_OVER;
	d->status.settings_repaired += e->outcome == OUTCOME_CHANGED;
	/* The report says what holds now; and what could not be repaired, a cycle may. */
	daemon_schedule(d, SOON_US);
}

static int on_drift(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;
	struct drift_event e;

	while (drift_next(d->drift, &e) > 0) {
		count(d, &e);
		if (drift_who_full(&d->who))
			flush(d);
		drift_who_event(&d->who, &e, monotonic_ns());
	}
	flush(d);
	return 0;
}

static void lose_writers(struct daemon *d)
{
	d->writers_io = sd_event_source_unref(d->writers_io);
	d->writers_fd = close_fd(d->writers_fd);
}

static int on_writer(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;
	struct writer w;
	ssize_t n;

	while ((n = recv(fd, &w, sizeof(w), MSG_DONTWAIT)) == (ssize_t)sizeof(w)) {
		w.comm[sizeof(w.comm) - 1] = w.exe[sizeof(w.exe) - 1] = '\0';
		w.unit[sizeof(w.unit) - 1] = '\0';
		drift_who_writer(&d->who, &w);
	}
	if (n >= 0 || errno != EAGAIN)
		lose_writers(d); /* asked for again after the next cycle */
	flush(d);
	return 0;
}

/*
 * Has the helper tell who writes to the settings. Without it repairs go on, and nobody is named.
 */
static int ask_for_writers(struct daemon *d, const struct drift_key *keys, size_t n)
{
	struct helper_call c = { .version = HELPER_WIRE_VERSION, .verb = HELPER_WRITERS };
	size_t len = 0;
	int r;

	for (size_t i = 0; i < n && len + strlen(keys[i].key) < sizeof(c.u.keys); i++) {
		memcpy(c.u.keys + len, keys[i].key, strlen(keys[i].key) + 1);
		len += strlen(keys[i].key) + 1;
		c.n++;
	}
	lose_writers(d);
	drift_who_forget(&d->who);
	if (n == 0)
		return 0;
	d->writers_fd = helper_connect(&d->helper);
	if (d->writers_fd < 0)
		return d->writers_fd;
	if (send(d->writers_fd, &c, HELPER_HEAD + len, MSG_NOSIGNAL) < 0)
		return -errno;
	r = sd_event_add_io(d->event, &d->writers_io, d->writers_fd, EPOLLIN, on_writer, d);
	return r < 0 ? r : 0;
}

/*
 * What the kernel seems not to have kept was perhaps overwritten before it was read back, and what
 * it has refused it may take later. It is watched as before: else a fight would be forgotten.
 */
static bool may_drift(const struct plan_item *it)
{
	return (it->outcome == OUTCOME_REJECTED && it->now) || it->outcome == OUTCOME_OK ||
	       it->outcome == OUTCOME_CHANGED || it->outcome == OUTCOME_DRIFTED ||
	       it->outcome == OUTCOME_FAILED;
}

/**
 * daemon_watch_settings() - watches the settings that this cycle has found to be there
 * @d: the daemon, drift_lock() held: what was written just now must not be undone after an old list
 *
 * When that is not possible, foreign writes are only seen by cycles: said in the log, and tried
 * again by the next cycle.
 */
void daemon_watch_settings(struct daemon *d)
{
	uint64_t hash = daemon_repairs(d) ? HASH_BEGIN : 1;
	_cleanup_arena_ struct arena a = { 0 };
	ARRAY(struct drift_key) keys = { 0 };
	const struct plan_item *it;
	int r = 0;

	if (!d->drift)
		return;
	array_foreach(it, &d->host->plan.items) {
		struct drift_key *k = may_drift(it) ? array_add(&a, &keys) : NULL;

		if (may_drift(it) && !k)
			r = -ENOMEM;
		if (k)
			*k = (struct drift_key){ .key = it->key, .wanted = it->wanted };
		if (k)
			hash = hash_string(hash_string(hash, k->key), k->wanted);
	}
	if (r == 0 && hash != d->watched)
		r = drift_set(d->drift, keys.items, keys.n, daemon_repairs(d), NULL);
	if (r < 0) {
		d->watched = 0;
		log_trouble(&d->log, r, unwatched);
		return;
	}
	if (hash != d->watched || d->writers_fd < 0)
		d->writers_error = ask_for_writers(d, keys.items, keys.n);
	d->watched = hash;
}

/**
 * daemon_drift_retry() - has the thread run, if it does not
 * @d: the daemon
 *
 * The kernel may have no inotify instance left for root (inotify(7), max_user_instances), which is
 * no reason to leave the rest undone.
 */
void daemon_drift_retry(struct daemon *d)
{
	const struct root live = ROOT_LIVE;
	int r = d->drift ? 0 : drift_start(&live, &fight_limits, &d->drift);

	if (r == 0 && !d->drift_io)
		r = sd_event_add_io(d->event, &d->drift_io, drift_fd(d->drift), EPOLLIN, on_drift,
				    d);
	if (r >= 0)
		return;
	drift_stop(d->drift);
	d->drift = NULL;
	if (r != -ENOENT) /* a kernel without THP: there is nothing to watch */
		log_trouble(&d->log, r, unwatched);
}

/** daemon_drift_begin() - prepares what the thread will have to tell; 0 or negative errno */
int daemon_drift_begin(struct daemon *d)
{
	int r = sd_event_add_time(d->event, &d->who_timer, CLOCK_MONOTONIC, UINT64_MAX, 1,
				  on_who_timer, d);
	if (r >= 0)
		r = sd_event_source_set_enabled(d->who_timer, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

/** daemon_drift_end() - ends the thread */
void daemon_drift_end(struct daemon *d)
{
	lose_writers(d);
	d->drift_io = sd_event_source_unref(d->drift_io);
	drift_stop(d->drift);
	d->drift = NULL;
	d->who_timer = sd_event_source_unref(d->who_timer);
}
