/* SPDX-License-Identifier: MIT */
/*
 * Somebody who writes something else into settings, in turn, so many times a second.
 *
 * Usage: foreign RATE SECONDS FILE=VALUE...   (RATE 0: as fast as it can)
 *
 * After each write the file is read until VALUE is in it again, or the next write is due, or a
 * hundredth of a second has gone; with RATE 0 nobody looks. Prints how many `writes` there were, how
 * many were `seen` undone in that time, and `median_us` and `most_us`, how long those stood.
 */
#include <fcntl.h>

#include "base/clock.h"
#include "base/util.h"

#define FILES_MAX 64
#define TIMES_MAX 65536
#define PATIENCE_NS 10000000U

struct file {
	int fd;
	const char *right;
	char wrong[24];
};

static struct file files[FILES_MAX];
static double times[TIMES_MAX];
static size_t times_n;

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool is_right(const struct file *f)
{
	char text[64];
	ssize_t n = pread(f->fd, text, sizeof(text), 0);

	return n == (ssize_t)strlen(f->right) + 1 && memcmp(text, f->right, (size_t)n - 1) == 0;
}

/* Numbers alone: of these, any other is as good, and one less is as harmless. */
static int take(struct file *f, char *word)
{
	char *at = strrchr(word, '=');
	long n = at ? strtol(at + 1, NULL, 10) : -1;

	if (n < 0)
		return -1;
	*at = '\0';
	f->right = at + 1;
	(void)snprintf(f->wrong, sizeof(f->wrong), "%ld", n > 0 ? n - 1 : 1);
	f->fd = open(word, O_RDWR | O_CLOEXEC);
	return f->fd;
}

/* Until it is undone, or @limit. */
static void watch(const struct file *f, uint64_t wrote, uint64_t limit)
{
	uint64_t now;

	do {
		bool right = is_right(f);

		now = monotonic_ns();
		if (!right)
			continue;
		if (times_n < TIMES_MAX)
			times[times_n++] = (double)(now - wrote) / 1e3;
		return;
	} while (now < limit);
}

static void sleep_until(uint64_t ns)
{
	const struct timespec t = { .tv_sec = (time_t)(ns / 1000000000U),
				    .tv_nsec = (long)(ns % 1000000000U) };

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int main(int argc, char **argv)
{
	unsigned long rate = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
	double seconds = argc > 3 ? strtod(argv[2], NULL) : 0;
	size_t n = argc > 3 ? (size_t)argc - 3 : 0;
	uint64_t began, end, next, writes = 0, step = rate > 0 ? 1000000000U / rate : 0;

	if (n == 0 || n > FILES_MAX || seconds <= 0) {
		fputs("usage: foreign RATE SECONDS FILE=VALUE...\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < n; i++)
		if (take(&files[i], argv[3 + i]) < 0) {
			fprintf(stderr, "foreign: %s: no number that can be written\n",
				argv[3 + i]);
			return 1;
		}
	began = next = monotonic_ns();
	end = began + (uint64_t)(seconds * 1e9);
	for (; next < end; writes++) {
		const struct file *f = &files[writes % n];
		uint64_t wrote = monotonic_ns();

		if (pwrite(f->fd, f->wrong, strlen(f->wrong), 0) < 0)
			return perror("foreign: write"), 1;
		next = step > 0 ? next + step : wrote;
		if (step == 0)
			continue;
		watch(f, wrote, next < wrote + PATIENCE_NS ? next : wrote + PATIENCE_NS);
		sleep_until(next);
	}
	qsort(times, times_n, sizeof(*times), compare);
	printf("writes=%llu seen=%zu", (unsigned long long)writes, times_n);
	if (times_n > 0)
		printf(" median_us=%.1f most_us=%.1f", times[times_n / 2], times[times_n - 1]);
	printf(" seconds=%.3f\n", (double)(monotonic_ns() - began) / 1e9);
	return 0;
}
