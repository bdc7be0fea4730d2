/* SPDX-License-Identifier: MIT */
#include "app/seqpacket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/parse.h"

static int address_of(const char *path, struct sockaddr_un *ret)
{
	if (strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

static int make(int flags)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

	return fd < 0 ? -errno : fd;
}

/**
 * seqpacket_listen() - a listening socket that only root can connect to
 * @path: where; what is there is taken away
 * @flags: SOCK_NONBLOCK, or 0
 *
 * Return: a descriptor; negative errno.
 */
int seqpacket_listen(const char *path, int flags)
{
	struct sockaddr_un at;
	_cleanup_close_ int fd = make(flags);
	int r = address_of(path, &at);
	mode_t saved;

	if (r < 0 || fd < 0)
		return r < 0 ? r : fd;
	(void)unlink(path);
	saved = umask(0177);
	r = bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ? -errno : 0;
	(void)umask(saved);
	if (r == 0 && listen(fd, 8) < 0)
		r = -errno;
	return r < 0 ? r : take_fd(&fd);
}

/**
 * seqpacket_connect() - a connection
 * @path: of the listening socket
 * @flags: SOCK_NONBLOCK, or 0
 * @room_s: seconds that may be waited for room: in the queue of connections, and then for each
 *	message; 0: any time
 *
 * Return: a descriptor; negative errno.
 */
int seqpacket_connect(const char *path, int flags, time_t room_s)
{
	const struct timeval room = { .tv_sec = room_s };
	struct sockaddr_un at;
	_cleanup_close_ int fd = make(flags);
	int r = address_of(path, &at);

	if (r < 0 || fd < 0)
		return r < 0 ? r : fd;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &room, sizeof(room)) < 0 ||
	    connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	return take_fd(&fd);
}

/**
 * seqpacket_accept() - the next one who has connected
 * @listener: of seqpacket_listen()
 * @flags: SOCK_NONBLOCK, or 0
 *
 * The mode of the socket is one lock, who he is is another.
 *
 * Return: a descriptor; -EPERM for anybody but root; another negative errno.
 */
int seqpacket_accept(int listener, int flags)
{
	_cleanup_close_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | flags);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0)
		return -EPERM;
	return take_fd(&fd);
}

/**
 * seqpacket_passed() - the socket that the service manager hands over, as sd_listen_fds(3) says
 *
 * Return: LISTEN_FD; -ENOTCONN when there is none, or it is not for us.
 */
int seqpacket_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	uint64_t to = 0, fds = 0;

	if (!pid || !n || parse_uint(pid, INT32_MAX, &to) < 0 || parse_uint(n, 1, &fds) < 0)
		return -ENOTCONN;
	return (pid_t)to == getpid() && fds == 1 ? LISTEN_FD : -ENOTCONN;
}
