/* SPDX-License-Identifier: MIT */
/* Asking the daemon to load its policy anew, and hearing what came of it: SIGHUP cannot answer. */
#include "app/reload.h"

#include <sys/socket.h>
#include <sys/time.h>

#include "app/cli.h"
#include "app/seqpacket.h"

/* Loading takes milliseconds; who is stopped, or waits for a lock, takes longer. */
#define PATIENCE_S 30

/**
 * reload_ask() - asks the running daemon for a reload, and says what came of it
 *
 * Return: the exit status.
 */
int reload_ask(void)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	_cleanup_close_ int fd = seqpacket_connect(RELOAD_SOCKET, 0, 0);
	struct reload_answer answer;
	ssize_t n;

	if (fd < 0) {
		fprintf(stderr, "thpd: the daemon cannot be reached: %s\n", strerror(-fd));
		return EXIT_TROUBLE;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < (ssize_t)sizeof(answer)) {
		fprintf(stderr, "thpd: the daemon does not answer: %s\n",
			n < 0 ? strerror(errno) : "it has ended, or is of another version");
		return EXIT_TROUBLE;
	}
	answer.text[sizeof(answer.text) - 1] = '\0';
	if (answer.status != EXIT_GOOD)
		fprintf(stderr, "thpd: the policy is refused, the old one stays in force\n%s",
			answer.text);
	return answer.status;
}

/** reload_listen() - where a reload is asked for: a listening socket, or negative errno */
int reload_listen(void)
{
	/* What is there is of a daemon that was ended: there is one at a time. */
	return seqpacket_listen(RELOAD_SOCKET, SOCK_NONBLOCK);
}

/** reload_accept() - who asks for a reload, to be told by reload_tell(); negative errno: nobody */
int reload_accept(int listening)
{
	return seqpacket_accept(listening, SOCK_NONBLOCK);
}

/** reload_tell() - tells who asked, and closes */
void reload_tell(int fd, int status, const char *text)
{
	struct reload_answer answer = { .status = status };

	(void)snprintf(answer.text, sizeof(answer.text), "%s", text);
	(void)send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
	close_fd(fd);
}
