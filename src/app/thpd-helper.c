/* SPDX-License-Identifier: MIT */
/*
 * The privileged helper of thpd: sets the flags of running processes, reads which program they run,
 * gives back their memory, and tells who writes to the settings. It has the rights for that, and no
 * seccomp filter, which the kernel asks of who suspends another one's; so it does nothing else: no
 * policy, no bus, no log. See units/thpd-helper.service.
 *
 * It is given a listening socket as descriptor 3, as sd_listen_fds(3) says, by systemd or by thpd.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "app/helper-serve.h"
#include "app/seqpacket.h"
#include "base/util.h"

#define CONNECTIONS_MAX 16U

/* Whether there is a listening socket that was meant for us. */
static bool have_socket(void)
{
	int listening = 0, type = 0;
	socklen_t len = sizeof(int);

	return seqpacket_passed() == LISTEN_FD &&
	       getsockopt(LISTEN_FD, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 &&
	       listening && getsockopt(LISTEN_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET && fcntl(LISTEN_FD, F_SETFD, FD_CLOEXEC) == 0;
}

/* Who is connected, and the process that serves him. */
struct connection {
	pid_t pid; /* 0: none */
	int fd;	   /* -1: he has gone; his process may still be at work */
};

/* A process for each connection: what goes wrong in one, the others do not notice. */
static void serve_in_child(struct connection *all, size_t i, pid_t parent)
{
	all[i].pid = fork();
	if (all[i].pid > 0)
		return;
	if (all[i].pid < 0) {
		all[i] = (struct connection){ .fd = close_fd(all[i].fd) };
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)close(LISTEN_FD);
	for (size_t other = 0; other < CONNECTIONS_MAX; other++)
		if (other != i)
			(void)close_fd(all[other].fd);
	_exit(helper_serve(all[i].fd) < 0);
}

static void child_ended(int sig)
{
	(void)sig;
}

/* Takes the children that have ended: who was served by one is to see its end. */
static void reap(struct connection *all)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < CONNECTIONS_MAX; i++)
			if (all[i].pid == pid) {
				(void)close_fd(all[i].fd);
				all[i] = (struct connection){ .fd = -1 };
			}
}

/*
 * Waits until anything happens; returns whether somebody wants to be connected, or negative errno.
 * The listening socket comes first: when a thpd that was started again is seen to wait there, the
 * end of the one before, which was earlier, is seen with it.
 */
static int wait_for_news(struct connection *all)
{
	struct pollfd fds[1 + CONNECTIONS_MAX] = { { .fd = -1, .events = POLLIN } };
	sigset_t none;

	(void)sigemptyset(&none);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		fds[1 + i].fd = all[i].fd;
		if (all[i].pid == 0)
			fds[0].fd = LISTEN_FD;
	}
	if (ppoll(fds, ARRAY_SIZE(fds), NULL, &none) < 0)
		return errno == EINTR ? 0 : -errno;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (fds[1 + i].revents)
			all[i].fd = close_fd(all[i].fd);
	return fds[0].revents != 0;
}

/*
 * Until nobody is connected any more, though a process may still be at work for who was: who comes
 * then has us started again, and if the program was replaced meanwhile, that is the new one.
 */
static int run(void)
{
	struct connection all[CONNECTIONS_MAX];
	bool served = false;
	sigset_t chld;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		all[i] = (struct connection){ .fd = -1 };
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, NULL);
	for (;;) {
		size_t connected = 0, room = 0;
		int wanted = wait_for_news(all);

		if (wanted < 0)
			return wanted;
		reap(all);
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			connected += all[i].fd >= 0;
			if (all[i].pid == 0)
				room = i;
		}
		if (served && connected == 0)
			return 0;
		if (wanted)
			all[room].fd = seqpacket_accept(LISTEN_FD, 0);
		if (wanted && all[room].fd >= 0) {
			serve_in_child(all, room, getpid());
			served = true;
		}
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = child_ended };
	int r;

	if (argc > 1 && streq(argv[1], "--version")) {
		printf("thpd-helper (thpd) %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (argc > 1 || !have_socket()) {
		fprintf(stderr, "thpd-helper: is started by thpd-helper.socket, or by thpd\n");
		return 2;
	}
	(void)sigaction(SIGCHLD, &sa, NULL);
	r = run();
	if (r < 0)
		fprintf(stderr, "thpd-helper: %s\n", strerror(-r));
	return r < 0;
}
