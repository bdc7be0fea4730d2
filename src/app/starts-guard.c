/* SPDX-License-Identifier: MIT */
/* What keeps the process that others wait for able to run, and ends it when it is not. */
#include "app/starts-guard.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "app/starts-wire.h"
#include "base/util.h"
#include "sys/root.h"
#include "sys/paths.h"

/*
 * Waits for the end of the other process. One that is stopped cannot answer, and its dead-man timer
 * was not armed if it was idle: it is ended at once. Returns an exit status.
 */
static int watch(pid_t pid)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED) < 0) {
			if (errno == EINTR)
				continue;
			return 1;
		}
		if (info.si_code != CLD_STOPPED)
			return info.si_code == CLD_EXITED ? info.si_status : 1;
		(void)kill(pid, SIGKILL);
	}
}

/**
 * starts_guard_fork() - goes on in a child; its parent watches it, and ends with it
 *
 * Return: 0, in the child; negative errno.
 */
int starts_guard_fork(void)
{
	const pid_t self = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid > 0) {
		/* Whoever is at the other end is to see the child's end. */
		for (int fd = 0; fd < 1024; fd++)
			(void)close(fd);
		_Exit(watch(pid));
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	if (getppid() != self)
		_Exit(1);
	return 0;
}

/**
 * starts_guard_protect() - no page of ours is ever waited for, and we are the last to be chosen
 * when memory is short
 *
 * Not -1000: in a group with a memory limit, where nobody else can be killed, that would leave us
 * waiting for memory, or the kernel with none to open the program for us, which denies the exec.
 *
 * Return: enum starts_guard, what could not be had.
 */
int32_t starts_guard_protect(void)
{
	const struct root host = ROOT_LIVE;
	struct sched_param p = { .sched_priority = 2 }, none = { .sched_priority = 0 };
	struct rlimit files = { 0 };
	int32_t missing = 0;
	_cleanup_close_ int fd = root_open(&host, PATH_PROC "/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, "-999", 4) != 4)
		missing |= STARTS_NO_OOM_SCORE;
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		missing |= STARTS_NO_MEMORY_LOCK;
	if (sched_setscheduler(0, SCHED_FIFO, &p) < 0)
		missing |= STARTS_NO_PRIORITY;
	else
		(void)sched_setscheduler(0, SCHED_OTHER, &none);
	/* Without a descriptor for the program, the kernel denies the exec. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return missing;
}

/**
 * starts_guard_capable() - whether we may do this at all
 *
 * Who traces a program that is set-user-ID or has capabilities takes these away if he may not trace
 * it (cap_bprm_creds_from_file(), security/commoncap.c).
 */
bool starts_guard_capable(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 && data[0].effective & 1U << CAP_SYS_PTRACE &&
	       data[0].effective & 1U << CAP_SYS_ADMIN;
}
