/* SPDX-License-Identifier: MIT */
/*
 * Victims that block while they write: what is only partly written when a call is interrupted,
 * comes back as a short count. A peer drains slowly, and looks at every byte.
 */
#include "victim.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	BLOCK = 256 * 1024,
	PERIOD = 251, /* prime: a piece that is lost or doubled is seen */
};

struct writer {
	int fd, peer_fd, file;
	uint64_t sent;
	uint8_t buf[BLOCK + PERIOD];
};

static void drain_run(void *arg)
{
	struct writer *s = arg;
	uint64_t n = 0;

	for (;;) {
		ssize_t r = read(s->peer_fd, s->buf, 16384);

		if (r <= 0)
			_exit(0);
		for (ssize_t i = 0; i < r; i++)
			if (s->buf[i] != n++ % PERIOD) {
				anomaly("wrong byte at %llu", (unsigned long long)n - 1);
				_exit(0);
			}
		dawdle(500);
	}
}

static void drain(struct writer *s, const int fds[2])
{
	s->fd = fds[1];
	s->peer_fd = fds[0];
	peer(drain_run, s);
	close(s->peer_fd);
	for (unsigned int i = 0; i < sizeof(s->buf); i++)
		s->buf[i] = (uint8_t)(i % PERIOD);
}

static void pipewrite_begin(void *state)
{
	int fds[2];

	make_pair(fds, AF_UNSPEC);
	drain(state, fds);
}

static void sockwrite_begin(void *state)
{
	int fds[2];

	make_pair(fds, AF_UNIX);
	drain(state, fds);
}

static void tcpwrite_begin(void *state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int small = 16384, fds[2];
	int listener = (int)must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), "SO_RCVBUF");
	must(bind(listener, (struct sockaddr *)&addr, len), "bind");
	must(listen(listener, 1), "listen");
	must(getsockname(listener, (struct sockaddr *)&addr, &len), "getsockname");
	fds[1] = (int)must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	must(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), "SO_SNDBUF");
	must(connect(fds[1], (struct sockaddr *)&addr, len), "connect");
	fds[0] = (int)must(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
	close(listener);
	drain(state, fds);
}

static void sendfile_begin(void *state)
{
	struct writer *s = state;

	sockwrite_begin(state);
	s->file = (int)must(syscall(SYS_memfd_create, "victim", 1), "memfd_create");
	must(write(s->file, s->buf, sizeof(s->buf)), "write");
}

static void wrote(struct writer *s, const char *what, ssize_t r)
{
	if (r != BLOCK)
		anomaly("%s returned %zd of %d (%s)", what, r, BLOCK,
			r < 0 ? strerror(errno) : "short");
	if (r > 0)
		s->sent += (uint64_t)r;
	/* Between two of them one may work without breaking either. */
	dawdle(8000);
}

static void write_round(void *state)
{
	struct writer *s = state;

	wrote(s, "write", write(s->fd, s->buf + s->sent % PERIOD, BLOCK));
}

static void sendfile_round(void *state)
{
	struct writer *s = state;
	off_t from = (off_t)(s->sent % PERIOD);

	wrote(s, "sendfile", sendfile(s->fd, s->file, &from, BLOCK));
}

/* --- sendto on a datagram socket whose peer is slow */

struct sender {
	int fd, peer_fd;
	uint32_t next;
};

static void receive_run(void *arg)
{
	struct sender *s = arg;

	for (uint32_t n = 0;; n++) {
		uint32_t got = 0;

		if (recv(s->peer_fd, &got, sizeof(got), 0) != sizeof(got))
			_exit(0);
		if (got != n)
			anomaly("datagram %u instead of %u", got, n);
		n = got;
		dawdle(1000);
	}
}

static void sendto_begin(void *state)
{
	struct sender *s = state;
	int fds[2];

	must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), "socketpair");
	s->fd = fds[1];
	s->peer_fd = fds[0];
	peer(receive_run, s);
}

static void sendto_round(void *state)
{
	struct sender *s = state;
	ssize_t r = sendto(s->fd, &s->next, sizeof(s->next), 0, NULL, 0);

	if (r != sizeof(s->next))
		anomaly("sendto returned %zd (%s)", r, r < 0 ? strerror(errno) : "short");
	else
		s->next++;
	/* Not blocked all the time, for it is then that one must wait. */
	if (s->next % 64 == 0)
		dawdle(10000);
}

/* --- connect to a socket whose backlog is full */

struct connector {
	struct sockaddr_storage addr;
	socklen_t len;
	int listener;
};

static void accept_run(void *arg)
{
	struct connector *s = arg;

	for (;;) {
		int fd;

		dawdle(2000);
		fd = accept(s->listener, NULL, NULL);
		if (fd < 0)
			_exit(0);
		close(fd);
	}
}

static void connect_begin(void *state)
{
	struct connector *s = state;

	s->addr.ss_family = AF_UNIX;
	s->len = sizeof(s->addr);
	s->listener = (int)must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	/* A name of the kernel's choice. */
	must(bind(s->listener, (struct sockaddr *)&s->addr, sizeof(sa_family_t)), "bind");
	must(getsockname(s->listener, (struct sockaddr *)&s->addr, &s->len), "getsockname");
	must(listen(s->listener, 0), "listen");
	peer(accept_run, s);
}

static void connect_round(void *state)
{
	struct connector *s = state;
	int fd = (int)must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");

	if (connect(fd, (struct sockaddr *)&s->addr, s->len) < 0)
		anomaly("connect: %s", strerror(errno));
	close(fd);
}

const struct kind kinds_write[] = {
	{ "pipewrite", sizeof(struct writer), pipewrite_begin, write_round, NULL },
	{ "sockwrite", sizeof(struct writer), sockwrite_begin, write_round, NULL },
	{ "tcpwrite", sizeof(struct writer), tcpwrite_begin, write_round, NULL },
	{ "sendfile", sizeof(struct writer), sendfile_begin, sendfile_round, NULL },
	{ "sendto", sizeof(struct sender), sendto_begin, sendto_round, NULL },
	{ "connect", sizeof(struct connector), connect_begin, connect_round, NULL },
	{ 0 },
};
