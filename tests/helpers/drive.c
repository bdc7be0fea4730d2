/* SPDX-License-Identifier: MIT */
/*
 * Drives inject() against a process that checks itself (victim.c).
 *
 * usage: drive rounds PID N		sets and clears the flag in turn, and reads it back
 *        drive flood PID		the same until SIGTERM, whatever the answers
 *        drive kill PID N MAIN|TRACER	N times: flood, SIGKILL at a random moment, and recovery
 *        drive freeze PID N		N times: flood, and the tracer is stopped for 150 ms
 *        drive points PID [N [FROM]]	the tracer ends itself at each fault point, N times
 *        drive get PID
 *        drive set PID disable|madvise|system
 *        drive spoil TID HOW [N]	disturbs on purpose: a victim must notice; see drive-spoil.c
 *
 * Each prints one line of figures, and what went wrong on standard error.
 */
#include "drive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "sys/proc.h"

/* How long a process may be busy before that is taken for a failure. */
#define BUSY_LIMIT_US 20000000

static unsigned int times_busy;

int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

void pause_us(int64_t us)
{
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	(void)nanosleep(&ts, NULL);
}

int64_t random_below(int64_t n)
{
	return (int64_t)((double)random() / ((double)RAND_MAX + 1) * (double)n);
}

struct inject_answer ask(const struct target *t, enum inject_op op, enum thp_flag flag,
			 enum inject_point die_at)
{
	const struct inject_request request = {
		.pid = t->pid,
		.op = op,
		.start = t->start,
		.flag = (int32_t)flag,
		.die_at = (int32_t)die_at,
	};
	struct inject_answer answer = { .result = -EIO };
	int r = inject(&request, 1, &answer);

	if (r < 0)
		answer.result = r;
	return answer;
}

const char *word(const struct inject_answer *a)
{
	if (a->result < 0)
		return strerror(-a->result);
	return a->result < INJECT_RESULTS ? inject_words[a->result] : "?";
}

static int field_of(const char *path, const char *name)
{
	char buf[8192];
	const char *p = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (n > 0) {
		buf[n] = '\0';
		p = strstr(buf, name);
	}
	if (fd >= 0)
		close(fd);
	return p ? atoi(p + strlen(name)) : -1;
}

/*
 * The largest value that a field has in the status of any thread, -1 when none has it: a leader
 * that has ended has no memory, another thread may be the one that is traced.
 */
int status_field(pid_t pid, const char *name)
{
	char path[64];
	struct dirent *e;
	int value = -1;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		int of_thread;

		(void)snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", pid, e->d_name);
		of_thread = e->d_name[0] == '.' ? -1 : field_of(path, name);
		if (of_thread > value)
			value = of_thread;
	}
	if (d)
		(void)closedir(d);
	return value;
}

/*
 * What is set at the i-th time, in turn: one flag that is seen from outside, for which a process is stopped
 * only once, and one for which it is asked, if this kernel has it.
 */
enum thp_flag flag_of(unsigned int i)
{
	static int knows = -1;

	if (i % 2)
		return THP_FLAG_CLEAR;
	if (knows < 0) {
		knows = prctl(PR_SET_THP_DISABLE, 1, 2, 0, 0) == 0;
		(void)prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	}
	return i % 4 && knows ? THP_FLAG_EXCEPT_ADVISED : THP_FLAG_DISABLE;
}

/* Sets the flag, again as long as the process is busy; whether it is seen from outside, too. */
bool set_now(const struct target *t, enum thp_flag flag, struct inject_answer *ret)
{
	const int64_t begin = now_us();
	int enabled;

	do {
		*ret = ask(t, INJECT_SET, flag, INJECT_AT_NONE);
		times_busy += ret->result == INJECT_BUSY;
	} while (ret->result == INJECT_BUSY && now_us() - begin < BUSY_LIMIT_US);
	if (ret->result != INJECT_OK || ret->now != (int32_t)flag)
		return false;
	enabled = status_field(t->pid, "\nTHP_enabled:");
	return enabled < 0 || enabled == (flag != THP_FLAG_DISABLE);
}

void complain(enum thp_flag flag, const struct inject_answer *a)
{
	fprintf(stderr, "flag %d: %s (%s), before %d, now %d%s\n", (int)flag, word(a),
		strerror(a->error), a->before, a->now,
		a->result == INJECT_OK ? ", THP_enabled differs" : "");
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int drive_rounds(const struct target *t, int n)
{
	uint32_t *stops = calloc((size_t)n + 1, sizeof(*stops));
	unsigned int ok = 0, gone = 0, failed = 0;
	struct inject_answer a;

	for (int i = 0; i < n && stops && !gone; i++) {
		enum thp_flag flag = flag_of((unsigned int)i);

		if (set_now(t, flag, &a)) {
			stops[ok++] = a.stopped_ns;
			continue;
		}
		complain(flag, &a);
		if (a.result == INJECT_GONE)
			gone++;
		else
			failed++;
	}
	if (!stops)
		return 2;
	qsort(stops, ok, sizeof(*stops), compare);
	printf("rounds=%d ok=%u busy=%u gone=%u failed=%u", n, ok, times_busy, gone, failed);
	if (ok)
		printf(" stop_us_median=%.1f p99=%.1f max=%.1f", stops[ok / 2] / 1e3,
		       stops[ok - 1 - ok / 100] / 1e3, stops[ok - 1] / 1e3);
	printf("\n");
	free(stops);
	return ok == (unsigned int)n ? 0 : 1;
}

static volatile sig_atomic_t told_to_stop;

static void on_term(int sig)
{
	(void)sig;
	told_to_stop = 1;
}

static int drive_flood(const struct target *t)
{
	unsigned int results[INJECT_RESULTS + 1] = { 0 };

	(void)signal(SIGTERM, on_term);
	(void)signal(SIGINT, on_term);
	for (unsigned int i = 0; !told_to_stop; i++) {
		struct inject_answer a = ask(t, INJECT_SET, flag_of(i), INJECT_AT_NONE);

		results[a.result >= 0 && a.result < INJECT_RESULTS ? a.result : INJECT_RESULTS]++;
	}
	for (unsigned int i = 0; i < INJECT_RESULTS; i++)
		if (results[i])
			printf("%s=%u ", inject_words[i], results[i]);
	printf("errors=%u\n", results[INJECT_RESULTS]);
	return 0;
}

static int print_answer(const struct inject_answer *a)
{
	printf("%s before=%d now=%d other=%d error=%d stop_us=%.1f\n", word(a), a->before, a->now,
	       a->other, a->error, a->stopped_ns / 1e3);
	return a->result == INJECT_OK ? 0 : 1;
}

static int drive_set(const struct target *t, const char *mode)
{
	static const struct {
		const char *mode;
		enum thp_flag flag;
	} modes[] = {
		{ "disable", THP_FLAG_DISABLE },
		{ "madvise", THP_FLAG_EXCEPT_ADVISED },
		{ "system", THP_FLAG_CLEAR },
	};

	for (unsigned int i = 0; i < 3; i++)
		if (strcmp(mode, modes[i].mode) == 0) {
			struct inject_answer a = ask(t, INJECT_SET, modes[i].flag, INJECT_AT_NONE);

			return print_answer(&a);
		}
	return 2;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: drive rounds PID N | flood PID | kill PID N MAIN|TRACER | freeze PID N |"
		" points PID [N [FROM]] | get PID | set PID MODE | spoil TID HOW [N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const struct root root = ROOT_LIVE;
	const char *verb = argc > 2 ? argv[1] : "";
	struct target t = { .pid = argc > 2 ? atoi(argv[2]) : 0 };
	struct inject_answer a;
	struct proc proc;
	int n = argc > 3 ? atoi(argv[3]) : 0, r;

	srandom((unsigned int)now_us());
	if (strcmp(verb, "spoil") == 0 && argc > 3)
		return drive_spoil(t.pid, argv[3], argc > 4 ? atoi(argv[4]) : 20);
	if (t.pid <= 0)
		return usage();
	r = proc_read(&root, t.pid, &proc);
	if (r < 0) {
		fprintf(stderr, "drive: process %d: %s\n", t.pid, strerror(-r));
		return 2;
	}
	t.start = proc.start;
	if (strcmp(verb, "rounds") == 0 && n > 0)
		return drive_rounds(&t, n);
	if (strcmp(verb, "flood") == 0)
		return drive_flood(&t);
	if (strcmp(verb, "kill") == 0 && n > 0 && argc == 5)
		return drive_kill(&t, n, strcmp(argv[4], "TRACER") == 0 ? KILL_TRACER : KILL_MAIN);
	if (strcmp(verb, "freeze") == 0 && n > 0)
		return drive_kill(&t, n, FREEZE_TRACER);
	if (strcmp(verb, "points") == 0)
		return drive_points(&t, n > 0 ? n : 3, argc > 4 ? atoi(argv[4]) : 1);
	if (strcmp(verb, "set") == 0 && argc == 4)
		return drive_set(&t, argv[3]);
	if (strcmp(verb, "get") == 0) {
		a = ask(&t, INJECT_GET, THP_FLAG_CLEAR, INJECT_AT_NONE);
		return print_answer(&a);
	}
	return usage();
}
