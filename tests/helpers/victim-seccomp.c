/* SPDX-License-Identifier: MIT */
/* Victims that may make few system calls, prctl(2) not among them. */
#include "victim.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct filtered {
	struct feed feed;
	unsigned int turn;
	bool strict;
};

#define ALLOW(nr) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/*
 * @restart: whether restart_syscall(2) is allowed, as it should be by every filter that allows
 * sleeps.
 */
static void filter(uint32_t otherwise, bool restart)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read),
		ALLOW(SYS_write),
		ALLOW(SYS_nanosleep),
		ALLOW(SYS_clock_gettime),
		ALLOW(SYS_exit),
		ALLOW(SYS_exit_group),
		ALLOW(restart ? SYS_restart_syscall : SYS_read),
#ifdef __i386__
		ALLOW(SYS_clock_gettime64),
#endif
		BPF_STMT(BPF_RET | BPF_K, otherwise),
	};
	const struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), "PR_SET_SECCOMP");
}

static void prepare(void *state)
{
	feed_begin(&((struct filtered *)state)->feed, AF_UNSPEC);
	/* No system call is left to tell. */
	atomic_store(&shared->pid, getpid());
}

static void kill_begin(void *state)
{
	prepare(state);
	filter(SECCOMP_RET_KILL_PROCESS, true);
}

static void errno_begin(void *state)
{
	prepare(state);
	filter(SECCOMP_RET_ERRNO | EPERM, true);
}

static void norestart_begin(void *state)
{
	prepare(state);
	filter(SECCOMP_RET_KILL_PROCESS, false);
}

static void filtered_round(void *state)
{
	struct filtered *s = state;
	struct kernel_time ts = { .ns = 4 * MS };
	int64_t begin = now_ns();
	uint8_t byte;
	volatile unsigned int spins = 0;

	switch (s->turn++ % 3) {
	case 0:
		feed_take(&s->feed, "read", read(s->feed.fd, &byte, 1), &byte);
		break;
	case 1:
		if (syscall(SYS_nanosleep, &ts, NULL) < 0)
			anomaly("nanosleep: %s", strerror(errno));
		took("nanosleep", begin, 4 * MS, LATE);
		break;
	default:
		while (++spins < 1000000)
			;
	}
}

/* --- strict: read, write and exit are all there is, and exit is not what libc calls */

static void strict_begin(void *state)
{
	prepare(state);
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), "PR_SET_SECCOMP");
}

static void strict_round(void *state)
{
	struct filtered *s = state;
	volatile unsigned int spins = 0;
	uint8_t byte;

	if (s->turn++ % 3)
		feed_take(&s->feed, "read", read(s->feed.fd, &byte, 1), &byte);
	else
		while (++spins < 1000000)
			;
}

static void strict_end(void *state)
{
	syscall(SYS_exit, 0);
}

const struct kind kinds_seccomp[] = {
	{ "seccomp", sizeof(struct filtered), kill_begin, filtered_round, NULL },
	{ "seccomp-errno", sizeof(struct filtered), errno_begin, filtered_round, NULL },
	{ "seccomp-norestart", sizeof(struct filtered), norestart_begin, filtered_round, NULL },
	{ "strict", sizeof(struct filtered), strict_begin, strict_round, strict_end },
	{ 0 },
};
