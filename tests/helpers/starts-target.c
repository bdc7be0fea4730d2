/* SPDX-License-Identifier: MIT */
/*
 * Says what THP flag it has at its first instruction, and when it got one: without a C library, so
 * that nothing comes before. With TARGET_LIBC it is a program like any other, and says so of its first
 * constructor.
 */
#include "starts-target.h"

#include <stddef.h>

#ifdef TARGET_LIBC

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long get_flag(void)
{
	return prctl(42, 0, 0, 0, 0);
}

static void get_time(struct target_time *t)
{
	(void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, t);
}

static int say(const struct target_report *r)
{
	return write(TARGET_FD, r, sizeof(*r)) != sizeof(*r);
}

static int get_uid(void)
{
	return (int)geteuid();
}

#else

#if defined(__x86_64__)
#define NR_WRITE 1
#define NR_GETEUID 107
#define NR_PRCTL 157
#define NR_CLOCK_GETTIME 228
#define NR_EXIT 231
static long call(long nr, long a, long b, long c)
{
	register long d __asm__("r10") = 0;
	register long e __asm__("r8") = 0;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(d), "r"(e)
			 : "rcx", "r11", "memory");
	return r;
}
/* All registers but the stack's are zero at the beginning: so they must be still. */
__asm__(".globl _start\n_start:\n"
	"or %rbx,%rax\nor %rcx,%rax\nor %rdx,%rax\nor %rsi,%rax\nor %rdi,%rax\nor %rbp,%rax\n"
	"or %r8,%rax\nor %r9,%rax\nor %r10,%rax\nor %r12,%rax\nor %r13,%rax\nor %r14,%rax\nor %r15,%rax\n"
	"mov %rax,%rdi\nxor %ebp,%ebp\nand $-16,%rsp\ncall begin\n");
#elif defined(__i386__)
#define NR_WRITE 4
#define NR_GETEUID 201
#define NR_PRCTL 172
#define NR_CLOCK_GETTIME 403
#define NR_EXIT 252
static long call(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(0), "D"(0)
			 : "memory");
	return r;
}
__asm__(".globl _start\n_start:\nor %ebx,%eax\nor %ecx,%eax\nor %edx,%eax\nor %esi,%eax\nor %edi,%eax\n"
	"or %ebp,%eax\nand $-16,%esp\nsub $12,%esp\npush %eax\ncall begin\n");
#elif defined(__aarch64__)
#define NR_WRITE 64
#define NR_GETEUID 175
#define NR_PRCTL 167
#define NR_CLOCK_GETTIME 113
#define NR_EXIT 94
static long call(long nr, long a, long b, long c)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = 0;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}
__asm__(".globl _start\n_start:\norr x0,x0,x1\norr x0,x0,x8\norr x0,x0,x17\nbl begin\n");
#endif

static long get_flag(void)
{
	return call(NR_PRCTL, 42, 0, 0);
}

static void get_time(struct target_time *t)
{
	(void)call(NR_CLOCK_GETTIME, 1, (long)t, 0);
}

static int say(const struct target_report *r)
{
	return call(NR_WRITE, TARGET_FD, (long)r, sizeof(*r)) != (long)sizeof(*r);
}

static int get_uid(void)
{
	return (int)call(NR_GETEUID, 0, 0, 0);
}

#endif

static long long now(void)
{
	struct target_time t = { 0, 0 };

	get_time(&t);
	return t.s * 1000000000LL + t.ns;
}

static int look(unsigned long registers)
{
	struct target_report r = { .registers = (int)(registers != 0) };
	long long began;

	r.first = (int)get_flag();
	began = r.began = now();
	r.last = r.first;
	while (r.last == 0 && r.window < TARGET_PATIENCE_NS) {
		r.last = (int)get_flag();
		r.window = now() - began;
	}
	r.euid = get_uid();
	return say(&r);
}

#ifdef TARGET_LIBC
static int result = 1;

static __attribute__((constructor)) void before_main(void)
{
	result = look(0);
}

int main(void)
{
	return result;
}
#else
void begin(unsigned long registers);
void begin(unsigned long registers)
{
	call(NR_EXIT, look(registers), 0, 0);
	for (;;)
		;
}
#endif
