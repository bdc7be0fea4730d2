/* SPDX-License-Identifier: MIT */
#include "app/starts-control.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "app/seqpacket.h"
#include "app/starts-events.h"
#include "app/starts-pool.h"

#define BUSY_MS 50
#define SEND_MS 100
#define GIVE_WAY_MS 500
#define NICE -15

static void lose_client(struct control *c)
{
	c->client = close_fd(c->client);
	starts_table_free(c->next);
	c->next = NULL;
}

/* @wait: a client that is slow is given time, which only it loses. Returns whether it was sent. */
static bool tell(struct control *c, const void *message, size_t size, bool wait)
{
	ssize_t n = -1;

	if (c->client < 0)
		return false;
	n = send(c->client, message, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN && wait) {
		struct pollfd fd = { .fd = c->client, .events = POLLOUT };

		(void)poll(&fd, 1, SEND_MS);
		n = send(c->client, message, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (n < 0 && (wait || errno != EAGAIN))
		lose_client(c);
	return n >= 0;
}

static struct starts_head head(enum starts_type type)
{
	return (struct starts_head){ .version = STARTS_WIRE_VERSION, .type = type };
}

static uint64_t count_urgent(const struct starts *s)
{
	return __atomic_load_n(&s->state.missed, __ATOMIC_RELAXED) +
	       __atomic_load_n(&s->state.overflows, __ATOMIC_RELAXED);
}

static void tell_state(struct control *c)
{
	struct starts_state *state = &c->starts->state;

	c->told = count_urgent(c->starts);
	state->head = head(STARTS_STATE);
	(void)tell(c, state, sizeof(*state), true);
}

/* Of the table in use. */
static void tell_table(struct control *c)
{
	struct starts_state *state = &c->starts->state;
	const struct starts_table *t = c->starts->table;
	const struct starts_prog *p;

	state->entries = (uint32_t)t->progs.n;
	state->watched = state->gated = state->refused = 0;
	array_foreach(p, &t->progs) {
		struct starts_refused no = { .head = head(STARTS_REFUSED),
					     .entry = (uint32_t)(p - t->progs.items),
					     .wanted = p->wanted,
					     .got = p->mode };

		state->watched += p->mode == EXEC_WATCH;
		state->gated += p->mode == EXEC_GATE;
		state->refused += p->mode != p->wanted;
		if (p->mode == p->wanted)
			continue;
		(void)snprintf(no.why, sizeof(no.why), "%s",
			       p->why > 0 ? exec_refusal_words[p->why] : strerror(-p->why));
		(void)tell(c, &no, sizeof(no), true);
	}
	tell_state(c);
}

/* Marks what is in a table, and puts it to use instead of the old one. Takes the table. */
static int use(struct control *c, struct starts_table *t)
{
	struct starts *s = c->starts;
	struct starts_table *old = s->table;
	struct path_watch watch = PATH_WATCH_NONE;
	/* A group that is not used stays open, for the other thread is waiting for its events. */
	const int groups[EXEC_MODES] = {
		[EXEC_WATCH] = s->groups[EXEC_WATCH],
		[EXEC_GATE] = s->state.gate == STARTS_GATE_OK ? s->groups[EXEC_GATE] : -1,
	};
	int r;

	/* Without, a program that is replaced is found when the next table comes. */
	(void)path_watch_open(&watch);
	r = starts_table_arm(t, groups, &watch);
	if (r < 0) {
		path_watch_close(&watch);
		starts_table_free(t);
		return r;
	}
	starts_events_publish(s, t);
	if (old)
		starts_table_disarm(old, t, groups);
	starts_table_free(old);
	path_watch_close(&c->watch);
	c->watch = watch;
	tell_table(c);
	return 0;
}

static bool is_text(const char *text, size_t size)
{
	return *text && memchr(text, '\0', size);
}

static int add_entry(struct control *c, const struct starts_entry *e)
{
	struct starts_prog *p;

	if (!c->next || c->next->progs.n >= STARTS_ENTRIES_MAX ||
	    !is_text(e->unit, sizeof(e->unit)) || !is_text(e->path, sizeof(e->path)) ||
	    *e->path != '/' || e->mode < 0 || e->mode >= EXEC_MODES ||
	    (e->flag != THP_FLAG_CLEAR && e->flag != THP_FLAG_DISABLE &&
	     e->flag != THP_FLAG_EXCEPT_ADVISED))
		return -EBADMSG;
	p = starts_table_add(c->next, e->path, e->unit);
	if (!p)
		return -ENOMEM;
	p->flag = e->flag;
	p->wanted = (enum exec_mode)e->mode;
	return 0;
}

/*
 * Returns -EBADMSG when the client does not keep to the rules, -EPROTONOSUPPORT when he has others.
 */
static int take(struct control *c, const struct starts_head *h, size_t size)
{
	struct starts_table *t = c->next;

	if (size >= sizeof(*h) && h->version != STARTS_WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (size < sizeof(*h) ||
	    size != (h->type == STARTS_ENTRY ? sizeof(struct starts_entry) : sizeof(*h)))
		return -EBADMSG;
	switch (h->type) {
	case STARTS_BEGIN:
		starts_table_free(t);
		c->next = starts_table_new();
		return c->next ? 0 : -ENOMEM;
	case STARTS_ENTRY:
		return add_entry(c, (const struct starts_entry *)(const void *)h);
	case STARTS_COMMIT:
		c->next = NULL;
		return t ? use(c, t) : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

/*
 * What the client does wrong costs it the connection. Returns 1 when it is of another version than
 * we are, and may find one of its own in our place; -ENOMEM.
 */
static int hear(struct control *c)
{
	union {
		struct starts_head head;
		struct starts_entry entry;
	} u;

	while (c->client >= 0) {
		ssize_t n = recv(c->client, &u, sizeof(u), MSG_DONTWAIT | MSG_TRUNC);
		int r;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		r = n <= 0 ? -EBADMSG : take(c, &u.head, (size_t)n);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			lose_client(c);
		if (r == -EPROTONOSUPPORT && c->gives_way)
			return 1;
	}
	return 0;
}

/*
 * The last one who came is who is told; only root is. Returns 1 when our program was replaced: then
 * he is left to the new one, for which he waits in the queue of the socket, and sees no change.
 */
static int welcome(struct control *c)
{
	int fd;

	if (c->gives_way && self_is_replaced(&c->self))
		return 1;
	fd = seqpacket_accept(c->listener, 0);
	if (fd < 0)
		return 0;
	lose_client(c);
	c->client = fd;
	tell_state(c);
	return 0;
}

/* A start is over; who waits for that? */
static void report(struct control *c, const struct slot *slot)
{
	struct starts_state *state = &c->starts->state;
	const struct inject_catch *job = &slot->job;
	const struct starts_event e = {
		.head = head(STARTS_EVENT),
		.pid = job->pid,
		.flag = job->flag,
		.mode = slot->mode,
		.result = job->answer.result,
		.error = job->answer.error,
		.before = job->answer.before,
		.now = job->answer.now,
		.late = job->late,
		.start = job->start,
		.took_ns = job->set_ns - slot->began,
		.held_ns = job->answer.stopped_ns,
		.waited_ns = slot->mode == EXEC_GATE ? slot->answered_ns - slot->began : 0,
	};
	struct starts_event copy = e;

	memcpy(copy.unit, slot->unit, sizeof(copy.unit));
	if (job->answer.result == INJECT_OK)
		state->caught++;
	else
		state->failed++;
	state->late += job->late;
	if (!tell(c, &copy, sizeof(copy), false))
		state->unreported++;
}

/* Returns whether one is left that the other thread has still to see to. */
static bool collect(struct control *c)
{
	struct starts *s = c->starts;
	struct slot *slot;
	bool left = false;

	while ((slot = starts_pool_ended(s)))
		report(c, slot);
	for (size_t i = 0; i < STARTS_SLOTS; i++)
		left |= !starts_pool_release(&s->slots[i]);
	starts_pool_expire(s);
	starts_pool_fill(s);
	return left;
}

/*
 * No start is met any more, and none is left in the middle: who is being set is waited for, who is
 * held is let go as ever, and at the latest when we end.
 */
static void give_way(struct control *c)
{
	const struct starts_table none = { 0 };
	struct starts *s = c->starts;
	const uint64_t until = monotonic_ns() + GIVE_WAY_MS * STARTS_NS_PER_MS;

	lose_client(c);
	if (s->table)
		starts_table_disarm(s->table, &none, s->groups);
	while ((collect(c) || starts_pool_busy(s)) && monotonic_ns() < until)
		(void)usleep(1000);
}

/**
 * starts_control_run() - talks to thpd, and sees to all that can wait
 * @c: the thread that reads events has begun
 *
 * Return: 0 when the only client there can be has gone, or another program is to take over;
 * negative errno.
 */
int starts_control_run(struct control *c)
{
	struct starts *s = c->starts;
	int r = 0;

	/* It makes the threads that the next starts need. */
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	tell_state(c);
	while (r == 0 && (c->listener >= 0 || c->client >= 0)) {
		bool left = collect(c);
		struct pollfd fds[] = {
			{ .fd = s->wake, .events = POLLIN },
			{ .fd = c->client, .events = POLLIN },
			{ .fd = c->listener, .events = POLLIN },
			{ .fd = c->watch.fd, .events = POLLIN },
		};
		uint64_t n;

		if (poll(fds, ARRAY_SIZE(fds),
			 left		     ? 2 :
			 starts_pool_busy(s) ? BUSY_MS :
					       -1) < 0 &&
		    errno != EINTR)
			return -errno;
		(void)!read(s->wake, &n, sizeof(n));
		if (count_urgent(s) != c->told)
			tell_state(c);
		if (fds[1].revents)
			r = hear(c);
		if (r == 0 && fds[2].revents)
			r = welcome(c);
		if (r == 0 && fds[3].revents && path_watch_read(&c->watch)) {
			struct starts_table *copy = starts_table_copy(s->table);

			r = copy ? use(c, copy) : -ENOMEM;
		}
	}
	if (r > 0)
		give_way(c);
	return r < 0 ? r : 0;
}
