/* SPDX-License-Identifier: MIT */
/*
 * How long a foreign write stays: from before the write(2) of another process until the thread of drift.c
 * has read the value back, file by file. That thread alone is started, in this program, and knows of no
 * fights: there is no daemon around it that logs. Beside it the floor: a loop of poll, read, write on
 * descriptors that stay open, which compares nothing and tells nobody.
 *
 * Usage: drift [-r ROUNDS] [-o FILE]; needs root; what is in the files is put back.
 */
#include <jansson.h>
#include <poll.h>
#include <sys/prctl.h>

#include "app/drift-repair.h"
#include "../tests/unit/thp-files.h"

struct samples {
	uint32_t *ns;
	size_t n;
};

static const struct root live = ROOT_LIVE;
static size_t rounds = 1000;
static const char *out;
static int to_writer[2], from_writer[2];

static void fail(const char *what)
{
	fprintf(stderr, "drift: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double at(const struct samples *s, double share)
{
	return s->ns[(size_t)((double)(s->n - 1) * share)] / 1000.0;
}

static void sort(struct samples *s)
{
	qsort(s->ns, s->n, sizeof(*s->ns), compare);
}

static void add(struct samples *s, uint64_t ns)
{
	s->ns[s->n++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

/* The foreign writer: told which file, he waits until all sleep again, and writes. */
static void write_foreign(void)
{
	uint64_t began;
	size_t i;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(to_writer[0], &i, sizeof(i)) == (ssize_t)sizeof(i)) {
		const struct thp_file *f = &thp_files[i];
		int fd = openat(thp_dirfd, f->key, O_WRONLY | O_CLOEXEC);

		(void)usleep(200);
		began = monotonic_ns();
		if (write(fd, f->other, strlen(f->other)) < 0 ||
		    write(from_writer[1], &began, sizeof(began)) < 0)
			_exit(1);
		(void)close(fd);
	}
	_exit(0);
}

static void ask(size_t i)
{
	if (write(to_writer[1], &i, sizeof(i)) < 0)
		fail("the writer");
}

static uint64_t answer(void)
{
	uint64_t began;

	if (read(from_writer[0], &began, sizeof(began)) != (ssize_t)sizeof(began))
		fail("the writer");
	return began;
}

static void wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, 10000) != 1)
		fail("nothing happens");
}

static void with_thread(struct drift *d, size_t i, struct samples *s)
{
	const struct drift_key key = { thp_files[i].key, thp_files[i].was };

	if (drift_set(d, &key, 1, true, NULL) < 0)
		fail(key.key);
	for (size_t r = 0; r < rounds; r++) {
		struct drift_event e;

		ask(i);
		wait_for(drift_fd(d));
		if (drift_next(d, &e) <= 0 || e.outcome != OUTCOME_CHANGED)
			fail(key.key);
		add(s, e.woken_ns + e.latency_ns - answer());
	}
	(void)drift_set(d, NULL, 0, true, NULL);
}

static void floor_of(size_t i, struct samples *s)
{
	const struct thp_file *f = &thp_files[i];
	int fd = openat(thp_dirfd, f->key, O_RDWR | O_CLOEXEC);
	const char *keys[] = { f->key };
	char text[KNOB_TEXT_MAX];
	struct driftwatch w;

	if (fd < 0 || driftwatch_open(&w) < 0 ||
	    driftwatch_set(&w, &live, thp_dirfd, keys, 1, NULL) < 0)
		fail(f->key);
	for (size_t r = 0; r < rounds; r++) {
		uint64_t end;

		ask(i);
		wait_for(w.fd);
		if (read(w.fd, w.buf, sizeof(w.buf)) < 0 || pread(fd, text, sizeof(text), 0) < 0 ||
		    pwrite(fd, f->was, strlen(f->was), 0) < 0)
			fail(f->key);
		end = monotonic_ns();
		add(s, end - answer());
		if (read(w.fd, w.buf, sizeof(w.buf)) < 0) /* our own */
			fail(f->key);
	}
	driftwatch_close(&w);
	close_fd(fd);
}

static struct samples new_samples(size_t n)
{
	struct samples s = { .ns = calloc(n, sizeof(uint32_t)) };

	if (!s.ns)
		fail("memory");
	return s;
}

/* Adds to @all what one file gave, and says it. */
static json_t *result(const char *key, struct samples *s, struct samples *fl, struct samples *all,
		      struct samples *all_fl)
{
	memcpy(all->ns + all->n, s->ns, s->n * sizeof(*s->ns));
	memcpy(all_fl->ns + all_fl->n, fl->ns, fl->n * sizeof(*fl->ns));
	all->n += s->n;
	all_fl->n += fl->n;
	sort(s);
	sort(fl);
	printf("%-36s %8.1f %8.1f %8.1f %8.1f\n", key, at(s, 0.5), at(s, 0.99), at(fl, 0.5),
	       at(fl, 0.99));
	return json_pack("{s:s, s:f, s:f, s:f, s:f}", "key", key, "median_us", at(s, 0.5), "p99_us",
			 at(s, 0.99), "floor_median_us", at(fl, 0.5), "floor_p99_us", at(fl, 0.99));
}

static void print_all(json_t *files, struct samples *all, struct samples *all_fl)
{
	json_t *top;

	sort(all);
	sort(all_fl);
	printf("%-36s %8.1f %8.1f %8.1f %8.1f\n", "all", at(all, 0.5), at(all, 0.99),
	       at(all_fl, 0.5), at(all_fl, 0.99));
	printf("%zu rounds a file, thpd's repair thread alone; target 60 and 500: %s\n", rounds,
	       at(all, 0.5) <= 60 && at(all, 0.99) <= 500 ? "met" : "MISSED");
	top = json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "schema", "thpd.bench/1",
			"rounds", (json_int_t)rounds, "median_us", at(all, 0.5), "p99_us",
			at(all, 0.99), "max_us", at(all, 1.0), "floor_median_us", at(all_fl, 0.5),
			"floor_p99_us", at(all_fl, 0.99), "files", files);
	if (!top || (out && json_dump_file(top, out, JSON_INDENT(2)) < 0))
		fail(out ? out : "memory");
	json_decref(top);
}

static int run(void *data)
{
	static const struct fight_limits unlimited = { 0 };
	struct samples all = new_samples(thp_files_n * rounds);
	struct samples all_fl = new_samples(thp_files_n * rounds);
	json_t *files = json_array();
	struct drift *d;
	pid_t pid;

	if (pipe2(to_writer, O_CLOEXEC) < 0 || pipe2(from_writer, O_CLOEXEC) < 0)
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		(void)close(to_writer[1]);
		write_foreign();
	}
	if (drift_start(&live, &unlimited, &d) < 0)
		fail("the thread");
	printf("%-36s %8s %8s %8s %8s\n", "us from write to repair", "median", "p99", "floor",
	       "p99");
	for (size_t i = 0; i < thp_files_n; i++) {
		struct samples s = new_samples(rounds), fl = new_samples(rounds);

		floor_of(i, &fl);
		with_thread(d, i, &s);
		(void)json_array_append_new(files,
					    result(thp_files[i].key, &s, &fl, &all, &all_fl));
		free(s.ns);
		free(fl.ns);
	}
	drift_stop(d);
	print_all(files, &all, &all_fl);
	(void)close(to_writer[1]);
	free(all.ns);
	free(all_fl.ns);
	return waitpid(pid, NULL, 0) != pid;
}

int main(int argc, char **argv)
{
	int o, r;

	while ((o = getopt(argc, argv, "r:o:")) != -1) {
		if (o == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (o == 'o')
			out = optarg;
		else
			return 2;
	}
	if (rounds == 0)
		return 2;
	r = thp_guarded(run, NULL);
	if (r < 0)
		fail("the settings of this machine cannot be written");
	return r;
}
