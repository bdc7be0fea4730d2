/* SPDX-License-Identifier: MIT */
/*
 * Somebody who writes something else into settings, in turn, so many times a second.
 *
 * Usage: foreign [-p PATIENCE] RATE SECONDS FILE=VALUE...   (RATE 0: as fast as it can)
 *
 * A file is wrong from the write that made it so until VALUE is seen in it again; further writes while it is
 * wrong make it no more so. It is looked at for ten milliseconds after each write without a pause, then every
 * millisecond, and before each write. At the end this goes on until all files are right: one that is not
 * after PATIENCE (90 s) is an error. Prints how many `writes` there were, how many times a file was `seen` right
 * again, of these `median_us` and `most_us` that it had been wrong; in `wrong` which part of the time the files
 * were, and in `right_after_s` how long after the last write all were right.
 */
#include <fcntl.h>

#include "base/clock.h"
#include "base/util.h"

#define FILES_MAX 64
#define TIMES_MAX 1048576
#define SPIN_NS 10000000U
#define LOOK_NS 1000000U

struct file {
	int fd;
	const char *right;
	char wrong[24];
	uint64_t since; /* it has been wrong; 0: it is right */
};

static struct file files[FILES_MAX];
static double times[TIMES_MAX];
static size_t times_n;
static uint64_t seen, wrong_ns;

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

/* Whether it is right, by now. */
static bool look(struct file *f)
{
	uint64_t ns;

	if (f->since == 0)
		return true;
	if (!is_right(f))
		return false;
	ns = monotonic_ns() - f->since;
	f->since = 0;
	wrong_ns += ns;
	if (times_n < TIMES_MAX)
		times[times_n++] = (double)ns / 1e3;
	seen++;
	return true;
}

/* Looks at all until @limit, or until they are right if @stop; at @last without a pause for a while. */
static bool watch(size_t n, struct file *last, uint64_t limit, bool stop)
{
	uint64_t now = monotonic_ns(), spin = now + SPIN_NS;
	bool right = false;

	for (; now < limit && now < spin && !look(last); now = monotonic_ns())
		;
	for (; !(stop && right) && now < limit; now = monotonic_ns()) {
		uint64_t ns = limit - now < LOOK_NS ? limit - now : LOOK_NS;
		const struct timespec t = { .tv_nsec = (long)ns };

		right = true;
		for (size_t i = 0; i < n; i++)
			right = look(&files[i]) && right;
		if (!(stop && right))
			(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	}
	return right;
}

static int report(uint64_t writes, double seconds, double after, size_t n)
{
	qsort(times, times_n, sizeof(*times), compare);
	printf("writes=%llu seen=%llu", (unsigned long long)writes, (unsigned long long)seen);
	if (times_n > 0)
		printf(" median_us=%.1f most_us=%.1f", times[times_n / 2], times[times_n - 1]);
	printf(" wrong=%.6f right_after_s=%.3f seconds=%.3f\n",
	       (double)wrong_ns / 1e9 / (seconds + after) / (double)n, after, seconds);
	return 0;
}

int main(int argc, char **argv)
{
	double seconds, patience = 90;
	uint64_t began, end, last, next, writes = 0, step;
	unsigned long rate;
	size_t n;
	int o;

	while ((o = getopt(argc, argv, "p:")) != -1)
		patience = o == 'p' ? strtod(optarg, NULL) : 0;
	argc -= optind - 1;
	argv += optind - 1;
	n = argc > 3 ? (size_t)argc - 3 : 0;
	rate = n > 0 ? strtoul(argv[1], NULL, 10) : 0;
	seconds = n > 0 ? strtod(argv[2], NULL) : 0;
	step = rate > 0 ? 1000000000U / rate : 0;
	if (n == 0 || n > FILES_MAX || seconds <= 0 || patience <= 0) {
		fputs("usage: foreign [-p PATIENCE] RATE SECONDS FILE=VALUE...\n", stderr);
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
		struct file *f = &files[writes % n];
		uint64_t wrote;

		(void)look(f);
		wrote = monotonic_ns();
		if (pwrite(f->fd, f->wrong, strlen(f->wrong), 0) < 0)
			return perror("foreign: write"), 1;
		if (f->since == 0)
			f->since = wrote;
		next = step > 0 ? next + step : wrote;
		if (step > 0)
			(void)watch(n, f, next, false);
	}
	last = monotonic_ns();
	if (!watch(n, &files[(writes - 1) % n], last + (uint64_t)(patience * 1e9), true)) {
		fputs("foreign: not all are right again\n", stderr);
		return 1;
	}
	return report(writes, (double)(last - began) / 1e9, (double)(monotonic_ns() - last) / 1e9,
		      n);
}
