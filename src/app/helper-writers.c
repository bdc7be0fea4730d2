/* SPDX-License-Identifier: MIT */
/* Tells who writes to the settings, for as long as somebody listens. */
#include <poll.h>
#include <sys/socket.h>

#include "app/helper-serve.h"
#include "base/util.h"
#include "sys/knob.h"
#include "sys/writers.h"

#define KEYS_MAX 256U

/* Splits what came over the socket. Returns how many there are. */
static size_t split(const char *text, size_t size, const char **keys, size_t n)
{
	size_t found = 0;

	for (size_t at = 0; at < size && found < n; at += strlen(text + at) + 1)
		keys[found++] = text + at;
	return found;
}

static int tell(int fd, struct writers *w)
{
	struct writer x;
	int r;

	while ((r = writers_next(w, &x)) > 0) {
		/* Whoever does not listen fast enough misses a name, and holds up nobody. */
		if (send(fd, &x, sizeof(x), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
			return -errno;
	}
	return r;
}

/**
 * helper_writers() - tells who writes to files below transparent_hugepage
 * @fd: the connection; nothing more is read from it
 * @keys: the files, each name with its zero
 * @size: of that
 * @n: how many
 *
 * Return: 0 when the other end is closed; negative errno.
 */
int helper_writers(int fd, const char *keys, size_t size, size_t n)
{
	const struct root root = ROOT_LIVE;
	const char *list[KEYS_MAX];
	_cleanup_close_ int dirfd = knob_open(&root);
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	struct writers w;
	int r;

	if (dirfd < 0)
		return dirfd;
	n = split(keys, size, list, n < KEYS_MAX ? n : KEYS_MAX);
	r = writers_open(&root, dirfd, &w);
	if (r < 0)
		return r;
	/* What thpd itself writes is no news to it. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
		w.ignore = &peer.pid;
		w.n_ignore = 1;
	}
	r = writers_set(&w, list, n);
	while (r == 0) {
		struct pollfd p[] = { { .fd = w.fd, .events = POLLIN }, { .fd = fd } };

		if (poll(p, 2, writers_timeout(&w)) < 0 && errno != EINTR)
			r = -errno;
		else if (p[1].revents)
			break;
		else
			r = tell(fd, &w);
	}
	writers_close(&w);
	return r;
}
