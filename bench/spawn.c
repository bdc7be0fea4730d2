/* SPDX-License-Identifier: MIT */
/*
 * Times whole processes side by side.
 *
 * All commands run in every round, one after the other: what else the machine does just then falls
 * on all of them alike, so that the ratio of two commands within a round holds also where the times
 * themselves drift. The order is shuffled for each round, for what ran last leaves its traces in
 * caches and in the scheduler, and a fixed or merely rotated order would give everyone the same
 * predecessor for good. No shell is between us and what is timed.
 */
#include "spawn.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS_MAX 1000000L
#define PATH_BYTES 4096U

static const char help_text[] =
	"Usage: spawn [OPTION]... :run LABEL COMMAND... [:before COMMAND...] [:run ...]...\n"
	"Runs labelled commands in turn, each as a process of its own, and compares their times.\n"
	"\n"
	"  :run LABEL COMMAND   what is timed, from before it is spawned until it has been waited for\n"
	"  :before COMMAND      run before each run of the :run in front of it; not timed\n"
	"\n"
	"  -n, --rounds N       rounds that count (default 500)\n"
	"  -w, --warm-up N      rounds before them that do not (default 20)\n"
	"  -r, --reference L    the label that ratios refer to (default: the first)\n"
	"  -o, --output FILE    write the result as JSON; '-' is standard output, and then the table\n"
	"                       goes to standard error\n"
	"  -h, --help           show this help\n"
	"\n"
	"Commands read from and print to /dev/null; standard error is passed on. One that does not exit\n"
	"with 0 ends everything. Exit status: 0, or 1 after a failure, 2 after a usage error.\n";

static int usage_error(const char *what, const char *word)
{
	fprintf(stderr, "spawn: %s%s%s; try 'spawn --help'\n", what, word ? ": " : "",
		word ? word : "");
	return 2;
}

static bool is_mark(const char *word)
{
	return streq(word, ":run") || streq(word, ":before");
}

/* The program that a word names, looked up once so that no measurement holds the search. */
static const char *find_program(const char *word)
{
	const char *dir = getenv("PATH");
	char path[PATH_BYTES];

	if (strchr(word, '/'))
		return word;
	while (dir && *dir) {
		size_t n = strcspn(dir, ":");
		int r = snprintf(path, sizeof(path), "%.*s/%s", (int)n, dir, word);

		if (n > 0 && r > 0 && (size_t)r < sizeof(path) && access(path, X_OK) == 0)
			return strdup(path);
		dir += n + (dir[n] == ':');
	}
	return NULL;
}

/*
 * Takes what stands behind a mark. @word: the mark's slot; @mark: what stood there.
 * Returns -1 to go on, else an exit status.
 */
static int take_command(struct bench *b, const char *mark, char **word)
{
	bool run = streq(mark, ":run");
	char **argv = word + (run ? 2 : 1);
	struct command *c;
	const char *path;

	if (run && b->n == COMMANDS_MAX)
		return usage_error("too many commands", NULL);
	if (run && (!word[1] || is_mark(word[1]) || strpbrk(word[1], " \t\n")))
		return usage_error("expected a label, one word, behind", mark);
	if (!*argv || is_mark(*argv))
		return usage_error("expected a command behind", run ? word[1] : mark);
	path = find_program(*argv);
	if (!path)
		return usage_error("no such program", *argv);
	if (run) {
		b->commands[b->n++] = (struct command){ .label = word[1],
							.argv = argv,
							.path = path };
		return -1;
	}
	c = b->n ? &b->commands[b->n - 1] : NULL;
	if (!c || c->before)
		return usage_error("expected one :run in front of each", mark);
	c->before = argv;
	c->before_path = path;
	return -1;
}

/* Cuts the words behind the options into commands. Returns -1 to go on, else an exit status. */
static int take_commands(struct bench *b, char **word)
{
	const char *mark = *word;

	if (!mark || !is_mark(mark))
		return usage_error("expected :run", mark);
	while (mark) {
		char **end = word + 1;
		const char *next;
		int r;

		while (*end && !is_mark(*end))
			end++;
		next = *end;
		*end = NULL;
		r = take_command(b, mark, word);
		if (r >= 0)
			return r;
		word = end;
		mark = next;
	}
	for (b->reference = 0; b->reference_label; b->reference++) {
		if (b->reference == b->n)
			return usage_error("no command has the label", b->reference_label);
		if (streq(b->commands[b->reference].label, b->reference_label))
			break;
	}
	return -1;
}

static bool take_number(const char *word, long min, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(word, &end, 10);
	return errno == 0 && end != word && !*end && *ret >= min && *ret <= ROUNDS_MAX;
}

/* Reads the command line. Returns -1 to go on, else an exit status. */
static int take_options(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'n' },
		{ "warm-up", required_argument, NULL, 'w' },
		{ "reference", required_argument, NULL, 'r' },
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "+n:w:r:o:h", options, NULL)) != -1) {
		switch (o) {
		case 'n':
			if (!take_number(optarg, 1, &b->rounds))
				return usage_error("--rounds takes a number from 1", optarg);
			break;
		case 'w':
			if (!take_number(optarg, 0, &b->warm_up))
				return usage_error("--warm-up takes a number from 0", optarg);
			break;
		case 'r':
			b->reference_label = optarg;
			break;
		case 'o':
			b->output = optarg;
			break;
		case 'h':
			fputs(help_text, stdout);
			return 0;
		default:
			return 2;
		}
	}
	return take_commands(b, argv + optind);
}

/* A signal ends us between two processes: none of ours is left behind to write to anything. */
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Runs a program to its end; says on standard error what went wrong. Returns 0 or -1. */
static int run_once(const posix_spawn_file_actions_t *actions, const char *path, char **argv,
		    double *ret_us, long *ret_rss)
{
	struct rusage usage;
	int status, r;
	double start;
	pid_t pid;

	start = now_us();
	r = posix_spawn(&pid, path, actions, NULL, argv, environ);
	if (r == 0 && wait4(pid, &status, 0, &usage) < 0)
		r = errno;
	*ret_us = now_us() - start;
	if (r != 0) {
		fprintf(stderr, "spawn: %s: %s\n", path, strerror(r));
		return -1;
	}
	*ret_rss = usage.ru_maxrss;
	if (stopped)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	fprintf(stderr, "spawn: %s: %s %d\n", path,
		WIFEXITED(status) ? "exit status" : "killed by signal",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return -1;
}

/* Shuffles the order of the commands; the same orders in every run of this program. */
static void shuffle(size_t *order, size_t n, uint32_t *seed)
{
	for (size_t i = n; i > 1; i--) {
		size_t j, last = order[i - 1];

		/* xorshift32 (Marsaglia 2003): plenty for an order, and 32 items at most. */
		*seed ^= *seed << 13;
		*seed ^= *seed >> 17;
		*seed ^= *seed << 5;
		j = *seed % i;
		order[i - 1] = order[j];
		order[j] = last;
	}
}

/* One round: every command once. @round: where times go, below 0 nowhere. Returns 0 or -1. */
static int run_round(struct bench *b, const posix_spawn_file_actions_t *actions,
		     const size_t *order, long round)
{
	for (size_t i = 0; i < b->n; i++) {
		struct command *c = &b->commands[order[i]];
		double us;
		long rss;

		if (c->before && run_once(actions, c->before_path, c->before, &us, &rss) < 0)
			return -1;
		if (run_once(actions, c->path, c->argv, &us, &rss) < 0)
			return -1;
		if (round < 0)
			continue;
		c->us[round] = us;
		if (c->rss_kib == 0 || rss < c->rss_kib)
			c->rss_kib = rss;
	}
	return 0;
}

/* Opens what the commands have for standard input and output, and runs all rounds. 0 or -1. */
static int run_rounds(struct bench *b)
{
	const struct sigaction stop = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	posix_spawn_file_actions_t actions;
	size_t order[COMMANDS_MAX];
	struct rusage own;
	uint32_t seed = 1;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r = fd < 0 ? errno : posix_spawn_file_actions_init(&actions);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	for (size_t i = 0; r == 0 && i < b->n; i++) {
		b->commands[i].us = calloc((size_t)b->rounds, sizeof(double));
		if (!b->commands[i].us)
			r = ENOMEM;
		order[i] = i;
	}
	if (r != 0) {
		fprintf(stderr, "spawn: %s\n", strerror(r));
		return -1;
	}
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGHUP, &stop, NULL);
	if (getrusage(RUSAGE_SELF, &own) == 0)
		b->rss_floor_kib = own.ru_maxrss;
	for (long i = -b->warm_up; i < b->rounds; i++) {
		shuffle(order, b->n, &seed);
		if (run_round(b, &actions, order, i) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = { .rounds = 500, .warm_up = 20 };
	int r = take_options(&b, argc, argv);

	if (r >= 0)
		return r;
	return run_rounds(&b) == 0 && bench_report(&b) == 0 ? 0 : 1;
}
