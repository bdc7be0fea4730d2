/* SPDX-License-Identifier: MIT */
/* What thpd itself may not do, it asks its privileged helper to do. */
#include "app/helper-client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include "app/seqpacket.h"
#include "base/clock.h"
#include "sys/proc.h"

/*
 * A full call takes seconds where many processes cannot be stopped at once. Who does not answer for
 * so long is stopped himself (SIGSTOP, a frozen group), and the loop must not wait for him in each
 * call of each cycle: then he is left alone for a while.
 */
#define PATIENCE_S 30
#define ROOM_S 2 /* to be connected to: only a queue that is full takes time */
#define PAUSE_US UINT64_C(60000000)

/** helper_connect() - a new connection to the helper; a descriptor, or negative errno */
int helper_connect(struct helper *h)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd, r = h->own.fd >= 0 ? activate_run(&h->own) : 0;

	if (r < 0)
		return r;
	fd = seqpacket_connect(HELPER_SOCKET, 0, ROOM_S);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/**
 * helper_answered() - whether what was received is an answer
 * @a: what was received
 * @n: how many bytes
 * @ret_len: how many of these are behind its head
 *
 * Return: 0; -EPIPE when the helper has gone; -EPROTONOSUPPORT when it is of another version than
 * we are; -EBADMSG.
 */
int helper_answered(const struct helper_answer *a, size_t n, size_t *ret_len)
{
	if (n == 0)
		return -EPIPE;
	if (n >= sizeof(a->version) && a->version != HELPER_WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (n < HELPER_ANSWER_HEAD)
		return -EBADMSG;
	*ret_len = n - HELPER_ANSWER_HEAD;
	return 0;
}

static int ask_once(struct helper *h, const struct helper_call *c, size_t len,
		    struct helper_answer *a, size_t *ret_len)
{
	ssize_t n;

	if (h->fd < 0)
		h->fd = helper_connect(h);
	if (h->fd < 0)
		return h->fd;
	if (send(h->fd, c, HELPER_HEAD + len, MSG_NOSIGNAL) < 0)
		return -errno;
	do
		n = recv(h->fd, a, sizeof(*a), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return helper_answered(a, (size_t)n, ret_len);
}

/*
 * A helper that was restarted meanwhile is asked once more: no call harms when it is made twice.
 * One of another version ends with its last connection, and the next one may be of ours; but that
 * is not tried in each call of each cycle.
 */
static int ask(struct helper *h, const struct helper_call *c, size_t len, struct helper_answer *a,
	       size_t *ret_len)
{
	memset(a, 0, HELPER_ANSWER_HEAD);
	if (monotonic_us() < h->paused_until)
		return h->error;
	h->error = -EPIPE;
	for (int i = 0; i < 2 && h->error != -ETIMEDOUT; i++) {
		h->error = ask_once(h, c, len, a, ret_len);
		if (h->error == 0)
			return a->r;
		h->fd = close_fd(h->fd);
	}
	if (h->error == -ETIMEDOUT || h->error == -EPROTONOSUPPORT)
		h->paused_until = monotonic_us() + PAUSE_US;
	return h->error;
}

/*
 * A helper that cannot be reached is no reason to leave the rest of a cycle undone: each process
 * then has that as its outcome.
 */
static int remote_inject(void *data, const struct inject_request *requests, size_t n,
			 struct inject_answer *ret)
{
	struct helper_call c = { .version = HELPER_WIRE_VERSION, .verb = HELPER_INJECT };
	struct helper_answer a;
	size_t len = 0;

	for (size_t from = 0; from < n; from += c.n) {
		int r;

		c.n = (uint32_t)(n - from < HELPER_BATCH ? n - from : HELPER_BATCH);
		memcpy(c.u.requests, requests + from, c.n * sizeof(*requests));
		r = ask(data, &c, c.n * sizeof(*requests), &a, &len);
		if (r == 0 && (a.n != c.n || len != c.n * sizeof(*ret)))
			r = -EBADMSG;
		if (r == 0)
			memcpy(ret + from, a.u.answers, len);
		for (size_t i = from; r < 0 && i < from + c.n; i++)
			ret[i] = (struct inject_answer){ .result = r, .before = -1, .now = -1 };
	}
	return 0;
}

/* What belongs to root, root reads without more rights. */
static int remote_exe(void *data, const struct root *root, int32_t pid, struct arena *arena,
		      const char **ret)
{
	struct helper_call c = { .version = HELPER_WIRE_VERSION, .verb = HELPER_EXE, .u.pid = pid };
	int r = proc_exe(root, pid, arena, ret);
	struct helper_answer a;
	size_t len = 0;

	if (r != -EACCES && r != -EPERM)
		return r;
	r = ask(data, &c, sizeof(c.u.pid), &a, &len);
	if (r < 0)
		return r;
	if (len == 0 || len > sizeof(a.u.path) || a.u.path[len - 1] != '\0')
		return -EBADMSG;
	*ret = arena_strdup(arena, a.u.path);
	return *ret ? 0 : -ENOMEM;
}

static int remote_reclaim(void *data, const struct root *root, int32_t pid, uint64_t start,
			  const struct reclaim_options *options, struct reclaim_result *ret)
{
	struct helper_call c = { .version = HELPER_WIRE_VERSION, .verb = HELPER_RECLAIM };
	struct helper_answer a;
	size_t len = 0;
	int r;

	c.u.reclaim.pid = pid;
	c.u.reclaim.start = start;
	c.u.reclaim.max_rate = options->max_rate;
	c.u.reclaim.sample = options->sample;
	c.u.reclaim.all = options->all;
	r = ask(data, &c, sizeof(c.u.reclaim), &a, &len);
	if (r == 0 && len != sizeof(*ret))
		r = -EBADMSG;
	if (r == 0)
		*ret = a.u.reclaim;
	return r;
}

/**
 * helper_privileged() - lets the helper do what is done to processes
 * @helper: the way to it; must outlive @ret
 * @ret: the door
 */
void helper_privileged(struct helper *helper, struct privileged *ret)
{
	*ret = (struct privileged){ .inject = remote_inject,
				    .exe = remote_exe,
				    .reclaim = remote_reclaim,
				    .data = helper };
}
