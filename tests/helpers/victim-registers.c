/* SPDX-License-Identifier: MIT */
/*
 * Victims that keep a pattern in every register: general, flags, vector, mask, x87, and in the red
 * zone; in a loop without system calls, and across system calls.
 */
#include "victim.h"

#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, FLAGS, GENERAL };

static const char *const names[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
				     "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "flags" };

#define FLAGS_CHECKED 0xcd5U /* CF PF AF ZF SF DF OF */
#define FLAGS_IF 0x202U
#define MXCSR_DEFAULT 0x1f80U
#define MXCSR_PATTERN 0x1fbfU /* sticky flags set */

#define VECTOR_BYTES (32 * 64)

/* Loaded into the registers, and what is found in them afterwards. The offsets stand in the code. */
struct frame {
	uint64_t in[GENERAL];
	uint64_t out[GENERAL];
	uint32_t level; /* 0 xmm, 1 ymm, 2 zmm and k */
	uint32_t mxcsr_in, mxcsr_out, mxcsr_default;
	uint64_t red_out[2];
	uint8_t x87_out[32];
	uint64_t mask_in[8];
	uint64_t mask_out[8];
	uint8_t vector_in[VECTOR_BYTES];
	uint8_t vector_out[VECTOR_BYTES];
};

_Static_assert(offsetof(struct frame, level) == 256, "asm");
_Static_assert(offsetof(struct frame, red_out) == 272, "asm");
_Static_assert(offsetof(struct frame, x87_out) == 288, "asm");
_Static_assert(offsetof(struct frame, mask_in) == 320, "asm");
_Static_assert(offsetof(struct frame, vector_in) == 448, "asm");
_Static_assert(offsetof(struct frame, vector_out) == 2496, "asm");

void registers_spin(struct frame *f);
void registers_call(struct frame *f);
void registers_int80(struct frame *f);

/* Vector registers to and from the frame at \frame, as its level says. */
#define VECTOR_MACROS \
	".macro vectors frame, at, masks, all, more, load\n" \
	"	cmpl $1, 256(\\frame)\n" \
	"	ja 2f\n" \
	"	je 1f\n" \
	"	.irp n, \\all\n" \
	"	.if \\load\n	movups \\at+\\n*64(\\frame), %xmm\\n\n" \
	"	.else\n	movups %xmm\\n, \\at+\\n*64(\\frame)\n	.endif\n" \
	"	.endr\n" \
	"	jmp 3f\n" \
	"1:	.irp n, \\all\n" \
	"	.if \\load\n	vmovups \\at+\\n*64(\\frame), %ymm\\n\n" \
	"	.else\n	vmovups %ymm\\n, \\at+\\n*64(\\frame)\n	.endif\n" \
	"	.endr\n" \
	"	jmp 3f\n" \
	"2:	.irp n, \\all \\more\n" \
	"	.if \\load\n	vmovups \\at+\\n*64(\\frame), %zmm\\n\n" \
	"	.else\n	vmovups %zmm\\n, \\at+\\n*64(\\frame)\n	.endif\n" \
	"	.endr\n" \
	"	.irp n, 0, 1, 2, 3, 4, 5, 6, 7\n" \
	"	.if \\load\n	kmovq \\masks+\\n*8(\\frame), %k\\n\n" \
	"	.else\n	kmovq %k\\n, \\masks+\\n*8(\\frame)\n	.endif\n" \
	"	.endr\n" \
	"3:\n" \
	".endm\n"

#ifdef __x86_64__

#define PREAMBLE VECTOR_MACROS \
	".macro victim_run name, middle\n" \
	"	.globl \\name\n" \
	"	.type \\name, @function\n" \
	"\\name:\n" \
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n" \
	"	push %r14\n	push %r15\n	pushfq\n	push %rdi\n" \
	"	vectors %rdi, 448, 320, \"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\"," \
	" \",16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\", 1\n" \
	"	fninit\n	fldpi\n	fld1\n" \
	"	ldmxcsr 260(%rdi)\n" \
	"	mov 8*8(%rdi), %rax\n	mov %rax, -64(%rsp)\n" \
	"	mov 9*8(%rdi), %rax\n	mov %rax, -120(%rsp)\n" \
	"	push 15*8(%rdi)\n	popfq\n" \
	"	mov 0*8(%rdi), %rax\n	mov 1*8(%rdi), %rbx\n	mov 2*8(%rdi), %rcx\n" \
	"	mov 3*8(%rdi), %rdx\n	mov 4*8(%rdi), %rsi\n	mov 6*8(%rdi), %rbp\n" \
	"	.irp n, 8, 9, 10, 11, 12, 13, 14, 15\n" \
	"	mov (\\n-1)*8(%rdi), %r\\n\n" \
	"	.endr\n" \
	"	mov 5*8(%rdi), %rdi\n" \
	"	\\middle\n" \
	"	push %rdi\n" \
	"	mov 8(%rsp), %rdi\n" \
	"	mov %rax, 128+0*8(%rdi)\n	mov %rbx, 128+1*8(%rdi)\n" \
	"	mov %rcx, 128+2*8(%rdi)\n	mov %rdx, 128+3*8(%rdi)\n" \
	"	mov %rsi, 128+4*8(%rdi)\n	mov %rbp, 128+6*8(%rdi)\n" \
	"	.irp n, 8, 9, 10, 11, 12, 13, 14, 15\n" \
	"	mov %r\\n, 128+(\\n-1)*8(%rdi)\n" \
	"	.endr\n" \
	"	pop %rax\n	mov %rax, 128+5*8(%rdi)\n" \
	"	mov -64(%rsp), %rax\n	mov %rax, 272(%rdi)\n" \
	"	mov -120(%rsp), %rax\n	mov %rax, 280(%rdi)\n" \
	"	pushfq\n	pop %rax\n	mov %rax, 128+15*8(%rdi)\n" \
	"	stmxcsr 264(%rdi)\n	ldmxcsr 268(%rdi)\n" \
	"	fstpt 288(%rdi)\n	fstpt 304(%rdi)\n" \
	"	vectors %rdi, 2496, 384, \"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\"," \
	" \",16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\", 0\n" \
	"	cmpl $0, 256(%rdi)\n	je 1f\n	vzeroupper\n1:\n" \
	"	pop %rdi\n	popfq\n	pop %r15\n	pop %r14\n" \
	"	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n" \
	"	ret\n" \
	"	.size \\name, . - \\name\n" \
	".endm\n" \
	".macro middle_spin\n1:	lea 1(%rdx), %rdx\n	loop 1b\n.endm\n" \
	".macro middle_call\n	syscall\n.endm\n" \
	".macro middle_int80\n	int $0x80\n.endm\n"

#else

#define PREAMBLE VECTOR_MACROS \
	".macro victim_run name, middle\n" \
	"	.globl \\name\n" \
	"	.type \\name, @function\n" \
	"\\name:\n" \
	"	push %ebx\n	push %ebp\n	push %esi\n	push %edi\n	pushfl\n" \
	"	mov 24(%esp), %edi\n	push %edi\n" \
	"	vectors %edi, 448, 320, \"0,1,2,3,4,5,6,7\", \"\", 1\n" \
	"	fninit\n	fldpi\n	fld1\n" \
	"	ldmxcsr 260(%edi)\n" \
	"	push 15*8(%edi)\n	popfl\n" \
	"	mov 0*8(%edi), %eax\n	mov 1*8(%edi), %ebx\n	mov 2*8(%edi), %ecx\n" \
	"	mov 3*8(%edi), %edx\n	mov 4*8(%edi), %esi\n	mov 6*8(%edi), %ebp\n" \
	"	mov 5*8(%edi), %edi\n" \
	"	\\middle\n" \
	"	push %edi\n" \
	"	mov 4(%esp), %edi\n" \
	"	mov %eax, 128+0*8(%edi)\n	mov %ebx, 128+1*8(%edi)\n" \
	"	mov %ecx, 128+2*8(%edi)\n	mov %edx, 128+3*8(%edi)\n" \
	"	mov %esi, 128+4*8(%edi)\n	mov %ebp, 128+6*8(%edi)\n" \
	"	pop %eax\n	mov %eax, 128+5*8(%edi)\n" \
	"	pushfl\n	pop %eax\n	mov %eax, 128+15*8(%edi)\n" \
	"	stmxcsr 264(%edi)\n	ldmxcsr 268(%edi)\n" \
	"	fstpt 288(%edi)\n	fstpt 304(%edi)\n" \
	"	vectors %edi, 2496, 384, \"0,1,2,3,4,5,6,7\", \"\", 0\n" \
	"	cmpl $0, 256(%edi)\n	je 1f\n	vzeroupper\n1:\n" \
	"	pop %edi\n	popfl\n	pop %edi\n	pop %esi\n	pop %ebp\n	pop %ebx\n" \
	"	ret\n" \
	"	.size \\name, . - \\name\n" \
	".endm\n" \
	".macro middle_spin\n1:	lea 1(%edx), %edx\n	loop 1b\n.endm\n" \
	".macro middle_call\n	call *%gs:16\n.endm\n" /* __kernel_vsyscall */ \
	".macro middle_int80\n	int $0x80\n.endm\n"

#endif

/* clang-format off */
__asm__(".pushsection .text\n"
	PREAMBLE
	"victim_run registers_spin, middle_spin\n"
	"victim_run registers_call, middle_call\n"
	"victim_run registers_int80, middle_int80\n"
	".popsection\n");
/* clang-format on */

/* Pointers that int $0x80 takes have 32 bits, so this lies low. */
struct registers {
	struct frame frame;
	struct kernel_time duration, deadline;
	int32_t duration32[2];
	struct epoll_event event;
	uint32_t word;
	uint8_t byte;
	struct feed feed;
	int epoll, feed_epoll;
	uint64_t seed;
	unsigned int turn;
};

static uint64_t pattern(struct registers *s)
{
	s->seed ^= s->seed << 13;
	s->seed ^= s->seed >> 7;
	s->seed ^= s->seed << 17;
	return s->seed;
}

static void registers_begin(void *state)
{
	struct registers *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
#ifdef __x86_64__
				   MAP_32BIT |
#endif
					   MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

	must(s == MAP_FAILED ? -1 : 0, "mmap");
	*(struct registers **)state = s;
	s->seed = 88172645463325252ULL;
	s->frame.level = __builtin_cpu_supports("avx512bw") ? 2 :
			 __builtin_cpu_supports("avx") ?      1 :
							      0;
	s->epoll = (int)must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	feed_begin(&s->feed, AF_UNSPEC);
}

static void fill(struct registers *s)
{
	struct frame *f = &s->frame;

	for (unsigned int i = 0; i < GENERAL; i++)
		f->in[i] = sizeof(long) == 8 ? pattern(s) : (uint32_t)pattern(s);
	f->in[FLAGS] = FLAGS_IF | (f->in[FLAGS] & FLAGS_CHECKED);
	for (unsigned int i = 0; i < VECTOR_BYTES; i += 8)
		memcpy(f->vector_in + i, &(uint64_t){ pattern(s) }, 8);
	for (unsigned int i = 0; i < 8; i++)
		f->mask_in[i] = pattern(s);
	f->mxcsr_in = MXCSR_PATTERN;
	f->mxcsr_default = MXCSR_DEFAULT;
}

/* @free: a bit for each general register that may have any value, or has been looked at already. */
static void compare(struct frame *f, const char *what, unsigned int free)
{
	static const uint8_t x87[2][10] = { { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f },
					    { 0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0, 0x40 } };
	static const unsigned int bytes[] = { 16, 32, 64 };
	bool wide = sizeof(long) == 8;
	unsigned int vectors = !wide ? 8 : f->level == 2 ? 32 : 16;

	f->out[FLAGS] = (f->out[FLAGS] & FLAGS_CHECKED) | FLAGS_IF;
	for (unsigned int i = 0; i < GENERAL; i++)
		if (!(free & 1U << i) && f->in[i] != f->out[i] && (wide || i < R8 || i == FLAGS))
			anomaly("%s: %s is %llx instead of %llx", what, names[i],
				(unsigned long long)f->out[i], (unsigned long long)f->in[i]);
	for (unsigned int i = 0; i < vectors; i++)
		if (memcmp(f->vector_in + i * 64, f->vector_out + i * 64, bytes[f->level]) != 0)
			anomaly("%s: vector register %u has changed", what, i);
	if (f->level == 2 && memcmp(f->mask_in, f->mask_out, sizeof(f->mask_in)) != 0)
		anomaly("%s: a mask register has changed", what);
	if (f->mxcsr_in != f->mxcsr_out)
		anomaly("%s: mxcsr is %x instead of %x", what, f->mxcsr_out, f->mxcsr_in);
	if (wide && (f->red_out[0] != f->in[R9] || f->red_out[1] != f->in[R10]))
		anomaly("%s: the red zone has changed", what);
	for (unsigned int i = 0; i < 2; i++)
		if (memcmp(f->x87_out + 16 * i, x87[i], 10) != 0)
			anomaly("%s: x87 register %u has changed", what, i);
}

static void spin(struct registers *s)
{
	const uint32_t turns = 2000000;
	struct frame *f = &s->frame;

	fill(s);
	f->in[RCX] = turns;
	f->in[RDX] &= 0xffffffff >> 1;
	registers_spin(f);
	f->in[RCX] = 0;
	f->in[RDX] += turns;
	compare(f, "loop", 0);
}

/* One system call: how its arguments are placed, and what it returns. */
struct call {
	const char *name;
	long number, number32;
	unsigned int n;
	uint64_t args[6];
	long wanted;
};

/* Which registers take arguments, in order, and which the call may change. */
struct convention {
	void (*run)(struct frame *);
	uint8_t args[6];
	unsigned int free;
	bool compat;
};

#ifdef __x86_64__
/* rcx and r11: where and with which flags to return; as they were where the hardware does not do so. */
static const struct convention native = { registers_call,
					  { RDI, RSI, RDX, R10, R8, R9 },
					  1U << RAX | 1U << RCX | 1U << R11,
					  false };
#else
static const struct convention native = { registers_call,
					  { RBX, RCX, RDX, RSI, RDI, RBP },
					  1U << RAX,
					  true };
#endif
static const struct convention int80 = {
	registers_int80, { RBX, RCX, RDX, RSI, RDI, RBP }, 1U << RAX, true
};

static void call(struct registers *s, const struct convention *by, const struct call *c)
{
	struct frame *f = &s->frame;
	bool is_read = c->number32 == 3, is_epoll = c->number32 == 256;
	long r;

	fill(s);
	f->in[RAX] = (uint64_t)(by->compat ? c->number32 : c->number);
	for (unsigned int i = 0; i < c->n; i++)
		f->in[by->args[i]] = c->args[i];
	by->run(f);
	compare(f, c->name, by->free);
	r = (long)f->out[RAX];
	if (by->compat)
		r = (int32_t)r;
	if (is_epoll && r == -EINTR)
		eintr();
	else if (r != c->wanted)
		anomaly("%s returned %ld instead of %ld", c->name, r, c->wanted);
	if (is_read)
		feed_take(&s->feed, c->name, r, &s->byte);
}

#define AT(p) ((uint64_t)(uintptr_t)(p))

static void calls(struct registers *s, const struct convention *by)
{
	int64_t deadline = now_ns() + 3 * MS;
	/* Their numbers in the table of x86-64 and in that of i386. */
	const struct call table[] = {
		{ "nanosleep", 35, 162, 2, { AT(by->compat ? (void *)s->duration32 : &s->duration), 0 }, 0 },
		{ "read", 0, 3, 3, { (uint64_t)s->feed.fd, AT(&s->byte), 1 }, 1 },
		{ "poll", 7, 168, 3, { AT(&s->event), 0, 3 }, 0 },
		{ "futex",
		  202,
		  240,
		  6,
		  { AT(&s->word), FUTEX_WAIT_BITSET_PRIVATE, 0,
		    AT(by->compat ? (void *)s->duration32 : &s->deadline), 0, 1 },
		  -ETIMEDOUT },
		{ "epoll_wait", 232, 256, 4, { (uint64_t)s->epoll, AT(&s->event), 1, 3 }, 0 },
		{ "getppid", 110, 64, 0, { 0 }, getppid() },
	};
	const struct call *c = &table[s->turn++ % (sizeof(table) / sizeof(*table))];

	s->duration = (struct kernel_time){ .ns = 3 * MS };
	s->deadline = (struct kernel_time){ .s = (long)(deadline / (1000 * MS)),
					    .ns = (long)(deadline % (1000 * MS)) };
	s->duration32[0] = c->number32 == 240 ? (int32_t)s->deadline.s : 0;
	s->duration32[1] = (int32_t)(c->number32 == 240 ? s->deadline.ns : 3 * MS);
	call(s, by, c);
}

static void registers_round(void *state)
{
	struct registers *s = *(struct registers **)state;

	spin(s);
	calls(s, &native);
}

static void int80_round(void *state)
{
	calls(*(struct registers **)state, &int80);
}

static void spin_registers_round(void *state)
{
	spin(*(struct registers **)state);
}

const struct kind kinds_registers[] = {
	{ "registers", sizeof(void *), registers_begin, registers_round, NULL },
	{ "registers-spin", sizeof(void *), registers_begin, spin_registers_round, NULL },
	{ "int80", sizeof(void *), registers_begin, int80_round, NULL },
	{ 0 },
};
