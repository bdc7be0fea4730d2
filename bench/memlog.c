/* SPDX-License-Identifier: MIT */
/*
 * The memory of a Redis over time, from outside and from inside.
 *
 * Usage: memlog SOCKET PID GROUP MILLISECONDS
 *
 * GROUP is its directory in the memory controller's hierarchy, of either version. Prints a line for
 * each sample, until SIGTERM or the end of the process:
 *
 *	SECONDS RSS HUGE CHARGED USED
 *
 * SECONDS as in /proc/uptime, the rest in kB: VmRSS; anonymous memory mapped in huge pages, of the
 * group; what the group is charged with; used_memory as Redis says. -1: not known.
 *
 * HUGE is the group's figure, not smaps_rollup's: that one takes milliseconds for memory in small
 * pages and none for huge ones, so that measuring would slow one side down.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "base/util.h"
#include "bench/resp.h"

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* Reads a whole small file; false when there is none any more. */
static bool slurp(int fd, char *text, size_t room)
{
	ssize_t n = pread(fd, text, room - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The number behind a word at the begin of a line. */
static int64_t field(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += n)
		if (at == text || at[-1] == '\n')
			return strtoll(at + n, NULL, 10);
	return -1;
}

static int open_first(const char *dir, const char *name, const char *other)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && other) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, other);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

/* Redis may be busy, as in a fork: its answer is taken when it is there, and nobody waits. */
static int ask_used(struct resp *server, bool *asked, int64_t *used)
{
	static const struct resp_word info[] = { { "INFO", 4 }, { "memory", 6 } };
	struct pollfd p = { .fd = server->fd, .events = POLLIN };
	struct resp_answer a;
	int r;

	if (*asked) {
		if (poll(&p, 1, 0) <= 0)
			return 0;
		r = resp_answer(server, &a);
		if (r < 0)
			return r;
		((char *)a.data)[a.len] = '\0'; /* its line ends here */
		*used = field(a.data, "used_memory:");
	}
	*asked = true;
	r = resp_add(server, info, ARRAY_SIZE(info));
	return r < 0 ? r : resp_flush(server);
}

static int64_t kb(int64_t bytes)
{
	return bytes < 0 ? -1 : bytes / 1024;
}

static int sample(int status, int current, int stat, int64_t used)
{
	char text[16384];
	int64_t rss, huge, charged;
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	if (!slurp(status, text, sizeof(text)))
		return -ESRCH;
	rss = field(text, "VmRSS:");
	charged = slurp(current, text, sizeof(text)) ? strtoll(text, NULL, 10) : -1;
	(void)slurp(stat, text, sizeof(text));
	huge = field(text, "anon_thp ");
	if (huge < 0)
		huge = field(text, "total_rss_huge ");
	(void)printf("%.3f %lld %lld %lld %lld\n", (double)t.tv_sec + (double)t.tv_nsec / 1e9,
		     (long long)rss, (long long)kb(huge), (long long)kb(charged),
		     (long long)kb(used));
	return rss < 0 || fflush(stdout) != 0 ? -ESRCH : 0;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct resp server = { .fd = -1 };
	bool asked = false;
	int64_t used = -1;
	int status, current, stat, r;
	char proc[64];
	long ms;

	if (argc != 5) {
		(void)fprintf(stderr, "usage: memlog SOCKET PID GROUP MILLISECONDS\n");
		return 2;
	}
	(void)sigaction(SIGTERM, &action, NULL);
	ms = strtol(argv[4], NULL, 10);
	(void)snprintf(proc, sizeof(proc), "/proc/%ld", strtol(argv[2], NULL, 10));
	status = open_first(proc, "status", NULL);
	current = open_first(argv[3], "memory.current", "memory.usage_in_bytes");
	stat = open_first(argv[3], "memory.stat", NULL);
	r = status < 0 ? -errno : resp_open(argv[1], &server);
	while (r == 0 && !stop) {
		const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

		r = ask_used(&server, &asked, &used);
		if (r == 0)
			r = sample(status, current, stat, used);
		(void)nanosleep(&t, NULL);
	}
	resp_close(&server);
	/* Its end is the end of the samples, too. */
	if (r < 0 && r != -ESRCH && r != -EPIPE && r != -ECONNRESET) {
		(void)fprintf(stderr, "memlog: %s\n", strerror(-r));
		return 1;
	}
	return 0;
}
