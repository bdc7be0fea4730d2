/* SPDX-License-Identifier: MIT */
/*
 * A service that tells whether it had its THP flag from the beginning, or else since when.
 *
 * Usage: starter LABEL once|fork|notify MSEC
 *
 *	once	tells, and ends
 *	fork	a daemon of the old kind: its parent ends, the child tells and waits
 *	notify	tells, sends READY=1, and waits
 *
 * A first argument with a slash is the script that it is the interpreter of, and left out.
 * The line it writes to standard output, with times of CLOCK_MONOTONIC in nanoseconds:
 *
 *	LABEL FIRST FIRST_TIME FLAG FLAG_TIME
 *
 * FIRST is what PR_GET_THP_DISABLE said at the program's first instruction: its entry point, which is
 * the first of all in a static program, and follows the dynamic linker's in others. If that was 0, it
 * goes on asking for MSEC milliseconds; FLAG is what it was told last, FLAG_TIME when.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_GET_THP_DISABLE
#define PR_GET_THP_DISABLE 42
#endif

/* Set at the entry point, before there is a C library. */
__attribute__((visibility("hidden"))) volatile int64_t first_flag = -1;
__attribute__((visibility("hidden"))) struct timespec first_time;

/* The registers that the kernel and the dynamic linker hand over reach _start as they came: the stack
 * pointer, and one with a function to be called at the end. */
#if defined(__x86_64__)
__asm__(".text\n.globl first_look\n.type first_look, @function\nfirst_look:\n"
	"	mov %rdx, %r15\n"
	"	mov $42, %edi\n	xor %esi, %esi\n	xor %edx, %edx\n"
	"	xor %r10d, %r10d\n	xor %r8d, %r8d\n"
	"	mov $157, %eax\n	syscall\n" /* prctl */
	"	movslq %eax, %rax\n	mov %rax, first_flag(%rip)\n"
	"	mov $1, %edi\n	lea first_time(%rip), %rsi\n"
	"	mov $228, %eax\n	syscall\n" /* clock_gettime */
	"	mov %r15, %rdx\n	xor %r15d, %r15d\n"
	"	jmp _start\n");
#elif defined(__aarch64__)
__asm__(".text\n.globl first_look\n.type first_look, %function\nfirst_look:\n"
	"	mov x19, x0\n"
	"	mov x0, #42\n	mov x1, xzr\n	mov x2, xzr\n	mov x3, xzr\n	mov x4, xzr\n"
	"	mov x8, #167\n	svc #0\n" /* prctl */
	"	sxtw x0, w0\n"
	"	adrp x9, first_flag\n	str x0, [x9, :lo12:first_flag]\n"
	"	mov x0, #1\n	adrp x1, first_time\n	add x1, x1, :lo12:first_time\n"
	"	mov x8, #113\n	svc #0\n" /* clock_gettime */
	"	mov x0, x19\n"
	"	b _start\n");
#else
#error "only for machines that the injector knows"
#endif

static int64_t nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static int64_t now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return nanoseconds(&t);
}

static void tell(const char *label, int64_t msec)
{
	int64_t until = nanoseconds(&first_time) + msec * 1000000;
	int64_t at = nanoseconds(&first_time);
	int flag = (int)first_flag;
	char line[160];
	int n;

	while (flag == 0 && at < until) {
		flag = prctl(PR_GET_THP_DISABLE, 0UL, 0UL, 0UL, 0UL);
		at = now();
	}
	n = snprintf(line, sizeof(line), "%s %lld %lld %d %lld\n", label, (long long)first_flag,
		     (long long)nanoseconds(&first_time), flag, (long long)at);
	/* One write, for several of us append to the same file. */
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(2);
}

static void notify_ready(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	int fd;

	if (!path || strlen(path) >= sizeof(to.sun_path))
		_exit(3);
	memcpy(to.sun_path, path, strlen(path));
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) != 7)
		_exit(3);
	(void)close(fd);
}

int main(int argc, char **argv)
{
	const char *kind;

	if (argc > 1 && strchr(argv[1], '/')) {
		argv++;
		argc--;
	}
	if (argc != 4)
		return 2;
	kind = argv[2];
	if (strcmp(kind, "fork") == 0) {
		pid_t pid = fork();

		if (pid != 0)
			_exit(pid > 0 ? 0 : 2);
	}
	tell(argv[1], strtoll(argv[3], NULL, 10));
	if (strcmp(kind, "once") == 0)
		return 0;
	if (strcmp(kind, "notify") == 0)
		notify_ready();
	for (;;)
		(void)pause();
}
