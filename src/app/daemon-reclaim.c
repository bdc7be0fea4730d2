/* SPDX-License-Identifier: MIT */
/*
 * Giving back memory beside the loop: at a limited rate it can take minutes, and is done by the
 * helper, one process after the other, over a connection of its own.
 */
#include "app/daemon.h"

#include <sys/socket.h>

#include "app/services.h"

static void drop(struct reclaim_queue *q)
{
	q->io = sd_event_source_unref(q->io);
	q->fd = close_fd(q->fd);
	free(q->items);
	*q = (struct reclaim_queue){ .fd = -1 };
}

/** daemon_reclaim_free() - ends what is under way: the helper stops with its connection */
void daemon_reclaim_free(struct daemon *d)
{
	drop(&d->reclaim);
}

static int send_next(struct daemon *d);

static void tell(struct daemon *d, const struct reclaim_item *it, int error,
		 const struct reclaim_result *m)
{
	int64_t given = 0;

	if (error == 0 && m->rss_before_kb >= 0 && m->rss_after_kb >= 0)
		given += m->rss_before_kb - m->rss_after_kb;
	if (error == 0 && m->hidden_before_kb >= 0 && m->hidden_after_kb >= 0)
		given += m->hidden_before_kb - m->hidden_after_kb;
	/* One that was tidy, or has ended, is no news. */
	if (error != -ESRCH && (error < 0 || given > 0))
		log_reclaimed(&d->log, it->unit, it->pid, it->comm, given, error);
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;
	struct reclaim_queue *q = &d->reclaim;
	struct helper_answer a;
	ssize_t n = recv(fd, &a, sizeof(a), MSG_DONTWAIT);
	size_t len = 0;
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	r = n < 0 ? -errno : helper_answered(&a, (size_t)n, &len);
	if (r == 0 && a.r == 0 && len != sizeof(a.u.reclaim))
		r = -EBADMSG;
	if (r < 0) {
		daemon_part(d, &d->status.helper, r, "thpd-helper");
		drop(q);
		return 0;
	}
	tell(d, &q->items[q->done], a.r, &a.u.reclaim);
	q->done++;
	if (q->done == q->n || send_next(d) < 0)
		drop(q);
	return 0;
}

static int send_next(struct daemon *d)
{
	const struct reclaim_item *it = &d->reclaim.items[d->reclaim.done];
	struct helper_call c = { .version = HELPER_WIRE_VERSION, .verb = HELPER_RECLAIM };

	c.u.reclaim.pid = it->pid;
	c.u.reclaim.start = it->start;
	c.u.reclaim.max_rate = MAX_RATE_DEFAULT;
	if (send(d->reclaim.fd, &c, HELPER_HEAD + sizeof(c.u.reclaim),
		 MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}

static int connect_queue(struct daemon *d)
{
	struct reclaim_queue *q = &d->reclaim;
	int r;

	q->fd = helper_connect(&d->helper);
	if (q->fd < 0)
		return q->fd;
	r = sd_event_add_io(d->event, &q->io, q->fd, EPOLLIN, on_answer, d);
	return r < 0 ? r : send_next(d);
}

/**
 * daemon_give_back() - begins to give back memory where rules say so, after a cycle
 * @d: the daemon
 *
 * While some is still being given back, nothing is added: the next cycle will see what is left.
 *
 * Return: 0; negative errno when the helper cannot be reached.
 */
int daemon_give_back(struct daemon *d)
{
	struct reclaim_queue *q = &d->reclaim;
	const struct host *h = d->host;
	const struct plan_proc *pp;
	int r = 0;

	if (q->n > 0 || !daemon_repairs(d))
		return 0;
	array_foreach(pp, &h->plan.procs) {
		struct reclaim_item *it;

		if (!services_gives_back(h, pp))
			continue;
		it = realloc(q->items, (q->n + 1) * sizeof(*it));
		if (!it) {
			drop(q);
			return -ENOMEM;
		}
		q->items = it;
		it = &q->items[q->n++];
		*it = (struct reclaim_item){ .pid = pp->fact->pid, .start = pp->fact->start };
		(void)snprintf(it->comm, sizeof(it->comm), "%s", pp->fact->comm);
		if (pp->unit != UNIT_NONE)
			(void)snprintf(it->unit, sizeof(it->unit), "%s",
				       h->plan.units.items[pp->unit].fact->name);
	}
	if (q->n > 0)
		r = connect_queue(d);
	if (r < 0)
		drop(q);
	return r;
}
