/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of a virtual machine that lives for one list of commands: mounts what programs expect,
 * brings loopback up, carries out the lines of the file given by `commands=` on the kernel's command
 * line, or of /commands, says how each ended, prints `END STATUS` with the first status that is not
 * 0, and switches the machine off.
 *
 * A line is a program and its arguments between spaces; there is no quoting and no shell. Empty lines
 * and lines that begin with # are passed over.
 */
#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX 64

static const struct {
	const char *type, *where;
} mounts[] = {
	{ "proc", "/proc" },	{ "sysfs", "/sys" },	 { "cgroup2", "/sys/fs/cgroup" },
	{ "devtmpfs", "/dev" }, { "tmpfs", "/dev/shm" }, { "tmpfs", "/run" },
	{ "tmpfs", "/tmp" },
};

static void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		mkdir(mounts[i].where, 0755);
		/* The kernel may have mounted devtmpfs itself. */
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL) < 0 &&
		    errno != EBUSY)
			warn("%s", mounts[i].where);
	}
	chmod("/tmp", 01777);
	chmod("/dev/shm", 01777);
}

/* Loopback is there, but down. */
static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		warn("lo");
	if (fd >= 0)
		close(fd);
}

/* Lines as they are: a serial console would end each with a carriage return too. */
static void console_raw(void)
{
	struct termios t;

	if (tcgetattr(STDOUT_FILENO, &t) < 0)
		return;
	t.c_oflag &= ~(tcflag_t)OPOST;
	tcsetattr(STDOUT_FILENO, TCSANOW, &t);
}

/* Waits for a child, and reaps whatever else has become ours meanwhile. */
static int wait_for(pid_t child)
{
	int status;
	pid_t pid;

	do
		pid = wait(&status);
	while (pid != child && (pid > 0 || errno == EINTR));
	if (pid != child)
		return 127;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run(char *line)
{
	char *argv[ARGS_MAX + 1], *save = NULL;
	size_t n = 0;
	pid_t pid;

	for (char *word = strtok_r(line, " \t\n", &save); word && n < ARGS_MAX;
	     word = strtok_r(NULL, " \t\n", &save))
		argv[n++] = word;
	argv[n] = NULL;
	if (n == 0 || argv[0][0] == '#')
		return 0;

	pid = fork();
	if (pid < 0) {
		warn("fork");
		return 126;
	}
	if (pid == 0) {
		setsid();
		execv(argv[0], argv);
		warn("%s", argv[0]);
		_exit(errno == ENOENT ? 127 : 126);
	}
	return wait_for(pid);
}

static int run_all(const char *path)
{
	char line[4096], copy[4096];
	int first = 0;
	FILE *f;

	f = fopen(path, "re");
	if (!f) {
		warn("%s", path);
		return 127;
	}
	while (fgets(line, sizeof(line), f)) {
		struct timespec begin, end;
		int status;

		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		strcpy(copy, line);
		clock_gettime(CLOCK_MONOTONIC, &begin);
		status = run(line);
		clock_gettime(CLOCK_MONOTONIC, &end);
		printf("STATUS %d after %.3f s: %s\n", status,
		       (double)(end.tv_sec - begin.tv_sec) +
			       (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
		       copy);
		if (first == 0)
			first = status;
	}
	fclose(f);
	return first;
}

int main(void)
{
	const char *path = getenv("commands");
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	console_raw();
	mount_all();
	loopback_up();
	setenv("PATH", "/", 1);
	status = run_all(path ? path : "/commands");
	printf("END %d\n", status);
	/* What the line still holds would go with the machine. */
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	/* Where there is nothing to switch it off with; qemu is told to leave it at that. */
	reboot(RB_AUTOBOOT);
	return status;
}
