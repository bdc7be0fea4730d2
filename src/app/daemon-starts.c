/* SPDX-License-Identifier: MIT */
/*
 * Services that start: what systemd knows of their programs becomes a table, and thpd-starts does
 * the rest. Units of whose programs systemd knows nothing are seen by their groups, and looked at.
 */
#include "app/daemon.h"

#include "engine/originals.h"
#include "engine/records.h"
#include "plan/resolve-starts.h"
#include "sys/units.h"

#define SECOND_US UINT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
/* Starts that wait to be recorded: a thousand a second, and a minute without a cycle. */
#define STARTED_MAX 65536U

/* When the processes of a unit that has come up are looked at, in microseconds after it. */
static const uint64_t looks[] = { 1000, 20000, 200000, SECOND_US };

/** daemon_look_again() - after a cycle: whether a unit came up so lately that another is due */
void daemon_look_again(struct daemon *d)
{
	if (d->looks < ARRAY_SIZE(looks))
		daemon_schedule(d, looks[d->looks++]);
}

static void on_unit(const char *name, const char *path, void *data)
{
	struct daemon *d = data;

	/* A start that thpd-starts sees would only be in its way if it were looked at at once. */
	d->looks = d->status.starts == PART_OK ? 1 : 0;
	d->came_us = monotonic_us();
	daemon_look_again(d);
}

static int on_units(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;

	(void)unitwatch_read(d->units, on_unit, d);
	return 0;
}

static enum daemon_part part_of(enum bus_state state)
{
	return state == BUS_CONNECTED ? PART_OK : state == BUS_LOST ? PART_LOST : PART_UNUSED;
}

static void send_programs(struct daemon *d);

static void on_bus_state(enum bus_state state, int error, void *data)
{
	struct daemon *d = data;
	enum daemon_part was = d->status.bus;

	d->status.bus = part_of(state);
	if (state == BUS_NO_SYSTEMD)
		log_note(&d->log,
			 "there is no systemd: starts are seen by their groups, if at all");
	/* That it is not there yet in early boot is no news. */
	if (was == PART_OK && state == BUS_LOST)
		log_bus_lost(&d->log, error);
	else if (was == PART_LOST && state == BUS_CONNECTED && d->bus_was_there)
		log_bus_back(&d->log);
	d->bus_was_there |= state == BUS_CONNECTED;
	/* Rules that have changed meanwhile are no news of systemd's. */
	if (state == BUS_CONNECTED && d->table_old)
		send_programs(d);
	daemon_ready(d);
}

static void lose_starts(struct daemon *d, int error)
{
	/* One of another version gives way to what is installed: now, but not again and again. */
	const uint64_t soon = error == -EPROTONOSUPPORT ? 0 : SECOND_US;

	d->starts_io = sd_event_source_unref(d->starts_io);
	starts_client_close(&d->starts);
	/* With no periodic cycle, nothing else would have it tried again. */
	daemon_schedule(d, d->status.starts == PART_LOST ? MINUTE_US : soon);
	d->armed = d->has_table = d->table_sent = false;
	daemon_part(d, &d->status.starts, error, "thpd-starts");
}

static void forget_started(struct daemon *d)
{
	arena_free(&d->started_arena);
	memset(&d->started, 0, sizeof(d->started));
}

/**
 * daemon_record_starts() - records which flags were set at starts, so that they can be put back
 * @d: the daemon, the state locked
 *
 * Return: 0; negative errno.
 */
int daemon_record_starts(struct daemon *d)
{
	const struct root live = ROOT_LIVE;
	int r = records_started(&live, d->started.items, d->started.n);

	forget_started(d);
	return r;
}

/* It is written down by the next cycle, which is not far. */
static void remember(struct daemon *d, const struct starts_event *e)
{
	struct flag_record *it = NULL;
	const char *unit;

	if (d->started.n < STARTED_MAX)
		it = array_add(&d->started_arena, &d->started);
	if (!it)
		return;
	unit = arena_strdup(&d->started_arena, e->unit);
	*it = (struct flag_record){ .pid = e->pid,
				    .start = e->start,
				    .unit = unit ? unit : "?",
				    .set = e->now,
				    .was = e->before };
	daemon_schedule(d, SECOND_US);
}

static void take_event(struct daemon *d, const struct starts_event *e)
{
	if (e->result == INJECT_OK && e->now >= 0 && e->before >= 0 && e->now != e->before)
		remember(d, e);
	if (e->result != INJECT_OK) {
		log_note(&d->log, "%s, process %d: not set as it started: %s", e->unit, e->pid,
			 e->result < 0 ? strerror(-e->result) : inject_words[e->result]);
		/* A cycle can do what was not possible just then. */
		d->looks = 0;
		daemon_look_again(d);
	} else if (e->mode == EXEC_GATE && !e->late) {
		d->status.starts_gated++;
	} else {
		d->status.starts_watched++;
	}
}

static void take_state(struct daemon *d, const struct starts_state *s)
{
	static const char *const why[] = {
		[STARTS_GATE_OK] = NULL,
		[STARTS_GATE_KERNEL] = "the kernel has no permission events",
		[STARTS_GATE_TRACE] = "a program of its own could not be reached",
		[STARTS_GATE_FLAG] = "a program of its own had no flag at its beginning",
	};
	bool failed = s->gate > STARTS_GATE_OK && s->gate <= STARTS_GATE_FLAG;

	if (failed && d->status.starts != PART_FAILED && d->gate_wanted)
		log_gate_unusable(&d->log, why[s->gate]);
	d->status.starts = failed && d->gate_wanted ? PART_FAILED : PART_OK;
	/* One comes when it is connected, the next when the table is in force. */
	if (!d->armed && d->table_sent && s->entries == d->table_n) {
		d->armed = d->has_table = true;
		/* Who was about to begin before, was let alone. */
		daemon_schedule(d, SECOND_US);
	}
	daemon_ready(d);
}

static int on_starts(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;
	union starts_message m;
	int r;

	if (revents & EPOLLOUT) {
		r = starts_client_send(&d->starts);
		if (r <= 0)
			(void)sd_event_source_set_io_events(s, EPOLLIN);
		d->table_sent |= r == 0;
		if (r < 0) {
			lose_starts(d, r);
			return 0;
		}
	}
	while ((r = starts_client_read(&d->starts, &m)) > 0)
		if (m.head.type == STARTS_EVENT)
			take_event(d, &m.event);
		else if (m.head.type == STARTS_STATE)
			take_state(d, &m.state);
		else if (m.head.type == STARTS_REFUSED)
			log_note(&d->log, "thpd-starts cannot watch entry %u of the table: %s",
				 m.refused.entry, m.refused.why);
	if (r < 0)
		lose_starts(d, r);
	return 0;
}

static int connect_starts(struct daemon *d)
{
	int r = 0;

	if (d->starts.fd >= 0)
		return 0;
	if (d->starts_own.fd >= 0)
		r = activate_run(&d->starts_own);
	if (r == 0)
		r = starts_client_connect(&d->starts, STARTS_SOCKET);
	if (r == 0)
		r = sd_event_add_io(d->event, &d->starts_io, d->starts.fd, EPOLLIN, on_starts, d);
	return r < 0 ? r : 0;
}

static int make_table(struct daemon *d, struct start_table *ret)
{
	_cleanup_arena_ struct arena a = { 0 };
	const struct unit_program *programs;
	struct start_program *list;
	size_t n;
	int r = bus_programs(d->bus, &programs, &n);

	if (r < 0)
		return r;
	list = arena_alloc(&a, (n + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct start_program){ .unit = programs[i].unit,
						  .slice = programs[i].slice,
						  .called = programs[i].called,
						  .path = programs[i].path,
						  .user = programs[i].user,
						  .thp = programs[i].thp };
	return resolve_starts(&d->host->plan, list, n, ret);
}

/* The table as it is now, to thpd-starts. Under the same policy it may have it already. */
static int send_table(struct daemon *d)
{
	_cleanup_start_table_ struct start_table table = { 0 };
	const struct root live = ROOT_LIVE;
	const struct start_entry *e;
	int r = make_table(d, &table);
	uint64_t hash;

	if (r < 0)
		return r;
	hash = start_table_hash(&table);
	if (!d->table_old && d->starts.fd >= 0 && d->table_sent && d->table_hash == hash)
		return 0;
	/*
	 * One that has the table of a daemon that has ended would go on with it. Not asked by its
	 * socket, which would start one.
	 */
	if (table.entries.n == 0 && d->starts.fd < 0 && !unit_exists(&live, STARTS_UNIT))
		return 0;
	r = connect_starts(d);
	if (r < 0)
		return r;
	d->gate_wanted = d->table_sent = d->armed = false;
	starts_client_begin(&d->starts);
	array_foreach(e, &table.entries) {
		d->gate_wanted |= e->gate;
		r = starts_client_add(&d->starts, e->path, e->unit, e->flag,
				      e->gate ? EXEC_GATE : EXEC_WATCH);
		if (r == -E2BIG) {
			log_trouble(&d->log, r, "not all programs of services can be watched");
			break;
		}
		if (r < 0 && r != -ENAMETOOLONG)
			return r;
	}
	d->table_n = d->starts.entries.n;
	d->table_hash = hash;
	r = starts_client_send(&d->starts);
	if (r < 0)
		return r;
	d->table_sent = r == 0;
	/* Not longer than there is something to be sent: it would be a table without entries. */
	r = sd_event_source_set_io_events(d->starts_io, r > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return r < 0 ? r : 0;
}

static void send_programs(struct daemon *d)
{
	int r = send_table(d);

	d->table_old = false;
	d->table_known = true;
	if (r < 0)
		lose_starts(d, r);
	else if (d->starts.fd < 0)
		d->status.starts = PART_UNUSED;
	daemon_ready(d);
}

static void on_programs(void *data)
{
	send_programs(data);
}

/** daemon_starts_check() - connects again to what was lost; for each cycle */
void daemon_starts_check(struct daemon *d)
{
	if (d->bus && d->starts.fd < 0 && d->status.starts == PART_LOST &&
	    d->status.bus != PART_LOST)
		send_programs(d);
}

static int watch_units(struct daemon *d, const strlist *patterns)
{
	const struct root live = ROOT_LIVE;
	int r;

	d->units_io = sd_event_source_unref(d->units_io);
	unitwatch_close(d->units);
	d->units = NULL;
	if (patterns->n == 0)
		return 0;
	r = unitwatch_open(&live, patterns->items, patterns->n, NULL, &d->units);
	if (r == 0)
		r = sd_event_add_io(d->event, &d->units_io, unitwatch_fd(d->units), EPOLLIN,
				    on_units, d);
	return r < 0 && r != -ENOENT ? r : 0;
}

/**
 * daemon_starts_begin() - watches the starts that the policy in force is about
 * @d: the daemon
 *
 * Return: 0; negative errno when some will only be seen by cycles.
 */
int daemon_starts_begin(struct daemon *d)
{
	static const struct bus_callbacks callbacks = { .state = on_bus_state,
							.programs = on_programs };
	const struct root live = ROOT_LIVE;
	_cleanup_arena_ struct arena a = { 0 };
	strlist patterns = { 0 };
	int r = resolve_start_patterns(&d->host->plan, &a, &patterns), e;

	if (r == 0 && !d->bus)
		r = bus_open(d->event, &live, NULL, &callbacks, d, &d->bus);
	if (r < 0)
		return r;
	e = watch_units(d, &patterns);
	/* Who only reports looks at what has come, and sets no start. */
	if (!daemon_repairs(d))
		patterns.n = 0;
	d->starts_wanted = patterns.n > 0;
	r = bus_want(d->bus, patterns.items, patterns.n);
	/* The rules may be others for the same programs. */
	d->table_old = true;
	if (r == 0 && (d->status.bus == PART_OK || patterns.n == 0))
		send_programs(d);
	if (patterns.n == 0)
		d->status.bus = PART_UNUSED;
	return r < 0 ? r : e;
}

/*
 * Nobody writes down any more what was set up to now, and no cycle will. `thpctl reclaim` may hold
 * the lock for long: then it is lost, as it is when we are killed.
 */
static void record_the_last(struct daemon *d)
{
	const struct root live = ROOT_LIVE;
	_cleanup_close_ int lock = -1;
	union starts_message m;
	int r = 0;

	while (d->starts.fd >= 0 && starts_client_read(&d->starts, &m) > 0)
		if (m.head.type == STARTS_EVENT)
			take_event(d, &m.event);
	if (d->started.n == 0)
		return;
	for (int i = 0; i < 20 && (lock = state_try_lock(&live)) == -EWOULDBLOCK; i++)
		(void)usleep(50000);
	r = lock < 0 ? lock : daemon_record_starts(d);
	if (r < 0)
		log_trouble(&d->log, r, "flags of services just started are not on record");
}

/** daemon_starts_end() - ends it; thpd-starts goes on with its table */
void daemon_starts_end(struct daemon *d)
{
	record_the_last(d);
	d->units_io = sd_event_source_unref(d->units_io);
	unitwatch_close(d->units);
	d->starts_io = sd_event_source_unref(d->starts_io);
	starts_client_close(&d->starts);
	bus_close(d->bus);
	forget_started(d);
}
