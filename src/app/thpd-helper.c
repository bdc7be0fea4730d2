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

/* A process for each connection: what goes wrong in one, the others do not notice. */
static int serve_in_child(int fd, pid_t parent)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid > 0)
		return 0;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)close(LISTEN_FD);
	_exit(helper_serve(fd) < 0);
}

static void child_ended(int sig)
{
	(void)sig;
}

/* Takes the children that have ended; returns how many are left. */
static unsigned int reap(unsigned int children)
{
	while (children > 0 && waitpid(-1, NULL, WNOHANG) > 0)
		children--;
	return children;
}

/* Until nobody is connected any more: the next one has us started again. */
static int run(void)
{
	unsigned int children = 0;
	bool served = false;
	sigset_t none, chld;

	(void)sigemptyset(&none);
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, NULL);
	while (children > 0 || !served) {
		struct pollfd p = { .fd = children < CONNECTIONS_MAX ? LISTEN_FD : -1,
				    .events = POLLIN };
		_cleanup_close_ int fd = -1;

		if (ppoll(&p, 1, NULL, &none) < 0 && errno != EINTR)
			return -errno;
		children = reap(children);
		if (p.revents)
			fd = seqpacket_accept(LISTEN_FD, 0);
		if (fd < 0 || serve_in_child(fd, getpid()) < 0)
			continue;
		served = true;
		children++;
	}
	return 0;
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
