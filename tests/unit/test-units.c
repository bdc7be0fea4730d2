/* SPDX-License-Identifier: MIT */
/* Units and processes: of trees that look like a host's, and of the machine that runs this. */
#include "helper.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sys/proc.h"
#include "sys/units.h"

static struct arena scratch;
static const char *tree;
static struct root root = { .fd = -1 };
static struct unit_tree units;

static void setup(void)
{
	tree = tree_make(&scratch, NULL, 0);
	ck_assert_int_eq(root_open_tree(tree, &root), 0);
}

static void teardown(void)
{
	units_free(&units);
	root_close(&root);
	arena_free(&scratch);
}

/* What lies in a hierarchy, wherever that is mounted. */
static const struct file groups[] = {
	{ "cgroup.procs", "2\n3\n" },
	{ "init.scope/cgroup.procs", "1\n" },
	{ "system.slice/cgroup.procs", "" },
	{ "system.slice/redis-server.service/cgroup.procs", "812\n" },
	{ "system.slice/system-postgresql.slice/postgresql@15-main.service/cgroup.procs",
	  "905\n901\n902\n" },
	{ "system.slice/_cpu.service/cgroup.procs", "77\n" },
	{ "system.slice/__odd.service/cgroup.procs", "78\n" },
	{ "system.slice/docker-4f5e.scope/cgroup.procs", "" },
	{ "system.slice/docker-4f5e.scope/init/cgroup.procs", "1201\n" },
	{ "system.slice/docker-4f5e.scope/system.slice/nginx.service/cgroup.procs",
	  "1310\n1202\n" },
	{ "system.slice/var.mount/cgroup.procs", "600\n" },
	{ "user.slice/user-1000.slice/session-2.scope/cgroup.procs", "0\n2100\n0\n" },
	{ "user.slice/user-1000.slice/user@1000.service/init.scope/cgroup.procs", "2001\n" },
	{ "user.slice/user-1000.slice/user@1000.service/app.slice/app-x.service/cgroup.procs",
	  "2002\n" },
	{ "machine.slice/cgroup.procs", "3000\n" },
	{ "machine.slice/odd/cgroup.procs", "3001\n" },
	{ "machine.slice/odd/deeper/inner.service/cgroup.procs", "3002\n" },
	{ "lxc.payload.web/system.slice/nginx.service/cgroup.procs", "4000\n" },
	{ ".hidden.slice/a.service/cgroup.procs", "4001\n" },
	{ "not-a-directory.service", "4002\n" },
	{ ".service/cgroup.procs", "4003\n" },
	{ "_.service/cgroup.procs", "4003\n" },
};

/* What is found there, in this order. */
static const struct {
	const char *name, *path, *parent;
} found[] = {
	{ "init.scope", "init.scope", NULL },
	{ "machine.slice", "machine.slice", NULL },
	{ "system.slice", "system.slice", NULL },
	{ "user.slice", "user.slice", NULL },
	{ "_odd.service", "system.slice/__odd.service", "system.slice" },
	{ "cpu.service", "system.slice/_cpu.service", "system.slice" },
	{ "docker-4f5e.scope", "system.slice/docker-4f5e.scope", "system.slice" },
	{ "redis-server.service", "system.slice/redis-server.service", "system.slice" },
	{ "system-postgresql.slice", "system.slice/system-postgresql.slice", "system.slice" },
	{ "var.mount", "system.slice/var.mount", "system.slice" },
	{ "user-1000.slice", "user.slice/user-1000.slice", "user.slice" },
	{ "postgresql@15-main.service",
	  "system.slice/system-postgresql.slice/postgresql@15-main.service",
	  "system-postgresql.slice" },
	{ "session-2.scope", "user.slice/user-1000.slice/session-2.scope", "user-1000.slice" },
	{ "user@1000.service", "user.slice/user-1000.slice/user@1000.service", "user-1000.slice" },
	{ "inner.service", "machine.slice/odd/deeper/inner.service", "machine.slice" },
};

static const struct {
	enum cgroup_layout layout;
	const char *base, *mark;
} layouts[] = {
	{ CGROUP_UNIFIED, "/sys/fs/cgroup", "cgroup.controllers" },
	{ CGROUP_HYBRID, "/sys/fs/cgroup/unified", "cgroup.controllers" },
	{ CGROUP_LEGACY, "/sys/fs/cgroup/systemd", "release_agent" },
};

static void add_group_file(const char *base, const char *name, const char *content)
{
	tree_add(tree, arena_printf(&scratch, "%s/%s", base, name), content);
}

static void add_hierarchy(size_t layout)
{
	add_group_file(layouts[layout].base, layouts[layout].mark, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		add_group_file(layouts[layout].base, groups[i].path, groups[i].content);
}

static uint32_t unit_index(const char *name)
{
	const struct unit *u;

	array_foreach(u, &units.units)
		if (streq(u->name, name))
			return (uint32_t)(u - units.units.items);
	ck_abort_msg("there is no unit %s", name);
	return UNIT_NO_PARENT;
}

/* The pids of a unit, with blanks between. */
static const char *pids_of(const struct root *host, const char *name)
{
	pidlist pids = { 0 };
	const char *text = "";
	const int32_t *pid;

	ck_assert_int_eq(unit_pids(host, &units, unit_index(name), &scratch, &pids), 0);
	array_foreach(pid, &pids)
		text = arena_printf(&scratch, "%s%s%d", text, *text ? " " : "", (int)*pid);
	return text;
}

START_TEST(units_are_found_in_every_layout)
{
	add_hierarchy((size_t)_i);
	ck_assert_int_eq(units_read(&root, &units), 0);
	ck_assert_int_eq(units.layout, layouts[_i].layout);
	ck_assert_str_eq(units.base, layouts[_i].base);
	ck_assert_uint_eq(units.units.n, ARRAY_SIZE(found));
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		const struct unit *u = &units.units.items[i];

		ck_assert_str_eq(u->name, found[i].name);
		ck_assert_str_eq(u->path, found[i].path);
		if (!found[i].parent) {
			ck_assert_uint_eq(u->parent, UNIT_NO_PARENT);
			continue;
		}
		ck_assert_uint_lt(u->parent, i);
		ck_assert_str_eq(units.units.items[u->parent].name, found[i].parent);
	}
}
END_TEST

START_TEST(processes_belong_to_the_systems_unit)
{
	static const struct {
		const char *unit, *pids;
	} cases[] = {
		{ "init.scope", "1" },
		{ "redis-server.service", "812" },
		{ "postgresql@15-main.service", "901 902 905" },
		{ "system-postgresql.slice", "" },
		{ "cpu.service", "77" },
		{ "_odd.service", "78" },
		{ "docker-4f5e.scope", "1201 1202 1310" },
		{ "user@1000.service", "2001 2002" },
		{ "session-2.scope", "2100" },
		{ "system.slice", "" },
		{ "var.mount", "600" },
		{ "machine.slice", "3000 3001" },
		{ "inner.service", "3002" },
	};

	add_hierarchy((size_t)_i);
	ck_assert_int_eq(units_read(&root, &units), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_str_eq(pids_of(&root, cases[i].unit), cases[i].pids);
		ck_assert(unit_exists(&root, cases[i].unit));
	}
	ck_assert(!unit_exists(&root, "redis-server.slice"));
}
END_TEST

START_TEST(a_hierarchy_without_units_is_not_the_one)
{
	ck_assert_int_eq(units_read(&root, &units), -ENOENT);
	/* All three, as it may be on a host whose manager uses only the last one. */
	for (size_t i = 0; i < 2; i++)
		add_group_file(layouts[i].base, layouts[i].mark, "\n");
	add_group_file(layouts[1].base, "docker/4f5e/cgroup.procs", "5\n");
	add_group_file(layouts[2].base, "cgroup.procs", "1\n");
	ck_assert_int_eq(units_read(&root, &units), -ENOENT);
	ck_assert_uint_eq(units.units.n, 0);
	add_hierarchy(2);
	ck_assert_int_eq(units_read(&root, &units), 0);
	ck_assert_int_eq(units.layout, CGROUP_LEGACY);
	units_free(&units);
	add_hierarchy(1);
	ck_assert_int_eq(units_read(&root, &units), 0);
	ck_assert_int_eq(units.layout, CGROUP_HYBRID);
	units_free(&units);
	/* Units, but not of a hierarchy that is mounted there. */
	ck_assert_int_eq(unlink(tree_path(&scratch, tree,
					  "/sys/fs/cgroup/unified/cgroup.controllers")),
			 0);
	ck_assert_int_eq(units_read(&root, &units), 0);
	ck_assert_int_eq(units.layout, CGROUP_LEGACY);
}
END_TEST

START_TEST(groups_may_vanish)
{
	static const char *const gone[] = {
		"/sys/fs/cgroup/system.slice/redis-server.service/cgroup.procs",
		"/sys/fs/cgroup/system.slice/redis-server.service",
		"/sys/fs/cgroup/system.slice/docker-4f5e.scope/init/cgroup.procs",
	};

	add_hierarchy(0);
	ck_assert_int_eq(units_read(&root, &units), 0);
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		ck_assert_int_eq(remove(tree_path(&scratch, tree, gone[i])), 0);
	ck_assert_str_eq(pids_of(&root, "redis-server.service"), "");
	ck_assert_str_eq(pids_of(&root, "docker-4f5e.scope"), "1202 1310");
}
END_TEST

START_TEST(many_processes_and_each_once)
{
	enum { N = 20000 };
	char *text = arena_alloc(&scratch, N * 8), *s = text;
	pidlist pids = { 0 };

	for (int pid = N; pid > 0; pid--)
		s += sprintf(s, "%d\n", pid);
	add_hierarchy(0);
	add_group_file("/sys/fs/cgroup", "system.slice/redis-server.service/cgroup.procs", text);
	add_group_file("/sys/fs/cgroup", "system.slice/redis-server.service/b/cgroup.procs",
		       "17\n20001");
	ck_assert_int_eq(units_read(&root, &units), 0);
	ck_assert_int_eq(unit_pids(&root, &units, unit_index("redis-server.service"), &scratch,
				   &pids),
			 0);
	ck_assert_uint_eq(pids.n, N + 1);
	for (size_t i = 0; i < pids.n; i++)
		ck_assert_int_eq(pids.items[i], (int)i + 1);
}
END_TEST

/* Nothing that stands in place of a group's file may hold us. */
START_TEST(a_fifo_is_no_group)
{
	pidlist pids = { 0 };

	add_hierarchy(0);
	ck_assert_int_eq(remove(tree_path(&scratch, tree,
					  "/sys/fs/cgroup/init.scope/cgroup.procs")),
			 0);
	ck_assert_int_eq(mkfifo(tree_path(&scratch, tree, "/sys/fs/cgroup/init.scope/cgroup.procs"),
				0644),
			 0);
	ck_assert_int_eq(units_read(&root, &units), 0);
	alarm(5);
	ck_assert_int_eq(unit_pids(&root, &units, unit_index("init.scope"), &scratch, &pids),
			 -EINVAL);
	alarm(0);
}
END_TEST

#define REDIS "system.slice/redis-server.service/"

static const struct unit_memory unknown = { -1, -1, -1, -1, -1 };

static void check_memory(const char *unit, const struct unit_memory *wanted)
{
	struct unit_memory m;

	ck_assert_int_eq(unit_memory(&root, &units, unit_index(unit), &m), 0);
	ck_assert_int_eq(m.current_kb, wanted->current_kb);
	ck_assert_int_eq(m.anon_kb, wanted->anon_kb);
	ck_assert_int_eq(m.file_kb, wanted->file_kb);
	ck_assert_int_eq(m.kernel_kb, wanted->kernel_kb);
	ck_assert_int_eq(m.hidden_kb, wanted->hidden_kb);
}

START_TEST(memory_that_is_charged_and_not_mapped)
{
	static const struct {
		const char *stat;
		struct unit_memory wanted;
	} cases[] = {
		{ "anon 102400\nfile 20480\nkernel 8192\nkernel_stack 2048\nslab 4096\n"
		  "sock 1024\nfile_mapped 4096\nanon_thp 0\nhugetlb 2048\n",
		  { 1000, 100, 20, 8, 1000 - 100 - 20 - 8 - 1 - 2 } },
		/* Linux before 5.18 tells no sum of the kernel's. */
		{ "anon 102400\nfile 20480\nkernel_stack 1024\npagetables 2048\npercpu 3072\n"
		  "sock 0\nslab 4096\n",
		  { 1000, 100, 20, 10, 870 } },
		/* The kernel's batches: more was counted than is charged. */
		{ "anon 1024000\nfile 20480\nkernel 0\n", { 1000, 1000, 20, 0, 0 } },
		{ "file 20480\n", { 1000, -1, 20, 0, -1 } },
	};

	add_hierarchy(0);
	ck_assert_int_eq(units_read(&root, &units), 0);
	ck_assert_str_eq(units.memory, "/sys/fs/cgroup");
	check_memory("redis-server.service", &unknown);
	add_group_file("/sys/fs/cgroup", REDIS "memory.current", "1024000\n");
	check_memory("redis-server.service", &unknown);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		add_group_file("/sys/fs/cgroup", REDIS "memory.stat", cases[i].stat);
		check_memory("redis-server.service", &cases[i].wanted);
	}
	check_memory("init.scope", &unknown);
}
END_TEST

START_TEST(memory_has_a_hierarchy_of_its_own)
{
	static const struct unit_memory wanted = { 1000, 100, 20, 8, 872 };

	add_hierarchy((size_t)_i);
	ck_assert_int_eq(units_read(&root, &units), 0);
	ck_assert_ptr_null(units.memory);
	check_memory("redis-server.service", &unknown);
	units_free(&units);
	add_group_file("/sys/fs/cgroup/memory", REDIS "memory.usage_in_bytes", "1024000\n");
	add_group_file("/sys/fs/cgroup/memory", REDIS "memory.kmem.usage_in_bytes", "8192\n");
	add_group_file("/sys/fs/cgroup/memory", REDIS "memory.stat",
		       "cache 1\nrss 2\nrss_huge 3\ntotal_cache 20480\ntotal_rss 102400\n"
		       "total_rss_huge 0\n");
	ck_assert_int_eq(units_read(&root, &units), 0);
	ck_assert_str_eq(units.memory, "/sys/fs/cgroup/memory");
	check_memory("redis-server.service", &wanted);
	check_memory("init.scope", &unknown);
}
END_TEST

static void add_process(int pid, const char *name, const char *content)
{
	tree_add(tree, arena_printf(&scratch, "/proc/%d/%s", pid, name), content);
}

/* A line of /proc/PID/stat: parent 7, 3 threads, started at 4711, last on CPU 5. */
static const char *stat_line(int pid, const char *comm, unsigned int flags)
{
	return arena_printf(
		&scratch,
		"%d (%s) S 7 1 1 0 -1 %u 100 0 0 0 9 4 0 0 20 0 3 0 4711 18446744073709551615 "
		"416 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 5 0 0 0 0 0 0 0 0 0 "
		"0 0 0 0\n",
		pid, comm, flags);
}

#define STATUS                                                                                   \
	"Name:\tredis\nState:\tS (sleeping)\nTgid:\t812\nPid:\t812\nPPid:\t7\nTracerPid:\t31\n"  \
	"Uid:\t1\t113\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t%s\nVmPeak:\t99 kB\nVmRSS:\t  5332 kB\n" \
	"RssAnon:\t    1234 kB\nRssFile:\t 1 kB\nVmSwap:\t       8 kB\nTHP_enabled:\t%d\n"       \
	"Threads:\t3\nSeccomp:\t%d\nSeccomp_filters:\t1\n"

START_TEST(a_process_as_the_kernel_tells_of_it)
{
	struct proc p = { 0 };

	add_process(812, "stat", stat_line(812, "redis-server", 0x400100));
	add_process(812, "status", arena_printf(&scratch, STATUS, "1 2", 0, 2));
	ck_assert_int_eq(proc_read(&root, 812, &p), 0);
	ck_assert_int_eq(p.pid, 812);
	ck_assert_int_eq(p.ppid, 7);
	ck_assert_uint_eq(p.start, 4711);
	ck_assert_uint_eq(p.uid, 113);
	ck_assert_uint_eq(p.threads, 3);
	ck_assert_int_eq(p.tracer, 31);
	ck_assert_int_eq(p.cpu, 5);
	ck_assert_int_eq(p.thp_enabled, 0);
	ck_assert_int_eq(p.state, 'S');
	ck_assert(p.seccomp);
	ck_assert(!p.kernel);
	ck_assert_str_eq(p.comm, "redis-server");
	ck_assert_int_eq(p.rss_kb, 5332);
	ck_assert_int_eq(p.anon_kb, 1234);
	ck_assert_int_eq(p.swap_kb, 8);
	add_process(812, "status", arena_printf(&scratch, STATUS, "", 1, 0));
	ck_assert_int_eq(proc_read(&root, 812, &p), 0);
	ck_assert_int_eq(p.thp_enabled, 1);
	ck_assert(!p.seccomp);
}
END_TEST

START_TEST(what_is_not_said_is_not_known)
{
	struct proc p = { 0 };

	add_process(9, "stat", stat_line(9, "kworker/u4:1-events_unbound", 0x4208060));
	add_process(9, "status", "Name:\tx\nUid:\t0\t0\t0\t0\nThreads:\t1\n");
	ck_assert_int_eq(proc_read(&root, 9, &p), 0);
	ck_assert(p.kernel);
	ck_assert_str_eq(p.comm, "kworker/u4:1-events_unbound");
	ck_assert_int_eq(p.thp_enabled, -1);
	ck_assert_int_eq(p.rss_kb, -1);
	ck_assert_int_eq(p.anon_kb, -1);
	ck_assert_int_eq(p.swap_kb, -1);
	ck_assert_int_eq(p.tracer, 0);
}
END_TEST

START_TEST(names_may_hold_anything)
{
	static const char *const names[] = {
		"a) b (", ")", "(", "a b", "x\ny) R 1", "", ") R 1 1",
	};
	struct proc p = { 0 };

	add_process(5, "status", arena_printf(&scratch, STATUS, "", 1, 0));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		add_process(5, "stat", stat_line(5, names[i], 0));
		ck_assert_int_eq(proc_read(&root, 5, &p), 0);
		ck_assert_str_eq(p.comm, names[i]);
		ck_assert_int_eq(p.ppid, 7);
		ck_assert_uint_eq(p.start, 4711);
	}
}
END_TEST

START_TEST(a_line_may_be_longer_than_the_buffer)
{
	static const size_t sizes[] = { 3900, 3950, 4000, 4050, 4095, 4096, 4097, 8191, 300000 };
	/* What would be a line of its own, wherever the head of one is taken for all of it. */
	static const char fake[] = "TracerPid:\t1\n";
	struct proc p = { 0 };

	add_process(5, "stat", stat_line(5, "x", 0));
	for (size_t i = 0; i < ARRAY_SIZE(sizes) * strlen(fake); i++) {
		size_t n = sizes[i / strlen(fake)];
		char *many = arena_alloc(&scratch, n + 1);

		for (size_t k = 0; k < n; k++)
			many[k] = fake[(k + i) % (strlen(fake) - 1)];
		add_process(5, "status", arena_printf(&scratch, STATUS, many, 0, 2));
		ck_assert_int_eq(proc_read(&root, 5, &p), 0);
		ck_assert_int_eq(p.tracer, 31);
		ck_assert_int_eq(p.rss_kb, 5332);
		ck_assert_int_eq(p.thp_enabled, 0);
		ck_assert_uint_eq(p.uid, 113);
		ck_assert(p.seccomp);
	}
}
END_TEST

START_TEST(what_is_no_process)
{
	static const char *const bad[] = { "",	     "5",	"5 (x",	       "5 (x)",
					   "5 (x) ", "5 (x) S", "5 (x) S 7 1", "5 )x( S 7 1 1" };
	const struct proc before = { .pid = 77 };
	struct proc p = before;

	ck_assert_int_eq(proc_read(&root, 5, &p), -ESRCH);
	tree_add(tree, "/proc/5", NULL);
	ck_assert_int_eq(proc_read(&root, 5, &p), -ESRCH);
	add_process(5, "stat", stat_line(5, "x", 0));
	ck_assert_int_eq(proc_read(&root, 5, &p), -ESRCH);
	add_process(5, "status", arena_printf(&scratch, STATUS, "", 1, 0));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		add_process(5, "stat", bad[i]);
		ck_assert_msg(proc_read(&root, 5, &p) == -EBADMSG, "'%s'", bad[i]);
	}
	ck_assert_int_eq(memcmp(&p, &before, sizeof(p)), 0);
}
END_TEST

START_TEST(programs)
{
	static const struct {
		const char *target, *exe;
	} cases[] = {
		{ "-> /usr/bin/redis-server", "/usr/bin/redis-server" },
		{ "-> /usr/bin/redis-server (deleted)", "/usr/bin/redis-server" },
		{ "-> /memfd:x (deleted)", "/memfd:x" },
		{ "-> /odd (deleted)/x", "/odd (deleted)/x" },
	};
	const char *exe = "untouched";

	ck_assert_int_eq(proc_exe(&root, 5, &scratch, &exe), -ESRCH);
	tree_add(tree, "/proc/5", NULL);
	ck_assert_int_eq(proc_exe(&root, 5, &scratch, &exe), -ENOENT);
	ck_assert_str_eq(exe, "untouched");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		add_process(5, "exe", cases[i].target);
		ck_assert_int_eq(proc_exe(&root, 5, &scratch, &exe), 0);
		ck_assert_str_eq(exe, cases[i].exe);
	}
}
END_TEST

START_TEST(mapped_memory)
{
	struct proc_memory m = { 0 };

	ck_assert_int_eq(proc_memory(&root, 5, &m), -ESRCH);
	add_process(
		5, "smaps_rollup",
		"5607f1dde000-7fff35a7a000 ---p 00000000 00:00 0    [rollup]\n"
		"Rss:    10000 kB\nPss:    9000 kB\nPss_Dirty:    1 kB\nAnonHugePages:  8192 kB\n"
		"ShmemPmdMapped: 2048 kB\nFilePmdMapped:   4096 kB\nSwap:    0 kB\n");
	ck_assert_int_eq(proc_memory(&root, 5, &m), 0);
	ck_assert_int_eq(m.rss_kb, 10000);
	ck_assert_int_eq(m.pss_kb, 9000);
	ck_assert_int_eq(m.anon_huge_kb, 8192);
	ck_assert_int_eq(m.shmem_huge_kb, 2048);
	ck_assert_int_eq(m.file_huge_kb, 4096);
}
END_TEST

/* A region of smaps; THPeligible is left out where @eligible is negative. */
static const char *region(const char *head, int eligible, const char *flags)
{
	const char *thp = eligible < 0 ? "" :
					 arena_printf(&scratch, "THPeligible:    %8d\n", eligible);

	return arena_printf(&scratch, "%s\nSize: 4 kB\n%sProtectionKey: 0\nVmFlags: %s\n", head,
			    thp, flags);
}

START_TEST(eligible_is_read_where_nothing_was_advised)
{
	/* Each but the last tells nothing about the process, and says the opposite. */
	static const struct {
		const char *head, *flags;
	} silent[] = {
		{ "55d000000000-55d040000000 r-xp 00000000 fe:00 1048 /usr/bin/x",
		  "rd ex mr mw me" },
		{ "55e000000000-55e040000000 rw-p 00000000 00:00 0 ", "rd wr mr mw me ac hg" },
		{ "55f000000000-55f040000000 rw-p 00000000 00:00 0 ", "nh rd wr" },
		{ "560000000000-560000400000 rw-s 00000000 00:01 2 /dev/zero (deleted)",
		  "rd wr sh" },
		{ "560000600000-5600009ff000 rw-p 00000000 00:00 0 ", "rd wr" },
		{ "5600011ff000-560001401000 rw-p 00000000 00:00 0 ", "rd wr" },
		{ "560002000000-560042000000 rw-p 00000000 00:0f 55 /anon_hugepage (deleted)",
		  "rd wr de ht" },
		{ "570000000000-570040000000 rw-p 00000000 00:00 0 [vvar]", "rd" },
		{ "571000000000-571040000000 rw-p 00000000 00:00 0 ", "rd wr io" },
		{ "572000000000-572040000000 rw-p 00000000 00:00 0 ", "rd wr pf" },
		{ "573000000000-573040000000 rw-p 00000000 00:00 0 ", "rd wr ht" },
		{ "574000000000-574040000000 rw-p 00000000 00:00 0 ", "rd wr mm dd" },
		{ "575000000000-575040000000 rw-p 00000000 00:00 0 ", "rd wr de" },
		{ "576000000000-576040000000 rw-p", "rd wr" },
	};
	static const char *const heads[] = {
		"7f0000000000-7f0000400000 rw-p 00000000 00:00 0 ",
		"7f0000000000-7f0000400000 rw-p 00000000 00:00 0                          [heap]",
		"7f0000000000-7f0000400000 ---p 00000000 00:00 0 [anon:java heap]",
		"7f0000001000-7f0000601000 rw-p 00000000 00:00 0",
	};
	const uint64_t pmd = 2 << 20;

	for (int eligible = 0; eligible < 2; eligible++)
		for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
			const char *text = "",
				   *last = region(heads[i], eligible, "rd wr mr mw me ac sd");

			for (size_t k = 0; k < ARRAY_SIZE(silent); k++)
				text = arena_printf(&scratch, "%s%s", text,
						    region(silent[k].head, !eligible,
							   silent[k].flags));
			add_process(5, "smaps", text);
			ck_assert_int_eq(proc_thp_eligible(&root, 5, pmd), -ENODATA);
			add_process(5, "smaps",
				    arena_printf(&scratch, "%s%s%s", text, last,
						 region(heads[0], !eligible, "rd")));
			ck_assert_int_eq(proc_thp_eligible(&root, 5, pmd), eligible);
			ck_assert_int_eq(proc_thp_eligible(&root, 5, pmd * 2), -ENODATA);
			ck_assert_int_eq(proc_thp_eligible(&root, 5, 0), -ENODATA);
		}
	/* An old kernel does not say. */
	add_process(5, "smaps", region(heads[0], -1, "rd wr"));
	ck_assert_int_eq(proc_thp_eligible(&root, 5, pmd), -ENODATA);
	ck_assert_int_eq(proc_thp_eligible(&root, 6, pmd), -ESRCH);
}
END_TEST

START_TEST(users_have_names)
{
	static const struct {
		uint32_t uid;
		const char *name;
	} cases[] = {
		{ 0, "root" },
		{ 113, "redis" },
		{ 7, "empty-password" },
		{ 61234, "dyn" },
		{ 8, "first" },
		{ 99, "99" },
		{ 61235, "61235" },
		{ UINT32_MAX, "4294967295" },
		{ 12, "12" },
		{ 61236, "61236" },
	};
	const char *name = NULL;

	ck_assert_int_eq(proc_user(&root, 0, &scratch, &name), 0);
	ck_assert_str_eq(name, "0");
	tree_add(tree, "/etc/passwd",
		 "root:x:0:0:root:/root:/bin/bash\n# 99:x:99\nempty-password::7:7::/:\n"
		 "first:x:8:8::/:\nsecond:x:8:8::/:\n:x:12:12::/:\nshort:12\n+::::::\nbad:x:-1:\n"
		 "redis:x:113:120::/var/lib/redis:/usr/sbin/nologin");
	tree_add(tree, "/run/systemd/dynamic-uid/61234", "dyn\n");
	tree_add(tree, "/run/systemd/dynamic-uid/61235", "\n");
	tree_add(tree, "/run/systemd/dynamic-uid/0", "other\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(proc_user(&root, cases[i].uid, &scratch, &name), 0);
		ck_assert_str_eq(name, cases[i].name);
	}
}
END_TEST

/* The machine itself. */
static const struct root live = ROOT_LIVE;

/* A child that does what it is told, says so, and waits to be killed. */
static pid_t start_child(void (*prepare)(void))
{
	int p[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(p), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		prepare();
		if (write(p[1], "x", 1) == 1)
			for (;;)
				(void)pause();
		_exit(1);
	}
	close_fd(p[1]);
	ck_assert_int_eq(read(p[0], &c, 1), 1);
	close_fd(p[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void do_nothing(void)
{
}

static void be_odd(void)
{
	(void)prctl(PR_SET_NAME, "a) b (\nR");
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

START_TEST(this_process)
{
	char exe[PATH_MAX] = "", comm[32];
	struct proc p = { 0 };
	struct proc_memory m;
	const char *program = NULL;

	ck_assert_int_eq(prctl(PR_GET_NAME, comm), 0);
	ck_assert_int_gt(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
	ck_assert_int_eq(proc_read(&live, getpid(), &p), 0);
	ck_assert_int_eq(p.pid, getpid());
	ck_assert_int_eq(p.ppid, getppid());
	ck_assert_uint_eq(p.uid, geteuid());
	ck_assert_uint_eq(p.threads, 1);
	ck_assert_int_eq(p.state, 'R');
	ck_assert_str_eq(p.comm, comm);
	ck_assert(!p.kernel);
	ck_assert_int_gt(p.rss_kb, 0);
	ck_assert_int_gt(p.anon_kb, 0);
	ck_assert_int_ge(p.swap_kb, 0);
	ck_assert_int_eq(proc_exe(&live, getpid(), &scratch, &program), 0);
	ck_assert_str_eq(program, exe);
	ck_assert_int_eq(proc_memory(&live, getpid(), &m), 0);
	ck_assert_int_gt(m.rss_kb, 0);
	ck_assert_int_ge(m.rss_kb, m.pss_kb);
}
END_TEST

START_TEST(a_child)
{
	pid_t plain = start_child(do_nothing), odd = start_child(be_odd);
	struct proc p, q;

	ck_assert_int_eq(proc_read(&live, plain, &p), 0);
	/* It says that it is ready a moment before it waits. */
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(proc_read(&live, odd, &q), 0);
		if (q.state == 'S')
			break;
		(void)usleep(1000);
	}
	ck_assert_int_eq(q.ppid, getpid());
	ck_assert_uint_ge(q.start, p.start);
	ck_assert_uint_gt(p.start, 0);
	ck_assert_str_eq(q.comm, "a) b (\nR");
	ck_assert_int_eq(q.state, 'S');
	ck_assert_int_eq(p.thp_enabled, 1);
	ck_assert_int_eq(q.thp_enabled, 0);
	end_child(plain);
	end_child(odd);
	ck_assert_int_eq(proc_read(&live, odd, &q), -ESRCH);
}
END_TEST

START_TEST(who_has_no_memory)
{
	const char *exe = "untouched";
	struct proc_memory m;
	struct proc p;
	pid_t pid = fork();
	siginfo_t info;

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(proc_read(&live, pid, &p), 0);
	ck_assert_int_eq(p.state, 'Z');
	ck_assert_int_eq(p.rss_kb, -1);
	ck_assert_int_eq(p.thp_enabled, -1);
	ck_assert_int_eq(proc_exe(&live, pid, &scratch, &exe), -ENOENT);
	ck_assert_int_eq(proc_memory(&live, pid, &m), -ESRCH);
	ck_assert_int_eq(proc_thp_eligible(&live, pid, 2 << 20), -ESRCH);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* In a pid namespace of its own, 2 is no kernel thread. */
	if (proc_read(&live, 2, &p) == 0 && streq(p.comm, "kthreadd")) {
		ck_assert(p.kernel);
		ck_assert_int_eq(p.rss_kb, -1);
		ck_assert_int_eq(p.thp_enabled, -1);
		ck_assert_int_eq(proc_exe(&live, 2, &scratch, &exe),
				 geteuid() == 0 ? -ENOENT : -EACCES);
	}
	ck_assert_str_eq(exe, "untouched");
}
END_TEST

START_TEST(who_is_not_there)
{
	static const int32_t pids[] = { INT32_MAX, 0, -1, INT32_MIN };
	const char *exe;
	struct proc_memory m;
	struct proc p;

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		ck_assert_int_eq(proc_read(&live, pids[i], &p), -ESRCH);
		ck_assert_int_eq(proc_exe(&live, pids[i], &scratch, &exe), -ESRCH);
		ck_assert_int_eq(proc_memory(&live, pids[i], &m), -ESRCH);
		ck_assert_int_eq(proc_thp_eligible(&live, pids[i], 2 << 20), -ESRCH);
	}
}
END_TEST

static void *wait_for_ever(void *ready)
{
	char c = 'x';

	if (write(*(int *)ready, &c, 1) != 1)
		_exit(1);
	for (;;)
		(void)pause();
	return NULL;
}

START_TEST(who_has_lost_its_first_thread)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char *exe = NULL;
	struct proc_memory m = { 0 };
	struct proc p = { 0 };
	siginfo_t info;
	int ready[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		pthread_t thread;

		(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
		if (pthread_create(&thread, NULL, wait_for_ever, &ready[1]) == 0)
			(void)syscall(SYS_exit, 0);
		_exit(1);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	for (int i = 0; i < 1000 && p.state != 'Z'; i++) {
		ck_assert_int_eq(proc_read(&live, pid, &p), 0);
		(void)usleep(1000);
	}
	ck_assert_int_eq(p.state, 'Z');
	ck_assert_int_eq(proc_read(&live, pid, &p), 0);
	ck_assert_uint_eq(p.threads, 2);
	ck_assert_int_eq(p.thp_enabled, 0);
	ck_assert_int_gt(p.rss_kb, 0);
	ck_assert_int_eq(proc_exe(&live, pid, &a, &exe), 0);
	ck_assert_int_eq(proc_memory(&live, pid, &m), 0);
	ck_assert_int_gt(m.rss_kb, 0);
	ck_assert_int_ne(proc_thp_eligible(&live, pid, 2 << 20), -ESRCH);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	end_child(pid);
}
END_TEST

#define MAPPED (64UL << 20)

static void map_plain(void)
{
	(void)mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void map_and_disable(void)
{
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	map_plain();
}

START_TEST(eligible_on_this_kernel)
{
	pid_t plain = start_child(map_plain), disabled = start_child(map_and_disable);
	char word[64] = "";
	ssize_t n = root_read(&live, "/sys/kernel/mm/transparent_hugepage/enabled", word,
			      sizeof(word));

	if (n > 0) {
		if (startswith(word, "[always]"))
			ck_assert_int_eq(proc_thp_eligible(&live, plain, 2 << 20), 1);
		ck_assert_int_eq(proc_thp_eligible(&live, disabled, 2 << 20), 0);
	}
	ck_assert_int_eq(proc_thp_eligible(&live, plain, UINT64_C(1) << 50), -ENODATA);
	end_child(plain);
	end_child(disabled);
}
END_TEST

/* Groups of a live hierarchy, named like units; removed at the end, whatever happened. */
#define A "thpdtest-a.service"
#define B "thpdtest-b.service"

static char slice[64], slice_dir[128], memory_dir[128];

static void remove_groups(void)
{
	static const char *const names[] = { A "/sub", A, B, "" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (*slice_dir)
			(void)rmdir(tree_path(&scratch, slice_dir, names[i]));
	if (*memory_dir)
		(void)rmdir(memory_dir);
	teardown();
}

static void make_groups(void)
{
	setup();
	(void)snprintf(slice, sizeof(slice), "thpdtest%d.slice", (int)getpid());
	if (units_read(&live, &units) == 0) {
		(void)snprintf(slice_dir, sizeof(slice_dir), "%s/%s", units.base, slice);
		units_free(&units);
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(layouts) && !*slice_dir; i++)
			if (access(tree_path(&scratch, layouts[i].base, layouts[i].mark), F_OK) ==
			    0)
				(void)snprintf(slice_dir, sizeof(slice_dir), "%s/%s",
					       layouts[i].base, slice);
	}
	if (mkdir(slice_dir, 0755) < 0)
		*slice_dir = '\0';
	(void)snprintf(memory_dir, sizeof(memory_dir), "/sys/fs/cgroup/memory/%s", slice);
	if (mkdir(memory_dir, 0755) < 0)
		*memory_dir = '\0';
}

static bool write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static void move(const char *dir, pid_t pid)
{
	ck_assert_msg(write_file(tree_path(&scratch, dir, "cgroup.procs"),
				 arena_printf(&scratch, "%d\n", (int)pid)),
		      "%s", dir);
}

START_TEST(units_of_this_kernel)
{
	static const char *const names[] = { "", A, A "/sub", B };
	pid_t pids[ARRAY_SIZE(names)];

	if (!*slice_dir) {
		printf("# no cgroup hierarchy can be written to\n");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *dir = tree_path(&scratch, slice_dir, names[i]);

		ck_assert(i == 0 || mkdir(dir, 0755) == 0);
		pids[i] = start_child(do_nothing);
		move(dir, pids[i]);
	}
	ck_assert_int_eq(units_read(&live, &units), 0);
	ck_assert_uint_eq(units.units.items[unit_index(A)].parent, unit_index(slice));
	ck_assert_str_eq(pids_of(&live, slice), arena_printf(&scratch, "%d", (int)pids[0]));
	ck_assert_str_eq(pids_of(&live, B), arena_printf(&scratch, "%d", (int)pids[3]));
	/* Pids may begin anew in between. */
	ck_assert_str_eq(pids_of(&live, A),
			 arena_printf(&scratch, "%d %d",
				      (int)(pids[1] < pids[2] ? pids[1] : pids[2]),
				      (int)(pids[1] < pids[2] ? pids[2] : pids[1])));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		end_child(pids[i]);
	ck_assert_str_eq(pids_of(&live, A), "");
	/* Removed while we know it, and a group that holds threads (v2). */
	(void)write_file(tree_path(&scratch, slice_dir, A "/sub/cgroup.type"), "threaded");
	ck_assert_str_eq(pids_of(&live, A), "");
	ck_assert_int_eq(rmdir(tree_path(&scratch, slice_dir, B)), 0);
	ck_assert_str_eq(pids_of(&live, B), "");
}
END_TEST

/* Shared with the child that maps it. */
struct mapping {
	char *memory;
	int64_t huge_kb;
};

static struct mapping *mapping;

static void give_back(void)
{
	const size_t huge = 2 << 20;

	for (size_t at = 0; at < MAPPED; at += huge)
		(void)madvise(mapping->memory + at + 4096, huge - 4096, MADV_DONTNEED);
}

static void fill_huge(void)
{
	const size_t huge = 2 << 20;
	char *p = mmap(NULL, MAPPED + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	if (p == MAP_FAILED)
		_exit(1);
	p = (char *)(((uintptr_t)p + huge - 1) & ~(uintptr_t)(huge - 1));
	(void)madvise(p, MAPPED, MADV_HUGEPAGE);
	/* Charged to whose turn it is when it is touched. */
	move(*memory_dir ? memory_dir : slice_dir, getpid());
	memset(p, 1, MAPPED);
	mapping->memory = p;
}

static void fill_and_give_back(void)
{
	struct proc_memory m = { 0 };

	fill_huge();
	if (proc_memory(&live, getpid(), &m) == 0)
		mapping->huge_kb = m.anon_huge_kb;
	give_back();
}

/* The kernel's batches are some hundred kB per CPU; of 64 MiB, 4 are left for that. */
START_TEST(hidden_memory_of_this_kernel)
{
	struct unit_memory full, back;
	const int64_t slack = 4096;
	pid_t pid;

	if (!*slice_dir) {
		printf("# no cgroup hierarchy can be written to\n");
		return;
	}
	mapping = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(mapping, MAP_FAILED);
	ck_assert_int_eq(units_read(&live, &units), 0);

	pid = start_child(fill_huge);
	ck_assert_int_eq(unit_memory(&live, &units, unit_index(slice), &full), 0);
	end_child(pid);
	if (full.current_kb < 0) {
		printf("# no memory controller can be used\n");
		return;
	}
	ck_assert_int_ge(full.current_kb, (int64_t)(MAPPED >> 10) - slack);
	ck_assert_int_ge(full.anon_kb, (int64_t)(MAPPED >> 10) - slack);
	ck_assert_int_le(full.hidden_kb, slack);

	pid = start_child(fill_and_give_back);
	ck_assert_int_eq(unit_memory(&live, &units, unit_index(slice), &back), 0);
	end_child(pid);
	ck_assert_int_le(back.anon_kb, slack);
	ck_assert_int_ge(back.hidden_kb, mapping->huge_kb - slack);
	ck_assert_int_le(back.hidden_kb, mapping->huge_kb + slack);
	if (mapping->huge_kb == 0)
		printf("# the kernel gave no huge pages\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("units");
	TCase *c = new_case(s, "units");
	int status;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, units_are_found_in_every_layout, 0, ARRAY_SIZE(layouts));
	tcase_add_loop_test(c, processes_belong_to_the_systems_unit, 0, ARRAY_SIZE(layouts));
	tcase_add_test(c, a_hierarchy_without_units_is_not_the_one);
	tcase_add_test(c, groups_may_vanish);
	tcase_add_test(c, many_processes_and_each_once);
	tcase_add_test(c, a_fifo_is_no_group);
	tcase_add_test(c, memory_that_is_charged_and_not_mapped);
	tcase_add_loop_test(c, memory_has_a_hierarchy_of_its_own, 1, ARRAY_SIZE(layouts));

	c = new_case(s, "processes");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, a_process_as_the_kernel_tells_of_it);
	tcase_add_test(c, what_is_not_said_is_not_known);
	tcase_add_test(c, names_may_hold_anything);
	tcase_add_test(c, a_line_may_be_longer_than_the_buffer);
	tcase_add_test(c, what_is_no_process);
	tcase_add_test(c, programs);
	tcase_add_test(c, mapped_memory);
	tcase_add_test(c, eligible_is_read_where_nothing_was_advised);
	tcase_add_test(c, users_have_names);

	c = new_case(s, "this machine");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, this_process);
	tcase_add_test(c, a_child);
	tcase_add_test(c, who_has_no_memory);
	tcase_add_test(c, who_is_not_there);
	tcase_add_test(c, who_has_lost_its_first_thread);
	tcase_add_test(c, eligible_on_this_kernel);

	c = new_case(s, "this machine's groups");
	/* Not forked with the test: groups are removed also when that dies. */
	tcase_add_unchecked_fixture(c, make_groups, remove_groups);
	tcase_add_test(c, units_of_this_kernel);
	tcase_add_test(c, hidden_memory_of_this_kernel);

	test_dir_make();
	status = run_suite(s);
	test_dir_remove();
	return status;
}
