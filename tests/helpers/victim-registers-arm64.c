/* SPDX-License-Identifier: MIT */
/*
 * Victims that keep a pattern in every register of arm64: general, flags, vector; in a loop without
 * system calls, and across system calls. In the vectors of SVE, which no system call preserves, only
 * in the loop.
 */
#include "victim.h"

#ifdef __aarch64__

#include <linux/futex.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	GENERAL = 31,
	FLAGS = GENERAL,
	VECTORS = 32,
	LONGEST = 256, /* vector of SVE, in bytes */
};

/* Loaded into the registers, and what is found in them afterwards. The offsets stand in the code. */
struct frame {
	uint64_t in[32], out[32];
	uint8_t vector_in[VECTORS][16], vector_out[VECTORS][16];
	uint64_t fpsr_in, fpsr_out;
};

struct sve {
	uint8_t vector[VECTORS][LONGEST], predicate[17][LONGEST / 8];
};

_Static_assert(offsetof(struct frame, vector_in) == 512, "asm");
_Static_assert(offsetof(struct frame, vector_out) == 1024, "asm");
_Static_assert(offsetof(struct frame, fpsr_in) == 1536, "asm");

/* A loop that adds x2 to x3 one by one. */
void registers_spin(struct frame *f);
void registers_call(struct frame *f);
/* A loop of @n turns. */
void registers_sve(const struct sve *in, struct sve *out, uint64_t n);

/* clang-format off */

__asm__(
	".arch_extension fp\n"
	".macro run name, middle\n"
	"	.globl	\\name\n"
	"	.type	\\name, @function\n"
	"\\name:\n"
	"	stp	x29, x30, [sp, -192]!\n"
	"	stp	x19, x20, [sp, 16]\n"
	"	stp	x21, x22, [sp, 32]\n"
	"	stp	x23, x24, [sp, 48]\n"
	"	stp	x25, x26, [sp, 64]\n"
	"	stp	x27, x28, [sp, 80]\n"
	"	stp	d8, d9, [sp, 96]\n"
	"	stp	d10, d11, [sp, 112]\n"
	"	stp	d12, d13, [sp, 128]\n"
	"	stp	d14, d15, [sp, 144]\n"
	"	stp	x18, x0, [sp, 160]\n"
	"	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	ldr	q\\n, [x0, 512+16*\\n]\n"
	"	.endr\n"
	"	ldr	x1, [x0, 1536]\n"
	"	msr	fpsr, x1\n"
	"	ldr	x1, [x0, 31*8]\n"
	"	msr	nzcv, x1\n"
	"	.irp	n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,0\n"
	"	ldr	x\\n, [x0, 8*\\n]\n"
	"	.endr\n"
	"	\\middle\n"
	"	stp	x0, x30, [sp, 176]\n"
	"	ldr	x0, [sp, 168]\n"
	"	.irp	n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30\n"
	"	str	x\\n, [x0, 256+8*\\n]\n"
	"	.endr\n"
	"	ldr	x1, [sp, 176]\n"
	"	str	x1, [x0, 256]\n"
	"	mrs	x1, nzcv\n"
	"	str	x1, [x0, 256+31*8]\n"
	"	mrs	x1, fpsr\n"
	"	str	x1, [x0, 1544]\n"
	"	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	str	q\\n, [x0, 1024+16*\\n]\n"
	"	.endr\n"
	"	ldp	x19, x20, [sp, 16]\n"
	"	ldp	x21, x22, [sp, 32]\n"
	"	ldp	x23, x24, [sp, 48]\n"
	"	ldp	x25, x26, [sp, 64]\n"
	"	ldp	x27, x28, [sp, 80]\n"
	"	ldp	d8, d9, [sp, 96]\n"
	"	ldp	d10, d11, [sp, 112]\n"
	"	ldp	d12, d13, [sp, 128]\n"
	"	ldp	d14, d15, [sp, 144]\n"
	"	ldr	x18, [sp, 160]\n"
	"	ldp	x29, x30, [sp], 192\n"
	"	ret\n"
	"	.size	\\name, . - \\name\n"
	".endm\n"
	".macro spin\n"
	"1:	add	x3, x3, 1\n"
	"	sub	x2, x2, 1\n"
	"	cbnz	x2, 1b\n"
	".endm\n"
	".macro native\n"
	"	svc	0\n"
	".endm\n"
	".text\n"
	"	run	registers_spin, spin\n"
	"	run	registers_call, native\n"
	".arch_extension sve\n"
	"	.globl	registers_sve\n"
	"	.type	registers_sve, @function\n"
	"registers_sve:\n"
	"	stp	d8, d9, [sp, -64]!\n"
	"	stp	d10, d11, [sp, 16]\n"
	"	stp	d12, d13, [sp, 32]\n"
	"	stp	d14, d15, [sp, 48]\n"
	"	add	x3, x0, 8192\n"
	"	add	x4, x3, 16*32\n"
	"	ldr	p0, [x4]\n"
	"	wrffr	p0.b\n"
	"	mov	x4, x0\n"
	"	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	ldr	z\\n, [x4]\n"
	"	add	x4, x4, 256\n"
	"	.endr\n"
	"	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	add	x4, x3, 32*\\n\n"
	"	ldr	p\\n, [x4]\n"
	"	.endr\n"
	"1:	sub	x2, x2, 1\n"
	"	cbnz	x2, 1b\n"
	"	add	x3, x1, 8192\n"
	"	mov	x4, x1\n"
	"	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	str	z\\n, [x4]\n"
	"	add	x4, x4, 256\n"
	"	.endr\n"
	"	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	add	x4, x3, 32*\\n\n"
	"	str	p\\n, [x4]\n"
	"	.endr\n"
	"	rdffr	p0.b\n"
	"	add	x4, x3, 16*32\n"
	"	str	p0, [x4]\n"
	"	ldp	d10, d11, [sp, 16]\n"
	"	ldp	d12, d13, [sp, 32]\n"
	"	ldp	d14, d15, [sp, 48]\n"
	"	ldp	d8, d9, [sp], 64\n"
	"	ret\n"
	"	.size	registers_sve, . - registers_sve\n"
	".arch_extension nosve\n");

/* clang-format on */

struct registers {
	struct frame frame;
	struct sve sve_in, sve_out;
	struct kernel_time duration, deadline;
	struct epoll_event event;
	uint32_t word;
	uint8_t byte;
	struct feed feed;
	int epoll;
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
	struct registers *s = state;

	s->seed = 88172645463325252ULL;
	s->epoll = (int)must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	feed_begin(&s->feed, 0);
}

static void fill(struct registers *s)
{
	struct frame *f = &s->frame;

	for (unsigned int i = 0; i < GENERAL; i++)
		f->in[i] = pattern(s);
	f->in[FLAGS] = pattern(s) & 0xf0000000U; /* NZCV */
	f->fpsr_in = pattern(s) & 0x9fU;	 /* what has happened */
	for (unsigned int i = 0; i < VECTORS; i++)
		for (unsigned int j = 0; j < 16; j += 8)
			memcpy(f->vector_in[i] + j, &(uint64_t){ pattern(s) }, 8);
}

static void compare(const struct frame *f, const char *what)
{
	for (unsigned int i = 1; i < GENERAL; i++)
		if (f->in[i] != f->out[i])
			anomaly("%s: x%u is %llx instead of %llx", what, i,
				(unsigned long long)f->out[i], (unsigned long long)f->in[i]);
	if (f->in[FLAGS] != f->out[FLAGS] || f->fpsr_in != f->fpsr_out)
		anomaly("%s: flags are %llx and %llx instead of %llx and %llx", what,
			(unsigned long long)f->out[FLAGS], (unsigned long long)f->fpsr_out,
			(unsigned long long)f->in[FLAGS], (unsigned long long)f->fpsr_in);
	for (unsigned int i = 0; i < VECTORS; i++)
		if (memcmp(f->vector_in[i], f->vector_out[i], 16) != 0)
			anomaly("%s: vector register %u has changed", what, i);
}

static void spin_round(void *state)
{
	struct registers *s = state;
	const uint64_t turns = 2000000;
	struct frame *f = &s->frame;

	fill(s);
	f->in[2] = turns;
	registers_spin(f);
	f->in[2] = 0;
	f->in[3] += turns;
	compare(f, "loop");
	if (f->in[0] != f->out[0])
		anomaly("loop: x0 has changed");
}

#define AT(p) ((uint64_t)(uintptr_t)(p))

static void registers_round(void *state)
{
	struct registers *s = state;
	int64_t deadline = now_ns() + 3 * MS;
	const struct {
		const char *name;
		long number;
		unsigned int n;
		uint64_t args[6];
		long wanted;
	} table[] = {
		{ "nanosleep", SYS_nanosleep, 2, { AT(&s->duration), 0 }, 0 },
		{ "read", SYS_read, 3, { (uint64_t)s->feed.fd, AT(&s->byte), 1 }, 1 },
		{ "ppoll", SYS_ppoll, 5, { 0, 0, AT(&s->duration), 0, 0 }, 0 },
		{ "futex",
		  SYS_futex,
		  6,
		  { AT(&s->word), FUTEX_WAIT_BITSET_PRIVATE, 0, AT(&s->deadline), 0, 1 },
		  -ETIMEDOUT },
		{ "epoll_pwait", SYS_epoll_pwait, 5, { (uint64_t)s->epoll, AT(&s->event), 1, 3, 0 }, 0 },
		{ "getppid", SYS_getppid, 0, { 0 }, getppid() },
	}, *c = &table[s->turn++ % (sizeof(table) / sizeof(*table))];
	struct frame *f = &s->frame;
	long r;

	spin_round(s);
	fill(s);
	s->duration = (struct kernel_time){ .ns = 3 * MS };
	s->deadline = (struct kernel_time){ .s = (long)(deadline / (1000 * MS)),
					    .ns = (long)(deadline % (1000 * MS)) };
	f->in[8] = (uint64_t)c->number;
	memcpy(f->in, c->args, c->n * sizeof(c->args[0]));
	registers_call(f);
	/* The number of a call that goes on with its remaining time is another one. */
	if (f->out[8] == SYS_restart_syscall)
		f->out[8] = f->in[8];
	compare(f, c->name);
	r = (long)f->out[0];
	if (c->number == SYS_epoll_pwait && r == -EINTR)
		eintr();
	else if (r != c->wanted)
		anomaly("%s returned %ld instead of %ld", c->name, r, c->wanted);
	if (c->number == SYS_read)
		feed_take(&s->feed, c->name, r, &s->byte);
}

/* --- the same in the vectors of SVE, with naps in which it may be worked on */

static void sve_begin(void *state)
{
	if (!(getauxval(AT_HWCAP) & 1UL << 22 /* HWCAP_SVE */))
		skip_kind("no SVE");
	registers_begin(state);
}

static void sve_round(void *state)
{
	struct registers *s = state;
	unsigned char *p = (unsigned char *)&s->sve_in;

	for (size_t i = 0; i < sizeof(s->sve_in); i += 8)
		memcpy(p + i, &(uint64_t){ pattern(s) }, 8);
	/* The register of first faults holds ones up to some element, then zeros. */
	memset(s->sve_in.predicate[16], 0xff, sizeof(s->sve_in.predicate[16]));
	s->sve_out = s->sve_in;
	registers_sve(&s->sve_in, &s->sve_out, 3000000);
	if (memcmp(&s->sve_in, &s->sve_out, sizeof(s->sve_in)) != 0)
		anomaly("a register of SVE has changed");
	dawdle(4000);
}

const struct kind kinds_registers[] = {
	{ "registers", sizeof(struct registers), registers_begin, registers_round, NULL },
	{ "registers-spin", sizeof(struct registers), registers_begin, spin_round, NULL },
	{ "sve", sizeof(struct registers), sve_begin, sve_round, NULL },
	{ 0 },
};

#endif
