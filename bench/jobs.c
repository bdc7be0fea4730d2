/* SPDX-License-Identifier: MIT */
/*
 * A queue of ephemeral jobs in Redis, and who looks at the clock: the load of the tale.
 *
 * Usage: jobs SOCKET burst|drain|steady [--seed N] [--first N] [--count N] [--min BYTES]
 *		[--max BYTES] [--keep N] [--rate N] [--seconds N]
 *
 *	burst	for each job: its payload to the end of the queue, and a short record of its own
 *	drain	for each job: its payload from the head of the queue; the record goes, too, but
 *		for one job in N (--keep)
 *	steady	reads and writes records of one job in N (--keep), --rate a second, for --seconds or
 *		until SIGTERM
 *
 * A job's size and payload follow from the seed and its number; every answer is compared with what
 * it has to be. One client, one job at a time. Prints one line of NAME=VALUE. Times are from before
 * the request is sent until its answer has been read; `late_max_us` is by how much we woke up too
 * late ourselves, at worst, which tells how busy the machine was. Exit status: 0, 1 after a wrong
 * answer or none, 2 for other trouble.
 */
#include <getopt.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/util.h"
#include "bench/resp.h"

#define BLOCK (4U << 20) /* payloads are cut out of so many bytes */

static struct {
	uint64_t seed, first, count, min, max, keep, rate, seconds;
} opt = { .seed = 1, .count = 64000, .min = 1024, .max = 40960, .keep = 32, .rate = 1000 };

struct load {
	struct resp server;
	unsigned char *block;
	uint64_t *took; /* ns */
	size_t n, room;
	uint64_t bytes, errors, begin, end, late;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* A number that looks random, the same for the same place: splitmix64's last step. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
	return x ^ (x >> 31);
}

static struct resp_word text(const char *s)
{
	return (struct resp_word){ .data = s, .len = strlen(s) };
}

static struct resp_word payload(const struct load *l, uint64_t job)
{
	uint64_t x = mix(opt.seed * 0x9e3779b97f4a7c15U + job);

	return (struct resp_word){ .data = l->block + mix(x) % (BLOCK - opt.max),
				   .len = opt.min + x % (opt.max - opt.min + 1) };
}

struct record {
	char key[32], value[64];
};

static struct record record(uint64_t job)
{
	struct record r;

	(void)snprintf(r.key, sizeof(r.key), "job:%llu", (unsigned long long)job);
	(void)snprintf(r.value, sizeof(r.value), "job %llu of queue %llu, accepted",
		       (unsigned long long)job, (unsigned long long)opt.seed);
	return r;
}

static void note(struct load *l, uint64_t begin)
{
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 65536;
		uint64_t *grown = realloc(l->took, room * sizeof(*grown));

		if (!grown)
			abort();
		l->took = grown;
		l->room = room;
	}
	l->took[l->n++] = monotonic_ns() - begin;
}

static int add(struct load *l, const struct resp_word *words, size_t n)
{
	return resp_add(&l->server, words, n);
}

/* Takes an answer: what it has to be is a word, or with NULL a number. */
static int expect(struct load *l, const struct resp_word *wanted, int64_t number)
{
	struct resp_answer a;
	int r = resp_answer(&l->server, &a);
	bool good;

	if (r < 0)
		return r;
	if (wanted)
		good = (a.kind == '+' || a.kind == '$') && a.number >= 0 && a.len == wanted->len &&
		       memcmp(a.data, wanted->data, a.len) == 0;
	else
		good = a.kind == ':' && a.number == number;
	if (!good && l->errors++ < 10)
		(void)fprintf(stderr, "jobs: unexpected answer: %c%.*s\n", a.kind,
			      a.len > 80 ? 80 : (int)a.len, a.data);
	return 0;
}

static int push(struct load *l, uint64_t job)
{
	const struct resp_word value = payload(l, job), ok = text("OK");
	const struct record rec = record(job);
	const struct resp_word queue[] = { text("RPUSH"), text("queue"), value };
	const struct resp_word set[] = { text("SET"), text(rec.key), text(rec.value) };
	int r = add(l, queue, ARRAY_SIZE(queue));

	if (r == 0)
		r = add(l, set, ARRAY_SIZE(set));
	if (r == 0)
		r = resp_flush(&l->server);
	if (r == 0)
		r = expect(l, NULL, (int64_t)(job - opt.first + 1));
	if (r == 0)
		r = expect(l, &ok, 0);
	l->bytes += value.len;
	return r;
}

static int pop(struct load *l, uint64_t job)
{
	const struct resp_word value = payload(l, job);
	const struct record rec = record(job);
	const struct resp_word queue[] = { text("LPOP"), text("queue") };
	const struct resp_word del[] = { text("DEL"), text(rec.key) };
	bool kept = job % opt.keep == 0;
	int r = add(l, queue, ARRAY_SIZE(queue));

	if (r == 0 && !kept)
		r = add(l, del, ARRAY_SIZE(del));
	if (r == 0)
		r = resp_flush(&l->server);
	if (r == 0)
		r = expect(l, &value, 0);
	if (r == 0 && !kept)
		r = expect(l, NULL, 1);
	l->bytes += value.len;
	return r;
}

/* Reads a record, and in every other turn writes it. */
static int touch(struct load *l, uint64_t turn)
{
	uint64_t job = mix(opt.seed ^ turn) % (opt.count / opt.keep) * opt.keep + opt.first;
	const struct record rec = record(job);
	const struct resp_word set[] = { text("SET"), text(rec.key), text(rec.value) };
	const struct resp_word get[] = { text("GET"), text(rec.key) };
	const struct resp_word wanted = turn % 2 ? text("OK") : text(rec.value);
	int r = add(l, turn % 2 ? set : get, turn % 2 ? ARRAY_SIZE(set) : ARRAY_SIZE(get));

	if (r == 0)
		r = resp_flush(&l->server);
	return r == 0 ? expect(l, &wanted, 0) : r;
}

static int jobs(struct load *l, int (*one)(struct load *, uint64_t))
{
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < opt.count && !stop; i++) {
		uint64_t begin = monotonic_ns();

		r = one(l, opt.first + i);
		note(l, begin);
	}
	return r;
}

static int steady(struct load *l)
{
	uint64_t next = l->begin, until = l->begin + opt.seconds * 1000000000U, begin;
	int r = 0;

	for (uint64_t turn = 0; r == 0 && !stop; turn++) {
		const struct timespec t = { .tv_sec = (time_t)(next / 1000000000U),
					    .tv_nsec = (long)(next % 1000000000U) };

		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
			continue;
		begin = monotonic_ns();
		if (opt.seconds > 0 && begin >= until)
			break;
		if (turn > 0 && begin - next > l->late)
			l->late = begin - next;
		r = touch(l, turn);
		note(l, begin);
		/* What could not be asked meanwhile is not made up for. */
		next += 1000000000U / opt.rate;
		if (next < begin)
			next = begin;
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double quantile_us(const struct load *l, double share)
{
	size_t at = (size_t)((double)l->n * share);

	return l->n ? (double)l->took[at < l->n ? at : l->n - 1] / 1000 : 0;
}

static void report(struct load *l)
{
	double seconds = (double)(l->end - l->begin) / 1e9;

	if (l->n > 0)
		qsort(l->took, l->n, sizeof(*l->took), compare);
	(void)printf("requests=%zu bytes=%llu seconds=%.3f per_second=%.1f p50_us=%.1f p99_us=%.1f "
		     "p999_us=%.1f max_us=%.1f late_max_us=%.1f errors=%llu\n",
		     l->n, (unsigned long long)l->bytes, seconds, (double)l->n / seconds,
		     quantile_us(l, 0.5), quantile_us(l, 0.99), quantile_us(l, 0.999),
		     quantile_us(l, 1), (double)l->late / 1000, (unsigned long long)l->errors);
}

static int usage(void)
{
	(void)fprintf(stderr,
		      "usage: jobs SOCKET burst|drain|steady [--seed N] [--first N] [--count N]\n"
		      "\t[--min BYTES] [--max BYTES] [--keep N] [--rate N] [--seconds N]\n");
	return 2;
}

static int options(int argc, char **argv)
{
	static const struct option known[] = { { "seed", required_argument, NULL, 's' },
					       { "first", required_argument, NULL, 'f' },
					       { "count", required_argument, NULL, 'c' },
					       { "min", required_argument, NULL, 'm' },
					       { "max", required_argument, NULL, 'M' },
					       { "keep", required_argument, NULL, 'k' },
					       { "rate", required_argument, NULL, 'r' },
					       { "seconds", required_argument, NULL, 't' },
					       { 0 } };
	int o;

	while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) {
		uint64_t *value = o == 's' ? &opt.seed :
				  o == 'f' ? &opt.first :
				  o == 'c' ? &opt.count :
				  o == 'm' ? &opt.min :
				  o == 'M' ? &opt.max :
				  o == 'k' ? &opt.keep :
				  o == 'r' ? &opt.rate :
				  o == 't' ? &opt.seconds :
					     NULL;

		if (!value)
			return -EINVAL;
		*value = strtoull(optarg, NULL, 10);
	}
	return argc - optind == 2 && opt.min <= opt.max && opt.max < BLOCK && opt.keep > 0 &&
			       opt.rate > 0 && opt.count >= opt.keep ?
		       0 :
		       -EINVAL;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct load l = { .server.fd = -1 };
	const char *verb;
	int r;

	if (options(argc, argv) < 0)
		return usage();
	verb = argv[optind + 1];
	(void)sigaction(SIGTERM, &action, NULL);
	l.block = malloc(BLOCK);
	if (!l.block)
		return 2;
	for (uint64_t i = 0; i < BLOCK / sizeof(i); i++) {
		uint64_t x = mix(opt.seed + i);

		memcpy(l.block + i * sizeof(x), &x, sizeof(x));
	}
	r = resp_open(argv[optind], &l.server);
	l.begin = monotonic_ns();
	if (r < 0)
		(void)fprintf(stderr, "jobs: %s: %s\n", argv[optind], strerror(-r));
	else if (streq(verb, "burst"))
		r = jobs(&l, push);
	else if (streq(verb, "drain"))
		r = jobs(&l, pop);
	else if (streq(verb, "steady"))
		r = steady(&l);
	else
		return usage();
	l.end = monotonic_ns();
	if (r < 0) {
		(void)fprintf(stderr, "jobs: after %zu requests: %s\n", l.n, strerror(-r));
		l.errors++;
	}
	report(&l);
	resp_close(&l.server);
	free(l.block);
	free(l.took);
	return l.errors > 0;
}
