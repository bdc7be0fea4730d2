/* SPDX-License-Identifier: MIT */
/*
 * Victims that keep a pattern in every register: general, flags, vector, mask, x87, and in the red
 * zone; in a loop without system calls, and across system calls.
 */
#include "victim.h"

#ifndef __aarch64__ /* victim-registers-arm64.c */

#include "victim-registers.h"

#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
				     "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "flags" };

#define FLAGS_CHECKED 0xcd5U /* CF PF AF ZF SF DF OF */
#define FLAGS_IF 0x202U
#define MXCSR_DEFAULT 0x1f80U
#define MXCSR_PATTERN 0x1fbfU /* sticky flags set */

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
			 __builtin_cpu_supports("avx")	    ? 1 :
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
					    { 0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0,
					      0x40 } };
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
/*
 * rcx and r11: where and with which flags to return; as they were where the hardware does not do
 * so.
 */
static const struct convention native = {
	registers_call, { RDI, RSI, RDX, R10, R8, R9 }, 1U << RAX | 1U << RCX | 1U << R11, false
};
#else
static const struct convention native = {
	registers_call, { RBX, RCX, RDX, RSI, RDI, RBP }, 1U << RAX, true
};
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
		{ "nanosleep",
		  35,
		  162,
		  2,
		  { AT(by->compat ? (void *)s->duration32 : &s->duration), 0 },
		  0 },
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

#endif
