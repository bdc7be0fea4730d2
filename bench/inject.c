/* SPDX-License-Identifier: MIT */
/*
 * What it costs to set the flag of running processes: forks N that sleep in a read, sets and clears them
 * all through inject(), and says how long each was kept and how long it took in all.
 *
 * Usage: inject [-n PROCESSES] [-r ROUNDS] [-o FILE]
 */
#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "sys/inject.h"
#include "sys/proc.h"

static double now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Processes that do nothing until the pipe is closed. */
static void start(struct inject_request *requests, size_t n, int gate[2])
{
	const struct root root = ROOT_LIVE;

	if (pipe(gate) < 0)
		fail("pipe");
	for (size_t i = 0; i < n; i++) {
		pid_t pid = fork();
		char c;

		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			(void)close(gate[1]);
			_exit(read(gate[0], &c, 1) < 0);
		}
		requests[i].pid = pid;
	}
	(void)usleep(300000);
	for (size_t i = 0; i < n; i++) {
		struct proc p;

		if (proc_read(&root, requests[i].pid, &p) < 0)
			fail("proc_read");
		requests[i].start = p.start;
	}
}

/* One round over all. Returns microseconds per process, and each one's stop in @stops. */
static double round_of(struct inject_request *requests, struct inject_answer *answers, size_t n,
		       int32_t flag, uint32_t *stops)
{
	double began;

	for (size_t i = 0; i < n; i++) {
		requests[i].op = INJECT_SET;
		requests[i].flag = flag;
	}
	began = now_us();
	if (inject(requests, n, answers) < 0)
		fail("inject");
	began = now_us() - began;
	for (size_t i = 0; i < n; i++) {
		if (answers[i].result != INJECT_OK || answers[i].now != flag) {
			fprintf(stderr, "inject: process %d: result %d\n", requests[i].pid,
				answers[i].result);
			exit(1);
		}
		stops[i] = answers[i].stopped_ns;
	}
	return began / (double)n;
}

static double at(const uint32_t *sorted, size_t n, double share)
{
	return sorted[(size_t)((double)(n - 1) * share)] / 1000.0;
}

int main(int argc, char **argv)
{
	size_t n = 1000, rounds = 10, half;
	const char *out = NULL;
	struct inject_request *requests;
	struct inject_answer *answers;
	uint32_t *stops, *each;
	json_t *top;
	int o, gate[2];

	while ((o = getopt(argc, argv, "n:r:o:")) != -1) {
		if (o == 'n')
			n = strtoul(optarg, NULL, 10);
		else if (o == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (o == 'o')
			out = optarg;
		else
			return 2;
	}
	if (n == 0 || rounds == 0)
		return 2;
	requests = calloc(n, sizeof(*requests));
	answers = calloc(n, sizeof(*answers));
	stops = calloc(n * rounds, sizeof(*stops));
	each = calloc(rounds, sizeof(*each));
	if (!requests || !answers || !stops || !each)
		fail("memory");
	start(requests, n, gate);
	for (size_t r = 0; r < rounds; r++)
		each[r] = (uint32_t)(round_of(requests, answers, n,
					      r % 2 ? THP_FLAG_CLEAR : THP_FLAG_DISABLE,
					      stops + r * n) *
				     1000);
	(void)close(gate[1]);
	while (wait(NULL) > 0)
		;
	qsort(stops, n * rounds, sizeof(*stops), compare);
	qsort(each, rounds, sizeof(*each), compare);
	half = n * rounds;
	printf("%6zu processes x %zu rounds: stopped median %.1f us, p99 %.1f us, max %.1f us; "
	       "%.1f us a process in all (median of the rounds; %.1f to %.1f)\n",
	       n, rounds, at(stops, half, 0.5), at(stops, half, 0.99), at(stops, half, 1.0),
	       at(each, rounds, 0.5), at(each, rounds, 0), at(each, rounds, 1.0));
	top = json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f}", "schema", "thpd.bench/1",
			"name", "inject", "processes", (json_int_t)n, "rounds", (json_int_t)rounds,
			"stopped_median_us", at(stops, half, 0.5), "stopped_p99_us",
			at(stops, half, 0.99), "stopped_max_us", at(stops, half, 1.0),
			"each_median_us", at(each, rounds, 0.5));
	if (out && json_dump_file(top, out, JSON_INDENT(2)) < 0)
		fail(out);
	json_decref(top);
	free(requests);
	free(answers);
	free(stops);
	free(each);
	return 0;
}
