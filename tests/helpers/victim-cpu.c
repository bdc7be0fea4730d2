/* SPDX-License-Identifier: MIT */
/* Victims that make no system call: a checksum, the clock in the vdso, restartable sequences. */
#include "victim.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__) && __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define HAVE_RSEQ 1
#endif

struct spin {
	uint64_t wanted;
	int64_t last;
};

static __attribute__((noinline)) uint64_t checksum(unsigned int n)
{
	uint64_t x = 88172645463325252ULL, sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		sum += x * i;
	}
	return sum;
}

static void spin_begin(void *state)
{
	((struct spin *)state)->wanted = checksum(2000000);
}

static void spin_round(void *state)
{
	struct spin *s = state;

	if (checksum(2000000) != s->wanted)
		anomaly("the checksum differs");
}

/* The clock is read in the vdso, whose page the injector writes to. */
static void vdso_round(void *state)
{
	struct spin *s = state;

	for (unsigned int i = 0; i < 20000; i++) {
		int64_t now = now_ns();
		unsigned int cpu = 0, node = 0;

		if (now < s->last || now - s->last > 3600 * 1000 * MS)
			anomaly("the clock went from %lld to %lld", (long long)s->last,
				(long long)now);
		s->last = now;
		if (getcpu(&cpu, &node) < 0 || cpu > 4096)
			anomaly("getcpu says %u", cpu);
	}
}

static void vdso_begin(void *state)
{
	((struct spin *)state)->last = now_ns();
}

#ifdef HAVE_RSEQ

/*
 * Counters, one for each processor, that several threads add to without atomic instructions or
 * locks: right only as long as the kernel aborts each sequence that another thread may have come
 * between.
 */
enum { RSEQ_THREADS = 4, RSEQ_CPUS = 1024 };

static struct {
	volatile uint64_t count;
	char pad[56];
} counters[RSEQ_CPUS];

static atomic_ullong additions;
static atomic_uint running;

/* false: the sequence was aborted. It is made long, so that it is often met half way. */
static bool add_one(struct rseq *rs, uint32_t cpu)
{
	__asm__ goto volatile(
		".pushsection .data.rel.local, \"aw\"\n"
		".balign 32\n"
		"1:	.long 0, 0\n"
		"	.quad 2f, 3f - 2f, 4f\n"
		".popsection\n"
		"	lea 1b(%%rip), %%rax\n"
		"	mov %%rax, %[cs]\n"
		"2:	cmp %[cpu], %[current]\n"
		"	jne %l[aborted]\n"
		"	mov %[count], %%rcx\n"
		"	mov $4000, %%edx\n"
		"5:	dec %%edx\n"
		"	jnz 5b\n"
		"	inc %%rcx\n"
		"	mov %%rcx, %[count]\n"
		"3:\n"
		".pushsection .text.unlikely, \"ax\"\n"
		"	.byte 0x0f, 0xb9, 0x3d\n" /* ud1, so that nobody comes here by chance */
		"	.long %c[signature]\n"
		"4:	jmp %l[aborted]\n"
		".popsection\n"
		:
		: [cs] "m"(rs->rseq_cs), [current] "m"(rs->cpu_id), [cpu] "r"(cpu),
		  [count] "m"(counters[cpu].count), [signature] "i"(RSEQ_SIG)
		: "memory", "cc", "rax", "rcx", "rdx"
		: aborted);
	return true;
aborted:
	return false;
}

static void rseq_round(void *state)
{
	struct rseq *rs = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	unsigned int done = 0;

	(void)state;
	for (unsigned int i = 0; i < 400; i++) {
		uint32_t cpu = *(volatile uint32_t *)&rs->cpu_id_start;

		done += cpu < RSEQ_CPUS && add_one(rs, cpu);
	}
	atomic_fetch_add(&additions, done);
	dawdle(1000);
}

static const struct kind rseq_loop = { "rseq-loop", 0, NULL, rseq_round, NULL };

static void *rseq_thread(void *arg)
{
	kind_loop(&rseq_loop, NULL, (unsigned int)(uintptr_t)arg);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void rseq_begin(void *state)
{
	(void)state;
	if (!__rseq_size)
		skip_kind("no restartable sequences");
	for (unsigned int i = 1; i < RSEQ_THREADS; i++) {
		atomic_fetch_add(&running, 1);
		thread(rseq_thread, (void *)(uintptr_t)i);
	}
	atomic_store(&shared->slots, RSEQ_THREADS);
}

static void rseq_end(void *state)
{
	unsigned long long sum = 0, wanted;

	(void)state;
	while (atomic_load(&running))
		nap(MS);
	for (unsigned int i = 0; i < RSEQ_CPUS; i++)
		sum += counters[i].count;
	wanted = atomic_load(&additions);
	if (sum != wanted)
		anomaly("rseq: counted %llu instead of %llu", sum, wanted);
	_exit(0);
}

#else

static void rseq_begin(void *state)
{
	(void)state;
	skip_kind("needs x86-64, and a libc with restartable sequences");
}

static void rseq_round(void *state)
{
	(void)state;
}

static void rseq_end(void *state)
{
	(void)state;
}

#endif

const struct kind kinds_cpu[] = {
	{ "spin", sizeof(struct spin), spin_begin, spin_round, NULL },
	{ "vdso", sizeof(struct spin), vdso_begin, vdso_round, NULL },
	{ "rseq", 0, rseq_begin, rseq_round, rseq_end },
	{ 0 },
};
