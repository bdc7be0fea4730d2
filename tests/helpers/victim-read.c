/* SPDX-License-Identifier: MIT */
/* Victims that block while they read or accept. */
#include "victim.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

struct reader {
	struct feed feed;
	int fd;
	unsigned int turn;
	uint64_t seen;
	int64_t begin;
	uint8_t buf[65536];
};

/* --- pipe, fed by a peer */

static void pipe_begin(void *state)
{
	feed_begin(&((struct reader *)state)->feed, AF_UNSPEC);
}

static void pipe_round(void *state)
{
	struct reader *s = state;
	uint8_t byte;
	struct iovec iov = { &byte, 1 };

	if (s->turn++ % 2)
		feed_take(&s->feed, "read", read(s->feed.fd, &byte, 1), &byte);
	else
		feed_take(&s->feed, "readv", readv(s->feed.fd, &iov, 1), &byte);
}

/* --- recv, with a timeout and without one */

static void recvtimeo_begin(void *state)
{
	struct reader *s = state;
	const struct timeval tv = { .tv_sec = 5 };

	feed_begin(&s->feed, AF_UNIX);
	must(setsockopt(s->feed.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), "SO_RCVTIMEO");
}

static void recvtimeo_round(void *state)
{
	struct reader *s = state;
	uint8_t byte;
	ssize_t r = recv(s->feed.fd, &byte, 1, 0);

	if (r < 0 && errno == EINTR)
		eintr();
	else
		feed_take(&s->feed, "recv with SO_RCVTIMEO", r, &byte);
}

static void recv_begin(void *state)
{
	feed_begin(&((struct reader *)state)->feed, AF_UNIX);
}

static void recv_round(void *state)
{
	struct reader *s = state;
	uint8_t byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	feed_take(&s->feed, "recvmsg", recvmsg(s->feed.fd, &msg, 0), &byte);
}

/* --- recv that wants everything, which comes in pieces */

enum { PIECES = 64 };

static void pieces_run(void *arg)
{
	struct reader *s = arg;
	uint32_t n = 0;

	for (;;) {
		for (unsigned int i = 0; i < sizeof(s->buf); i++)
			s->buf[i] = (uint8_t)(n++ % 251);
		for (unsigned int i = 0; i < PIECES; i++) {
			size_t size = sizeof(s->buf) / PIECES;

			if (write(s->fd, s->buf + i * size, size) != (ssize_t)size)
				_exit(0);
			if (i % 8 == 0)
				dawdle(400);
		}
		dawdle(6000);
	}
}

static void waitall_begin(void *state)
{
	struct reader *s = state;
	int fds[2];

	make_pair(fds, AF_UNIX);
	s->fd = fds[1];
	peer(pieces_run, s);
	s->fd = fds[0];
}

static void waitall_round(void *state)
{
	struct reader *s = state;
	ssize_t r = recv(s->fd, s->buf, sizeof(s->buf), MSG_WAITALL);

	if (r != sizeof(s->buf))
		anomaly("recv with MSG_WAITALL returned %zd (%s)", r,
			r < 0 ? strerror(errno) : "short");
	for (ssize_t i = 0; i < r; i++)
		if (s->buf[i] != s->seen++ % 251) {
			anomaly("recv with MSG_WAITALL: wrong byte at %llu",
				(unsigned long long)s->seen - 1);
			break;
		}
	/* Between two of them one may work without breaking either. */
	dawdle(2000);
}

/* --- timerfd, eventfd */

enum { TICK = 4 };

static void timerfd_begin(void *state)
{
	struct reader *s = state;
	const struct itimerspec its = {
		.it_interval.tv_nsec = TICK * MS,
		.it_value.tv_nsec = TICK * MS,
	};

	s->fd = (int)must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create");
	s->begin = now_ns();
	must(timerfd_settime(s->fd, 0, &its, NULL), "timerfd_settime");
}

static void timerfd_round(void *state)
{
	struct reader *s = state;
	uint64_t ticks = 0;
	ssize_t r = read(s->fd, &ticks, sizeof(ticks));
	int64_t passed;

	if (r != sizeof(ticks) || ticks == 0)
		anomaly("timerfd: read returned %zd (%s), %llu ticks", r,
			r < 0 ? strerror(errno) : "", (unsigned long long)ticks);
	s->seen += ticks;
	passed = now_ns() - s->begin;
	if ((int64_t)s->seen * TICK * MS > passed + TICK * MS ||
	    (int64_t)s->seen * TICK * MS < passed - LATE)
		anomaly("timerfd: %llu ticks of %d ms after %lld ms", (unsigned long long)s->seen,
			TICK, (long long)(passed / MS));
}

static void eventfd_run(void *arg)
{
	const uint64_t one = 1;

	for (;;) {
		dawdle(4000);
		atomic_fetch_add(&shared->cells[CELL_EVENTFD], 1);
		if (write(*(int *)arg, &one, sizeof(one)) != sizeof(one))
			_exit(0);
	}
}

static void eventfd_begin(void *state)
{
	struct reader *s = state;

	s->fd = (int)must(eventfd(0, EFD_CLOEXEC), "eventfd");
	peer(eventfd_run, &s->fd);
}

static void eventfd_round(void *state)
{
	struct reader *s = state;
	uint64_t n = 0;
	ssize_t r = read(s->fd, &n, sizeof(n));

	if (r != sizeof(n) || n == 0)
		anomaly("eventfd: read returned %zd (%s), %llu", r, r < 0 ? strerror(errno) : "",
			(unsigned long long)n);
	s->seen += n;
	if (s->seen > atomic_load(&shared->cells[CELL_EVENTFD]))
		anomaly("eventfd: more was read than written");
}

/* --- accept, with a timeout too: peers that connect, and say which connection it is */

struct acceptor {
	int fd;
	struct sockaddr_in addr;
	uint32_t next;
	bool timed;
};

static void connect_run(void *arg)
{
	struct acceptor *s = arg;

	for (uint32_t i = 0;; i++) {
		int fd = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");
		char end;

		dawdle(4000);
		if (connect(fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) < 0 ||
		    write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(0);
		(void)!read(fd, &end, 1);
		close(fd);
	}
}

static void accept_begin(void *state)
{
	struct acceptor *s = state;
	socklen_t len = sizeof(s->addr);

	s->addr.sin_family = AF_INET;
	s->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = (int)must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	must(bind(s->fd, (struct sockaddr *)&s->addr, len), "bind");
	must(listen(s->fd, 16), "listen");
	must(getsockname(s->fd, (struct sockaddr *)&s->addr, &len), "getsockname");
	peer(connect_run, s);
}

static void accepttimeo_begin(void *state)
{
	struct acceptor *s = state;
	const struct timeval tv = { .tv_sec = 5 };

	accept_begin(state);
	must(setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), "SO_RCVTIMEO");
	s->timed = true;
}

static void accept_round(void *state)
{
	/* The end of a connection that is reset, so that no ports are used up. */
	const struct linger now = { .l_onoff = 1 };
	struct acceptor *s = state;
	uint32_t which = 0;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	ssize_t r;

	if (fd < 0 && errno == EINTR && s->timed) {
		eintr();
		return;
	}
	if (fd < 0) {
		anomaly("accept: %s", strerror(errno));
		return;
	}
	/* It has the time-out of the socket that it came from. */
	while ((r = read(fd, &which, sizeof(which))) < 0 && errno == EINTR && s->timed)
		eintr();
	if (r != sizeof(which))
		anomaly("read of a connection returned %zd (%s)", r, r < 0 ? strerror(errno) : "");
	else if (which != s->next)
		anomaly("accept: connection %u instead of %u", which, s->next);
	s->next = which + 1;
	must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), "SO_LINGER");
	close(fd);
}

const struct kind kinds_read[] = {
	{ "pipe", sizeof(struct reader), pipe_begin, pipe_round, NULL },
	{ "recv", sizeof(struct reader), recv_begin, recv_round, NULL },
	{ "recvtimeo", sizeof(struct reader), recvtimeo_begin, recvtimeo_round, NULL },
	{ "waitall", sizeof(struct reader), waitall_begin, waitall_round, NULL },
	{ "timerfd", sizeof(struct reader), timerfd_begin, timerfd_round, NULL },
	{ "eventfd", sizeof(struct reader), eventfd_begin, eventfd_round, NULL },
	{ "accept", sizeof(struct acceptor), accept_begin, accept_round, NULL },
	{ "accepttimeo", sizeof(struct acceptor), accepttimeo_begin, accept_round, NULL },
	{ 0 },
};
