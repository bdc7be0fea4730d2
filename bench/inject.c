/* SPDX-License-Identifier: MIT */
/*
 * What it costs to set the flag of running processes: forks N that sleep in a read, sets and clears them
 * all through inject(), and says how long each was kept and how long it took in all. Once with one stop,
 * and once as an apply does it: all are asked first, with a stop of its own, and both stops count.
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

/* One round over all. Returns microseconds per process, and adds each one's stop to @stops. */
static double round_of(struct inject_request *requests, struct inject_answer *answers, size_t n,
		       enum inject_op op, int32_t flag, uint32_t *stops)
{
	double began;

	for (size_t i = 0; i < n; i++) {
		requests[i].op = (int32_t)op;
		requests[i].flag = flag;
	}
	began = now_us();
	if (inject(requests, n, answers) < 0)
		fail("inject");
	began = now_us() - began;
	for (size_t i = 0; i < n; i++) {
		if (answers[i].result != INJECT_OK ||
		    (op == INJECT_SET && answers[i].now != flag)) {
			fprintf(stderr, "inject: process %d: result %d\n", requests[i].pid,
				answers[i].result);
			exit(1);
		}
		stops[i] += answers[i].stopped_ns;
	}
	return began / (double)n;
}

static double at(const uint32_t *sorted, size_t n, double share)
{
	return sorted[(size_t)((double)(n - 1) * share)] / 1000.0;
}

/* So many rounds over all, of which every second one clears the flag; says what it took. */
static json_t *measure(struct inject_request *requests, size_t n, size_t rounds, bool ask_first)
{
	struct inject_answer *answers = calloc(n, sizeof(*answers));
	uint32_t *stops = calloc(n * rounds, sizeof(*stops));
	uint32_t *each = calloc(rounds, sizeof(*each));
	size_t all = n * rounds;
	json_t *found;

	if (!answers || !stops || !each)
		fail("memory");
	for (size_t r = 0; r < rounds; r++) {
		double us = 0;

		if (ask_first)
			us = round_of(requests, answers, n, INJECT_GET, 0, stops + r * n);
		us += round_of(requests, answers, n, INJECT_SET,
			       r % 2 ? THP_FLAG_CLEAR : THP_FLAG_DISABLE, stops + r * n);
		each[r] = (uint32_t)(us * 1000);
	}
	qsort(stops, all, sizeof(*stops), compare);
	qsort(each, rounds, sizeof(*each), compare);
	printf("%6zu processes x %zu rounds, %s: stopped median %.1f us, p99 %.1f us, max %.1f us; "
	       "%.1f us a process in all (median of the rounds; %.1f to %.1f)\n",
	       n, rounds, ask_first ? "asked, then set" : "set", at(stops, all, 0.5),
	       at(stops, all, 0.99), at(stops, all, 1.0), at(each, rounds, 0.5),
	       at(each, rounds, 0), at(each, rounds, 1.0));
	found = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "stopped_median_us",
			  at(stops, all, 0.5), "stopped_p99_us", at(stops, all, 0.99),
			  "stopped_max_us", at(stops, all, 1.0), "each_median_us",
			  at(each, rounds, 0.5), "each_least_us", at(each, rounds, 0),
			  "each_most_us", at(each, rounds, 1.0));
	free(answers);
	free(stops);
	free(each);
	return found;
}

int main(int argc, char **argv)
{
	size_t n = 1000, rounds = 10;
	const char *out = NULL;
	struct inject_request *requests;
	json_t *set, *ask_and_set, *top;
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
	if (!requests)
		fail("memory");
	start(requests, n, gate);
	set = measure(requests, n, rounds, false);
	ask_and_set = measure(requests, n, rounds, true);
	(void)close(gate[1]);
	while (wait(NULL) > 0)
		;
	top = json_pack("{s:s, s:I, s:I, s:o, s:o}", "schema", "thpd.bench/1", "processes",
			(json_int_t)n, "rounds", (json_int_t)rounds, "set", set, "ask_and_set",
			ask_and_set);
	if (!top || (out && json_dump_file(top, out, JSON_INDENT(2)) < 0))
		fail(out ? out : "memory");
	json_decref(top);
	free(requests);
	return 0;
}
