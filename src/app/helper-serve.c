/* SPDX-License-Identifier: MIT */
/* One connection of the privileged helper. */
#include "app/helper-serve.h"

#include <sys/socket.h>

#include "app/helper-wire.h"
#include "sys/proc.h"

/* All of a call that a verb needs, and not a byte that makes no sense. */
static bool complete(const struct helper_call *c, size_t len)
{
	switch (c->verb) {
	case HELPER_INJECT:
		return c->n > 0 && c->n <= HELPER_BATCH &&
		       len == HELPER_HEAD + c->n * sizeof(c->u.requests[0]);
	case HELPER_EXE:
		return len == HELPER_HEAD + sizeof(c->u.pid);
	case HELPER_RECLAIM:
		return len == HELPER_HEAD + sizeof(c->u.reclaim);
	case HELPER_WRITERS:
		return c->n > 0 && len > HELPER_HEAD && len <= HELPER_HEAD + sizeof(c->u.keys) &&
		       c->u.keys[len - HELPER_HEAD - 1] == '\0';
	default:
		return false;
	}
}

/* Each returns the length of the answer's part behind its head. */
static size_t do_inject(const struct helper_call *c, struct helper_answer *a)
{
	/* Fault points are for tests of the injector, not for who is at the other end. */
	for (uint32_t i = 0; i < c->n; i++)
		if (c->u.requests[i].die_at != 0) {
			a->r = -EINVAL;
			return 0;
		}
	a->r = inject(c->u.requests, c->n, a->u.answers);
	a->n = c->n;
	return c->n * sizeof(a->u.answers[0]);
}

static size_t do_exe(const struct helper_call *c, struct helper_answer *a)
{
	const struct root root = ROOT_LIVE;
	_cleanup_arena_ struct arena arena = { 0 };
	const char *path = NULL;

	a->r = proc_exe(&root, c->u.pid, &arena, &path);
	if (a->r == 0 && strlen(path) >= sizeof(a->u.path))
		a->r = -ENAMETOOLONG;
	if (a->r < 0)
		return 0;
	memcpy(a->u.path, path, strlen(path) + 1);
	return strlen(path) + 1;
}

static size_t do_reclaim(const struct helper_call *c, struct helper_answer *a)
{
	const struct root root = ROOT_LIVE;
	const struct reclaim_options options = { .max_rate = c->u.reclaim.max_rate,
						 .sample = c->u.reclaim.sample,
						 .all = c->u.reclaim.all };

	a->r = reclaim_process(&root, c->u.reclaim.pid, c->u.reclaim.start, &options,
			       &a->u.reclaim);
	return sizeof(a->u.reclaim);
}

/* Who is of another version is told so, and nothing else: his structs may be others. */
static int refuse(int fd)
{
	const struct helper_answer a = { .version = HELPER_WIRE_VERSION, .r = -EPROTONOSUPPORT };

	return send(fd, &a, HELPER_ANSWER_HEAD, MSG_NOSIGNAL) < 0 ? -errno : a.r;
}

/**
 * helper_serve() - answers calls until the other end is closed
 * @fd: the connection
 *
 * Return: 0; -EPROTONOSUPPORT when the other end is of another version; another negative errno when
 * it talks nonsense, or cannot be answered.
 */
int helper_serve(int fd)
{
	static struct helper_call c;
	static struct helper_answer a;

	for (;;) {
		ssize_t n = recv(fd, &c, sizeof(c), 0);
		size_t len = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if ((size_t)n >= sizeof(c.version) && c.version != HELPER_WIRE_VERSION)
			return refuse(fd);
		if ((size_t)n < HELPER_HEAD || !complete(&c, (size_t)n))
			return -EBADMSG;
		memset(&a, 0, HELPER_ANSWER_HEAD);
		a.version = HELPER_WIRE_VERSION;
		if (c.verb == HELPER_INJECT)
			len = do_inject(&c, &a);
		else if (c.verb == HELPER_EXE)
			len = do_exe(&c, &a);
		else if (c.verb == HELPER_RECLAIM)
			len = do_reclaim(&c, &a);
		else
			return helper_writers(fd, c.u.keys, (size_t)n - HELPER_HEAD, c.n);
		if (send(fd, &a, HELPER_ANSWER_HEAD + len, MSG_NOSIGNAL) < 0)
			return -errno;
	}
}
