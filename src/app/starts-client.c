/* SPDX-License-Identifier: MIT */
#include "app/starts-client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "app/seqpacket.h"

/**
 * starts_client_take() - uses a socket that is connected already
 * @c: closed, or STARTS_CLIENT_NONE
 * @fd: is c's from now on
 */
void starts_client_take(struct starts_client *c, int fd)
{
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	*c = (struct starts_client){ .fd = fd };
}

/**
 * starts_client_connect() - connects to thpd-starts
 * @c: closed, or STARTS_CLIENT_NONE
 * @path: its socket
 *
 * Return: 0; negative errno.
 */
int starts_client_connect(struct starts_client *c, const char *path)
{
	int fd = seqpacket_connect(path, SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	starts_client_take(c, fd);
	return 0;
}

/** starts_client_close() - gives all back; what was committed stays in force at the other end */
void starts_client_close(struct starts_client *c)
{
	(void)close_fd(c->fd);
	arena_free(&c->arena);
	*c = (struct starts_client)STARTS_CLIENT_NONE;
}

/** starts_client_begin() - a new table; one that has not been sent whole is dropped */
void starts_client_begin(struct starts_client *c)
{
	arena_free(&c->arena);
	c->entries.items = NULL;
	c->entries.n = c->entries.cap = 0;
	c->sent = 0;
	c->sending = false;
}

/**
 * starts_client_add() - adds an entry to the table
 * @c: of starts_client_begin()
 * @path: the program, absolute, as seen from the host
 * @unit: whose it is, as its cgroup is named
 * @flag: enum thp_flag
 * @mode: whether its start is to be held
 *
 * Return: 0; -ENAMETOOLONG; -E2BIG; -ENOMEM.
 */
int starts_client_add(struct starts_client *c, const char *path, const char *unit, int32_t flag,
		      enum exec_mode mode)
{
	struct starts_entry *e;

	if (strlen(path) >= STARTS_PATH_SIZE || strlen(unit) >= STARTS_UNIT_SIZE)
		return -ENAMETOOLONG;
	if (c->entries.n >= STARTS_ENTRIES_MAX)
		return -E2BIG;
	e = array_add(&c->arena, &c->entries);
	if (!e)
		return -ENOMEM;
	e->head = (struct starts_head){ .version = STARTS_WIRE_VERSION, .type = STARTS_ENTRY };
	e->flag = flag;
	e->mode = mode;
	memcpy(e->path, path, strlen(path) + 1);
	memcpy(e->unit, unit, strlen(unit) + 1);
	return 0;
}

/**
 * starts_client_send() - sends the table, as much of it as can be sent just now
 * @c: complete
 *
 * Return: 0 when all was sent; 1 when this has to be called again, once the descriptor is writable;
 * negative errno, and the connection is of no use any more.
 */
int starts_client_send(struct starts_client *c)
{
	const struct starts_head begin = { .version = STARTS_WIRE_VERSION, .type = STARTS_BEGIN };
	const struct starts_head commit = { .version = STARTS_WIRE_VERSION, .type = STARTS_COMMIT };

	for (c->sending = true; c->sent < c->entries.n + 2; c->sent++) {
		const bool is_entry = c->sent > 0 && c->sent <= c->entries.n;
		const void *m = is_entry     ? (const void *)&c->entries.items[c->sent - 1] :
				c->sent == 0 ? &begin :
					       &commit;

		if (send(c->fd, m, is_entry ? sizeof(struct starts_entry) : sizeof(begin),
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return errno == EAGAIN || errno == EINTR ? 1 : -errno;
	}
	starts_client_begin(c);
	return 0;
}

static size_t size_of(uint32_t type)
{
	switch (type) {
	case STARTS_EVENT:
		return sizeof(struct starts_event);
	case STARTS_REFUSED:
		return sizeof(struct starts_refused);
	case STARTS_STATE:
		return sizeof(struct starts_state);
	default:
		return 0;
	}
}

/**
 * starts_client_read() - reads one message
 * @c: connected
 * @ret: the message; its texts terminated
 *
 * Return: 1; 0 when there is none just now; -ECONNRESET when the other end is gone;
 * -EPROTONOSUPPORT when it is of another version; -EBADMSG; another negative errno.
 */
int starts_client_read(struct starts_client *c, union starts_message *ret)
{
	union starts_message m;
	ssize_t n = recv(c->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n >= sizeof(m.head) && m.head.version != STARTS_WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if ((size_t)n < sizeof(m.head) || (size_t)n != size_of(m.head.type))
		return -EBADMSG;
	m.event.unit[sizeof(m.event.unit) - 1] = '\0';
	*ret = m;
	if (m.head.type == STARTS_REFUSED)
		ret->refused.why[sizeof(m.refused.why) - 1] = '\0';
	return 1;
}
