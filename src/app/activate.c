/* SPDX-License-Identifier: MIT */
/* Starts helper programs as systemd would, where there is none. */
#include "app/activate.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "app/seqpacket.h"
#include "base/util.h"

/**
 * activate_listen() - makes the socket of a helper program
 * @a: gets it
 * @program: its path; not copied
 * @path: the socket's; not copied
 *
 * Return: 0; negative errno.
 */
int activate_listen(struct activated *a, const char *program, const char *path)
{
	int fd = seqpacket_listen(path, 0);

	if (fd < 0)
		return fd;
	*a = (struct activated){ .program = program, .socket = path, .fd = fd };
	return 0;
}

static _Noreturn void become(const struct activated *a, pid_t parent)
{
	char pid[16], *const argv[] = { (char *)a->program, NULL };
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* dup2() of a descriptor onto itself would leave it to be closed by the exec. */
	if (a->fd == LISTEN_FD ? fcntl(LISTEN_FD, F_SETFD, 0) < 0 : dup2(a->fd, LISTEN_FD) < 0)
		_exit(1);
	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	if (setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", "1", 1) < 0)
		_exit(1);
	(void)execv(a->program, argv);
	_exit(127);
}

/**
 * activate_run() - has the program run, if it does not
 * @a: of activate_listen()
 *
 * Return: 0; negative errno: nobody would ever answer at the socket.
 */
int activate_run(struct activated *a)
{
	pid_t self = getpid();

	if (a->pid > 0 && waitpid(a->pid, NULL, WNOHANG) == 0)
		return 0;
	if (access(a->program, X_OK) < 0)
		return -errno;
	a->pid = fork();
	if (a->pid == 0)
		become(a, self);
	return a->pid < 0 ? -errno : 0;
}

/** activate_end() - ends the program, and takes the socket away */
void activate_end(struct activated *a)
{
	if (a->pid > 0) {
		(void)kill(a->pid, SIGTERM);
		(void)kill(a->pid, SIGCONT); /* one that is stopped would be waited for */
		while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (a->fd >= 0) {
		close_fd(a->fd);
		(void)unlink(a->socket);
	}
	*a = (struct activated){ .fd = -1 };
}
