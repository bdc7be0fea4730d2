/* SPDX-License-Identifier: MIT */
/* Who writes this very machine's settings. */
#include "helper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "sys/paths.h"
#include "sys/units.h"
#include "sys/writers.h"
#include "thp-files.h"

static const struct root live = ROOT_LIVE;
static struct writers writers;
static const char *keys[] = { "defrag", "no-such-file", "khugepaged/defrag" };
static struct writer who;

static void setup(void)
{
	ck_assert_int_eq(writers_open(&live, thp_dirfd, &writers), 0);
	ck_assert_int_eq(writers_set(&writers, keys, ARRAY_SIZE(keys)), 0);
}

static void teardown(void)
{
	writers_close(&writers);
}

/* The next writer within @ms, as the helper process waits for him; whether there was one. */
static bool writer_within(int ms)
{
	struct pollfd p = { .fd = writers.fd, .events = POLLIN };
	uint64_t until = now_ms() + (uint64_t)ms;

	for (;;) {
		int r = writers_next(&writers, &who),
		    left = (int)((int64_t)until - (int64_t)now_ms());
		int timeout = writers_timeout(&writers);

		ck_assert_int_ge(r, 0);
		if (r > 0)
			return true;
		if (left <= 0)
			return false;
		(void)poll(&p, 1, timeout < 0 || timeout > left ? left : timeout);
	}
}

static const struct thp_file *file(const char *key)
{
	size_t i = thp_index(key);

	ck_assert_msg(i != SIZE_MAX, "%s cannot be written here", key);
	return &thp_files[i];
}

/* Writes what is there already, under a name of its own, and stays until the pipe is closed. */
static pid_t start_writer(const char *key, const char *cgroup, int gate[2])
{
	const struct thp_file *f = file(key);
	pid_t pid;

	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		FILE *procs;
		char c;

		(void)close(gate[1]);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, "a (b) writer");
		procs = cgroup ? fopen(cgroup, "w") : NULL;
		if (cgroup && (!procs || fputs("0\n", procs) < 0 || fclose(procs) != 0))
			_exit(1);
		if (thp_write(key, f->was) < 0)
			_exit(2);
		_exit(read(gate[0], &c, 1) != 0);
	}
	(void)close(gate[0]);
	return pid;
}

static void end_writer(pid_t pid, int gate)
{
	int status;

	(void)close(gate);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(writer_is_named)
{
	char exe[256] = "";
	uint64_t before = now_ms();
	int gate[2];
	pid_t pid;

	ck_assert_int_gt(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
	for (uint32_t key = 0; key < 3; key += 2) {
		pid = start_writer(keys[key], NULL, gate);
		ck_assert(writer_within(5000));
		ck_assert_uint_eq(who.key, key);
		ck_assert_int_eq(who.pid, pid);
		ck_assert_str_eq(who.comm, "a (b) writer");
		ck_assert_str_eq(who.exe, exe);
		ck_assert_uint_ge(who.time_ns / 1000000, before);
		ck_assert_uint_le(who.time_ns / 1000000, now_ms());
		end_writer(pid, gate[1]);
		ck_assert(!writer_within(50));
	}
}
END_TEST

START_TEST(writers_unit_is_named)
{
	const char *base = access(PATH_CGROUP_HYBRID, F_OK) == 0 ? PATH_CGROUP_HYBRID : PATH_CGROUP;
	char dir[PATH_MAX], procs[PATH_MAX + 16], unit[64];
	int gate[2];
	pid_t pid;

	(void)snprintf(unit, sizeof(unit), "thpd-test-%d.service", (int)getpid());
	(void)snprintf(dir, sizeof(dir), "%s/%s", base, unit);
	(void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	ck_assert_msg(mkdir(dir, 0755) == 0, "%s: %s", dir, strerror(errno));
	pid = start_writer("defrag", procs, gate);
	ck_assert(writer_within(5000));
	end_writer(pid, gate[1]);
	for (int i = 0; i < 100 && rmdir(dir) < 0; i++)
		(void)usleep(10000);
	ck_assert_int_eq(who.pid, pid);
	ck_assert_str_eq(who.unit, unit);
}
END_TEST

/* As `echo always >enabled` does it: here and gone. What is known of it is right. */
START_TEST(short_lived_writers_have_a_pid_at_least)
{
	const struct thp_file *f = file("khugepaged/defrag");
	char command[256];
	int named = 0, told = 0;

	(void)snprintf(command, sizeof(command), "echo %s >" THP_DIR "/%s", f->was, f->key);
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			(void)execl("/bin/sh", "sh", "-c", command, NULL);
			_exit(1);
		}
		ck_assert(writer_within(5000));
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		ck_assert_int_eq(who.pid, pid);
		ck_assert_str_eq(who.comm, "sh"); /* it has not been reaped: its name is there */
		named += who.exe[0] != '\0';
		told++;
	}
	printf("# of %d short-lived writers the program of %d was known\n", told, named);
}
END_TEST

/* One that has been reaped is not mistaken for another. */
START_TEST(a_writer_that_is_gone_is_a_pid)
{
	int gate[2];
	pid_t pid = start_writer("defrag", NULL, gate);

	end_writer(pid, gate[1]);
	ck_assert(writer_within(1000));
	ck_assert_int_eq(who.pid, pid);
	ck_assert_str_eq(who.comm, "");
	ck_assert_str_eq(who.exe, "");
	ck_assert_str_eq(who.unit, "");
}
END_TEST

START_TEST(own_writes_can_be_left_out)
{
	const struct thp_file *f = file("defrag");
	const int32_t ignore[] = { 1, (int32_t)getpid() };

	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert(writer_within(1000));
	ck_assert_int_eq(who.pid, getpid());
	writers.ignore = ignore;
	writers.n_ignore = 2;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert(!writer_within(50));
	ck_assert_int_lt(writers_timeout(&writers), 0); /* they do not count as too many */
	writers.n_ignore = 1;
	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert(writer_within(1000));
}
END_TEST

START_TEST(another_list_takes_the_place_of_the_first)
{
	const char *other[] = { "khugepaged/defrag" };
	const struct thp_file *f = file("defrag"), *g = file("khugepaged/defrag");

	ck_assert_int_eq(writers_set(&writers, other, 1), 0);
	ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert(!writer_within(50));
	ck_assert_int_eq(thp_write(g->key, g->was), 0);
	ck_assert(writer_within(1000));
	ck_assert_uint_eq(who.key, 0);
	ck_assert_int_eq(writers_set(&writers, NULL, 0), 0);
	ck_assert_int_eq(thp_write(g->key, g->was), 0);
	ck_assert(!writer_within(50));
}
END_TEST

/* Nobody reads, and whoever writes does not notice. */
START_TEST(nobody_is_held_up)
{
	const struct thp_file *f = file("khugepaged/defrag");
	uint64_t begun = now_ms();

	for (int i = 0; i < 20000; i++)
		ck_assert_int_eq(thp_write(f->key, f->was), 0);
	ck_assert_uint_lt(now_ms() - begun, 10000);
	ck_assert(writer_within(1000));
}
END_TEST

START_TEST(a_writer_in_a_loop_costs_little)
{
	const struct thp_file *f = file("defrag");
	uint64_t until, cpu;
	pid_t pid = fork();
	size_t told = 0;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int fd = openat(thp_dirfd, f->key, O_WRONLY | O_CLOEXEC);

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			if (pwrite(fd, f->was, strlen(f->was), 0) < 0)
				_exit(1);
	}
	cpu = cpu_us();
	until = now_ms() + 3000;
	while (now_ms() < until)
		told += writer_within((int)(until - now_ms()));
	cpu = cpu_us() - cpu;
	(void)kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(who.pid, pid);
	ck_assert_uint_ge(told, 20);
	ck_assert_uint_le(told, 16 * 4);
	ck_assert_msg(cpu < 60000, "%lu us in 3 s", (unsigned long)cpu);
	printf("# a writer in a loop, 3 s: told %zu times, %lu us of CPU\n", told,
	       (unsigned long)cpu);
}
END_TEST

static int run(void *data)
{
	Suite *s = suite_create("writers");
	TCase *c = new_case(s, "writers");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, writer_is_named);
	tcase_add_test(c, writers_unit_is_named);
	tcase_add_test(c, short_lived_writers_have_a_pid_at_least);
	tcase_add_test(c, a_writer_that_is_gone_is_a_pid);
	tcase_add_test(c, own_writes_can_be_left_out);
	tcase_add_test(c, another_list_takes_the_place_of_the_first);
	tcase_add_test(c, nobody_is_held_up);
	tcase_add_test(c, a_writer_in_a_loop_costs_little);
	return run_suite(s);
}

int main(void)
{
	return thp_files_main(run, "writers");
}
