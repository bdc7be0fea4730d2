/* SPDX-License-Identifier: MIT */
#include "bench/resp.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "base/util.h"

#define ANSWER_SECONDS 60 /* what takes longer does not come any more */

static int reserve(char **buffer, size_t *room, size_t wanted)
{
	size_t more = *room ? *room : 65536;
	char *grown;

	while (more < wanted)
		more *= 2;
	if (more == *room)
		return 0;
	grown = realloc(*buffer, more);
	if (!grown)
		return -ENOMEM;
	*buffer = grown;
	*room = more;
	return 0;
}

/**
 * resp_open() - connects to a server
 * @path: its socket
 * @ret: the connection, to be given to resp_close()
 *
 * Return: 0 or negative errno.
 */
int resp_open(const char *path, struct resp *ret)
{
	const struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	*ret = (struct resp){ .fd = take_fd(&fd) };
	return 0;
}

/** resp_close() - ends a connection, and frees what it holds */
void resp_close(struct resp *c)
{
	free(c->in);
	free(c->out);
	*c = (struct resp){ .fd = close_fd(c->fd) };
}

/**
 * resp_add() - a command, to be sent with the next resp_flush()
 * @c: the connection
 * @words: the command and its arguments
 * @n: how many
 *
 * Return: 0 or -ENOMEM.
 */
int resp_add(struct resp *c, const struct resp_word *words, size_t n)
{
	size_t wanted = c->out_end + 32;
	int r;

	for (size_t i = 0; i < n; i++)
		wanted += words[i].len + 32;
	r = reserve(&c->out, &c->out_room, wanted);
	if (r < 0)
		return r;
	c->out_end += (size_t)sprintf(c->out + c->out_end, "*%zu\r\n", n);
	for (size_t i = 0; i < n; i++) {
		c->out_end += (size_t)sprintf(c->out + c->out_end, "$%zu\r\n", words[i].len);
		memcpy(c->out + c->out_end, words[i].data, words[i].len);
		c->out_end += words[i].len;
		memcpy(c->out + c->out_end, "\r\n", 2);
		c->out_end += 2;
	}
	return 0;
}

/**
 * resp_flush() - sends what was added
 * @c: the connection
 *
 * Return: 0 or negative errno.
 */
int resp_flush(struct resp *c)
{
	size_t sent = 0;

	while (sent < c->out_end) {
		ssize_t n = send(c->fd, c->out + sent, c->out_end - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		sent += n > 0 ? (size_t)n : 0;
	}
	c->out_end = 0;
	return 0;
}

/* Reads until there are n bytes from in_at on. */
static int need(struct resp *c, size_t n)
{
	int r;

	if (c->in_at > 0 && c->in_at + n > c->in_room) {
		memmove(c->in, c->in + c->in_at, c->in_end - c->in_at);
		c->in_end -= c->in_at;
		c->in_at = 0;
	}
	r = reserve(&c->in, &c->in_room, c->in_at + n);
	while (r == 0 && c->in_end - c->in_at < n) {
		ssize_t got = recv(c->fd, c->in + c->in_end, c->in_room - c->in_end, 0);

		if (got == 0)
			r = -EPIPE;
		else if (got < 0 && errno != EINTR)
			r = -errno;
		c->in_end += got > 0 ? (size_t)got : 0;
	}
	return r;
}

/* The length of the line at in_at, without its end. */
static int need_line(struct resp *c, size_t *ret)
{
	for (size_t n = 2;; n++) {
		int r = need(c, n);

		if (r < 0)
			return r;
		if (c->in[c->in_at + n - 2] == '\r' && c->in[c->in_at + n - 1] == '\n') {
			*ret = n - 2;
			return 0;
		}
	}
}

/**
 * resp_answer() - waits for the next answer
 * @c: the connection
 * @ret: the answer
 *
 * Return: 0; -EPROTO for what is no answer, or a list; -EPIPE when the server has ended; another
 * negative errno.
 */
int resp_answer(struct resp *c, struct resp_answer *ret)
{
	struct resp_answer a = { 0 };
	const char *line;
	size_t n;
	int r;

	if (c->in_at == c->in_end)
		c->in_at = c->in_end = 0;
	r = need_line(c, &n);
	if (r < 0)
		return r;
	line = c->in + c->in_at;
	a = (struct resp_answer){ .kind = line[0], .data = line + 1, .len = n > 0 ? n - 1 : 0 };
	if (a.kind == ':' || a.kind == '$')
		a.number = strtoll(line + 1, NULL, 10);
	else if (a.kind != '+' && a.kind != '-')
		return -EPROTO;
	c->in_at += n + 2;
	if (a.kind == '$') {
		a.len = a.number > 0 ? (size_t)a.number : 0;
		r = a.number < 0 ? 0 : need(c, a.len + 2);
		if (r < 0)
			return r;
		a.data = c->in + c->in_at;
		c->in_at += a.number < 0 ? 0 : a.len + 2;
	}
	*ret = a;
	return 0;
}
