/* SPDX-License-Identifier: MIT */
/* Which processes of services are looked at. */
#include "helper.h"

#include "base/clock.h"
#include "engine/services.h"
#include "sys/units.h"

/* In ticks: however slow the machine is, such a process is young. */
#define LATER 1000000U
#define GROUP "/sys/fs/cgroup/system.slice/a.service"

static struct arena scratch;
static const char *tree;
static struct root root = { .fd = -1 };
static struct unit_tree units;
static struct facts facts;
static uint64_t now;

static const struct file host[] = {
	{ "/sys/fs/cgroup/cgroup.controllers", "" },
	{ "/sys/fs/cgroup/system.slice/cgroup.procs", "" },
};

static void setup(void)
{
	const uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);

	now = clock_ns(CLOCK_BOOTTIME) * hz / 1000000000U;
	tree = tree_make(&scratch, host, ARRAY_SIZE(host));
	ck_assert_int_eq(root_open_tree(tree, &root), 0);
}

static void teardown(void)
{
	units_free(&units);
	facts_free(&facts);
	root_close(&root);
	arena_free(&scratch);
}

static void add(int pid, const char *comm, int ppid, uint64_t start)
{
	tree_add(tree, arena_printf(&scratch, "/proc/%d/stat", pid),
		 arena_printf(&scratch,
			      "%d (%s) S %d 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %llu 0 0 0 0 0 0 "
			      "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
			      pid, comm, ppid, (unsigned long long)start));
	tree_add(tree, arena_printf(&scratch, "/proc/%d/status", pid), "THP_enabled:\t1\n");
}

/* The processes of the unit that are looked at, by name. */
static const char *looked_at(bool starting)
{
	const struct services_needs needs = { .starting = starting };
	const struct proc_fact *fact;
	const char *out = "";

	tree_add(tree, GROUP "/cgroup.procs", "20\n21\n22\n23\n24\n25\n26\n");
	ck_assert_int_eq(services_units(&root, &units, &facts), 0);
	for (size_t i = 0; i < facts.units.n; i++)
		facts.units.items[i].wanted = true;
	ck_assert_int_eq(services_procs(&root, &units, &needs, &facts), 0);
	array_foreach(fact, &facts.procs)
		out = arena_printf(&scratch, "%s%s %d\n", out, fact->comm, fact->pid);
	return out;
}

static void add_manager_and_others(uint64_t start)
{
	add(1, "systemd", 0, 1);
	add(20, "(redis)", 1, start);
	add(21, "systemd", 1, start);
	add(22, "systemd-executo", 1, start);
	add(23, "12", 1, start);
	add(24, "redis", 1, start);
	add(25, "(sd-pam)", 7, start);
	add(26, "systemd", 7, start);
}

START_TEST(what_is_about_to_begin_is_let_alone)
{
	add_manager_and_others(now + LATER);
	ck_assert_str_eq(looked_at(false), "redis 24\n(sd-pam) 25\nsystemd 26\n");
}
END_TEST

/* A user's manager, and programs that are called so. */
START_TEST(but_not_for_ever)
{
	add_manager_and_others(now - (uint64_t)sysconf(_SC_CLK_TCK) / 2);
	ck_assert_str_eq(looked_at(false), "systemd 21\nsystemd-executo 22\n12 23\nredis 24\n"
					   "(sd-pam) 25\nsystemd 26\n");
}
END_TEST

START_TEST(who_is_alone_looks_at_all)
{
	add_manager_and_others(now + LATER);
	ck_assert_str_eq(looked_at(true), "(redis) 20\nsystemd 21\nsystemd-executo 22\n12 23\n"
					  "redis 24\n(sd-pam) 25\nsystemd 26\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("services");
	TCase *c = new_case(s, "services");
	int status;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, what_is_about_to_begin_is_let_alone);
	tcase_add_test(c, but_not_for_ever);
	tcase_add_test(c, who_is_alone_looks_at_all);
	test_dir_make();
	status = run_suite(s);
	test_dir_remove();
	return status;
}
