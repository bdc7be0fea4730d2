/* SPDX-License-Identifier: MIT */
/*
 * Times whole processes side by side.
 *
 * All commands run in every round, one after the other: what else the machine does just then falls on
 * all of them alike, so that the ratio of two commands within a round holds also where the times
 * themselves drift. The order is shuffled for each round, for what ran last leaves its traces in caches
 * and in the scheduler, and a fixed or merely rotated order would give everyone the same predecessor
 * for good. No shell is between us and what is timed.
 */
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include <jansson.h>

#include "base/util.h"

#define COMMANDS_MAX 32U
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

struct command {
	const char *label;
	char **argv, **before; /* NULL-terminated; before may be NULL */
	const char *path, *before_path;
	double *us;   /* of each round */
	long rss_kib; /* the least peak resident set of all rounds */
};

/* What the times of a command come to. */
struct summary {
	double median, p10, p90, p99;
	double ratio_of_medians; /* to the reference */
	double median_ratio;	 /* of the ratios to the reference within each round */
};

struct bench {
	struct command commands[COMMANDS_MAX];
	size_t n, reference;
	long rounds, warm_up;
	long rss_floor_kib; /* ours, which a child has too until it becomes the program */
	const char *reference_label, *output;
	posix_spawn_file_actions_t actions;
};

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
		b->commands[b->n++] = (struct command){ .label = word[1], .argv = argv,
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

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Runs a program to its end; says on standard error what went wrong. Returns 0 or -1. */
static int run_once(struct bench *b, const char *path, char **argv, double *ret_us, long *ret_rss)
{
	struct rusage usage;
	int status, r;
	double start;
	pid_t pid;

	start = now_us();
	r = posix_spawn(&pid, path, &b->actions, NULL, argv, environ);
	if (r == 0 && wait4(pid, &status, 0, &usage) < 0)
		r = errno;
	*ret_us = now_us() - start;
	if (r != 0) {
		fprintf(stderr, "spawn: %s: %s\n", path, strerror(r));
		return -1;
	}
	*ret_rss = usage.ru_maxrss;
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
static int run_round(struct bench *b, const size_t *order, long round)
{
	for (size_t i = 0; i < b->n; i++) {
		struct command *c = &b->commands[order[i]];
		double us;
		long rss;

		if (c->before && run_once(b, c->before_path, c->before, &us, &rss) < 0)
			return -1;
		if (run_once(b, c->path, c->argv, &us, &rss) < 0)
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
	size_t order[COMMANDS_MAX];
	struct rusage own;
	uint32_t seed = 1;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r = fd < 0 ? errno : posix_spawn_file_actions_init(&b->actions);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&b->actions, fd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&b->actions, fd, STDOUT_FILENO);
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
	if (getrusage(RUSAGE_SELF, &own) == 0)
		b->rss_floor_kib = own.ru_maxrss;
	for (long i = -b->warm_up; i < b->rounds; i++) {
		shuffle(order, b->n, &seed);
		if (run_round(b, order, i) < 0)
			return -1;
	}
	return 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which the fraction @q of the sorted values lies, between neighbours in proportion. */
static double quantile(const double *sorted, long n, double q)
{
	double at = q * (double)(n - 1);
	long i = (long)at;

	if (i + 1 >= n)
		return sorted[n - 1];
	return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

/* Summaries of all commands, in their order; NULL when out of memory. */
static struct summary *summarise(const struct bench *b)
{
	struct summary *s = calloc(b->n, sizeof(*s));
	_cleanup_free_ double *v = calloc((size_t)b->rounds, sizeof(*v));
	const double *ref = b->commands[b->reference].us;
	size_t bytes = (size_t)b->rounds * sizeof(*v);

	if (!s || !v) {
		free(s);
		return NULL;
	}
	for (size_t i = 0; i < b->n; i++) {
		const double *us = b->commands[i].us;

		memcpy(v, us, bytes);
		qsort(v, (size_t)b->rounds, sizeof(*v), compare_doubles);
		s[i].median = quantile(v, b->rounds, 0.5);
		s[i].p10 = quantile(v, b->rounds, 0.1);
		s[i].p90 = quantile(v, b->rounds, 0.9);
		s[i].p99 = quantile(v, b->rounds, 0.99);
		for (long j = 0; j < b->rounds; j++)
			v[j] = us[j] / ref[j];
		qsort(v, (size_t)b->rounds, sizeof(*v), compare_doubles);
		s[i].median_ratio = quantile(v, b->rounds, 0.5);
	}
	for (size_t i = 0; i < b->n; i++)
		s[i].ratio_of_medians = s[i].median / s[b->reference].median;
	return s;
}

static void print_table(const struct bench *b, const struct summary *s, FILE *f)
{
	fprintf(f, "%-16s %9s %9s %9s %9s %8s %8s %9s\n", "label", "median_us", "p10", "p90",
		"p99", "ratio", "rounds", "rss_KiB");
	for (size_t i = 0; i < b->n; i++)
		fprintf(f, "%-16s %9.1f %9.1f %9.1f %9.1f %8.3f %8.3f %9ld\n",
			b->commands[i].label, s[i].median, s[i].p10, s[i].p90, s[i].p99,
			s[i].ratio_of_medians, s[i].median_ratio, b->commands[i].rss_kib);
	fprintf(f, "# rss_KiB up to about %ld, which is our own, means that much at most\n",
		b->rss_floor_kib);
}

static json_t *words_to_json(char *const *words)
{
	json_t *a = words ? json_array() : json_null();

	for (; words && *words; words++)
		(void)json_array_append_new(a, json_string(*words));
	return a;
}

/* The whole result; NULL when out of memory. */
static json_t *make_json(const struct bench *b, const struct summary *s)
{
	json_t *list = json_array();
	struct utsname u;

	if (uname(&u) < 0)
		u = (struct utsname){ .release = "" };
	for (size_t i = 0; i < b->n; i++) {
		const struct command *c = &b->commands[i];
		json_t *o = json_pack("{s:s,s:o,s:o,s:f,s:f,s:f,s:f,s:f,s:f,s:I}", "label", c->label,
				      "argv", words_to_json(c->argv), "before",
				      words_to_json(c->before), "median_us", s[i].median, "p10_us",
				      s[i].p10, "p90_us", s[i].p90, "p99_us", s[i].p99,
				      "ratio_of_medians", s[i].ratio_of_medians, "median_ratio",
				      s[i].median_ratio, "max_rss_kib", (json_int_t)c->rss_kib);

		if (json_array_append_new(list, o) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:s,s:I,s:o}", "schema", "thpd.bench/1", "kernel",
			 u.release, "machine", u.machine, "rounds", (json_int_t)b->rounds,
			 "warm_up", (json_int_t)b->warm_up, "reference",
			 b->commands[b->reference].label, "rss_floor_kib",
			 (json_int_t)b->rss_floor_kib, "commands", list);
}

/* Writes the JSON document to the file asked for. Returns 0 or -1. */
static int write_json(const struct bench *b, const struct summary *s)
{
	FILE *f = streq(b->output, "-") ? stdout : fopen(b->output, "w");
	json_t *j = f ? make_json(b, s) : NULL;
	int r = -1;

	if (j && json_dumpf(j, f, JSON_INDENT(2) | JSON_REAL_PRECISION(7)) == 0 &&
	    fputc('\n', f) != EOF)
		r = 0;
	json_decref(j);
	if (f && (f == stdout ? fflush(f) : fclose(f)) != 0)
		r = -1;
	if (r < 0)
		fprintf(stderr, "spawn: %s: could not be written\n", b->output);
	return r;
}

int main(int argc, char **argv)
{
	struct bench b = { .rounds = 500, .warm_up = 20 };
	_cleanup_free_ struct summary *s = NULL;
	int r = take_options(&b, argc, argv);

	if (r >= 0)
		return r;
	if (run_rounds(&b) < 0)
		return 1;
	s = summarise(&b);
	if (!s) {
		fprintf(stderr, "spawn: %s\n", strerror(ENOMEM));
		return 1;
	}
	print_table(&b, s, b.output && streq(b.output, "-") ? stderr : stdout);
	return b.output && write_json(&b, s) < 0 ? 1 : 0;
}
