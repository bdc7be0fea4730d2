/* SPDX-License-Identifier: MIT */
/*
 * A program that lives from huge pages: each step reads where the next one goes, anywhere in its
 * memory, so each waits for a look-up of the address and for the memory itself.
 *
 * Usage: chase MIB SECONDS   (MIB a power of two)
 *
 * Prints `cpu_ns` and `wall_ns`, the medians of what a step took in runs of 100,000, in time on the
 * CPU and by the clock; `fast_ns`, the tenth part of the former below which it was fastest; the
 * number of `steps`, and in `huge_kb` how much of the memory was in huge pages. On a machine with
 * other work the time on the CPU is the one to compare; on one whose memory others use as well
 * (of a virtual machine nobody knows), `fast_ns`.
 */
#include <sys/mman.h>
#include <time.h>

#include "base/util.h"

#define LINE 64U /* bytes from one step's place to the next one's neighbour */
#define RUN 100000U

struct place {
	struct place *next;
	char rest[LINE - sizeof(void *)];
};

static double seconds(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double quantile(double *of, size_t n, double part)
{
	qsort(of, n, sizeof(*of), compare);
	return of[(size_t)((double)n * part)];
}

/*
 * One circle through all places: a linear congruential generator with a power of two for modulus,
 * whose period is the whole of it when the factor is 1 modulo 4 and the addend odd (Knuth,
 * 3.2.1.2).
 */
static void lay_out(struct place *at, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		at[i].next = &at[(i * 0xd1342543de82ef95U + 0x14057b7ef767814fU) & (n - 1)];
}

static long long huge_kb(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	long long kb = -1;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "AnonHugePages: %lld kB", &kb);
	if (f)
		(void)fclose(f);
	return kb;
}

int main(int argc, char **argv)
{
	uint64_t bytes = argc == 3 ? strtoull(argv[1], NULL, 10) << 20 : 0;
	double limit = argc == 3 ? strtod(argv[2], NULL) : 0, begin, *cpu, *wall;
	size_t room = 1000000, n = 0;
	struct place *at;

	if (bytes == 0 || (bytes & (bytes - 1)) != 0 || limit <= 0) {
		(void)fprintf(stderr, "usage: chase MIB SECONDS (MIB a power of two)\n");
		return 2;
	}
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cpu = malloc(room * sizeof(*cpu));
	wall = malloc(room * sizeof(*wall));
	if (at == MAP_FAILED || !cpu || !wall) {
		(void)fprintf(stderr, "chase: no memory\n");
		return 1;
	}
	lay_out(at, bytes / sizeof(*at));
	begin = seconds(CLOCK_MONOTONIC);
	while (n < room && seconds(CLOCK_MONOTONIC) - begin < limit) {
		double c = seconds(CLOCK_THREAD_CPUTIME_ID), w = seconds(CLOCK_MONOTONIC);

		for (size_t i = 0; i < RUN; i++)
			at = at->next;
		__asm__ volatile("" : "+r"(at)); /* somebody wants to know where it ends */
		cpu[n] = (seconds(CLOCK_THREAD_CPUTIME_ID) - c) / RUN * 1e9;
		wall[n++] = (seconds(CLOCK_MONOTONIC) - w) / RUN * 1e9;
	}
	(void)printf("cpu_ns=%.2f fast_ns=%.2f wall_ns=%.2f steps=%llu huge_kb=%lld\n",
		     quantile(cpu, n, 0.5), quantile(cpu, n, 0.1), quantile(wall, n, 0.5),
		     (unsigned long long)n * RUN, huge_kb());
	free(cpu);
	free(wall);
	return 0;
}
