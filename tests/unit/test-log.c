/* SPDX-License-Identifier: MIT */
/*
 * The daemon's log and what it publishes. With an argument the program sends one entry of each
 * kind: `stderr` as lines, `export` in the journal's export format, with any other to where the log
 * goes by itself.
 */
#include "helper.h"

#include "app/log.h"
#include "app/publish.h"
#include "engine/daemon-seen.h"

static struct arena scratch;
static struct log l;
static uint64_t now;

/* The entries that were sent: each field on a line of its own, and an empty line behind. */
static char sent[65536];
static size_t entries;

static uint64_t test_clock(void)
{
	return now;
}

static void keep(const struct iovec *fields, size_t n, void *data)
{
	size_t len = strlen(sent);

	ck_assert_ptr_eq(data, &l);
	for (size_t i = 0; i <= n; i++)
		len += (size_t)snprintf(sent + len, sizeof(sent) - len, "%.*s\n",
					i < n ? (int)fields[i].iov_len : 0,
					i < n ? (const char *)fields[i].iov_base : "");
	entries++;
}

static void setup(void)
{
	now = 1;
	sent[0] = '\0';
	entries = 0;
	log_open(&l, false);
	l.sink = keep;
	l.data = &l;
	l.clock = test_clock;
}

static void teardown(void)
{
	arena_free(&scratch);
}

/* Everything sent since the last call. */
static const char *said(void)
{
	const char *s = arena_strdup(&scratch, sent);

	sent[0] = '\0';
	entries = 0;
	return s;
}

#define ck_assert_has(s, what) ck_assert_msg(contains(s, what), "\"%s\" in: %s", what, s)
#define ck_assert_lacks(s, what) ck_assert_msg(!contains(s, what), "no \"%s\" in: %s", what, s)

static const struct unit_fact unit_facts[] = { { .name = "redis.service" }, { .name = "b.scope" } };
static const struct proc_fact proc_facts[] = {
	{ .pid = 100, .comm = "redis", .exe = "/usr/bin/redis" },
	{ .pid = 101, .comm = "a\nb\x1b\xff", .unit = 1 },
};

static struct plan_item items[] = {
	{ .key = "enabled", .wanted = "madvise", .outcome = OUTCOME_OK },
	{ .key = "defrag", .wanted = "never", .outcome = OUTCOME_REJECTED },
};
static struct plan_proc procs[] = {
	{ .fact = &proc_facts[0],
	  .mode = THP_MODE_DISABLE,
	  .outcome = OUTCOME_CHANGED,
	  .found = 0,
	  .now = 1 },
	{ .fact = &proc_facts[1],
	  .unit = 1,
	  .mode = THP_MODE_MADVISE,
	  .outcome = OUTCOME_DENIED,
	  .found = -1,
	  .now = -1 },
};
static struct plan_unit units[] = { { .fact = &unit_facts[0], .first = 0, .n = 1 },
				    { .fact = &unit_facts[1], .first = 1, .n = 1 } };
static struct plan plan = {
	.role = { .name = "cache" },
	.items = { items, ARRAY_SIZE(items), ARRAY_SIZE(items) },
	.procs = { procs, ARRAY_SIZE(procs), ARRAY_SIZE(procs) },
	.units = { units, ARRAY_SIZE(units), ARRAY_SIZE(units) },
};

static const struct log_writer writer = {
	.pid = 812, .comm = "sh", .exe = "/bin/dash", .unit = "rc-local.service"
};

static struct log_drift drift(const char *key, enum outcome outcome)
{
	return (struct log_drift){
		.key = key, .wanted = "madvise", .found = "always", .outcome = outcome, .by = writer
	};
}

START_TEST(settings_say_who_and_what)
{
	struct log_drift d = drift("enabled", OUTCOME_CHANGED);
	const char *s;

	log_setting(&l, &d);
	s = said();
	ck_assert_has(s, "\nTHP_KEY=enabled\n");
	ck_assert_has(s, "\nTHP_WANTED=madvise\nTHP_FOUND=always\nTHP_OUTCOME=changed\n");
	ck_assert_has(s, "THP_PID=812\nTHP_COMM=sh\nTHP_EXE=/bin/dash\n"
			 "THP_BY_UNIT=rc-local.service\n");
	ck_assert_has(s, "\nPRIORITY=5\nMESSAGE_ID=" MSG_SETTING_REPAIRED "\n");
	ck_assert_has(s, "\nMESSAGE=enabled was set to 'always' by sh (pid 812, /bin/dash, of "
			 "rc-local.service); repaired to 'madvise'\n");

	d = drift("defrag", OUTCOME_DRIFTED);
	d.by = (struct log_writer){ .pid = 7, .comm = "", .exe = "", .unit = NULL };
	log_setting(&l, &d);
	s = said();
	ck_assert_has(s, MSG_SETTING_DRIFTED);
	ck_assert_has(s, "\nMESSAGE=defrag was set to 'always' by a process (pid 7); the policy "
			 "wants 'madvise'; not repaired\n");
	ck_assert_lacks(s, "THP_COMM");
	ck_assert_lacks(s, "THP_EXE");

	d = drift("shmem_enabled", OUTCOME_DENIED);
	d.by = (struct log_writer){ 0 };
	d.found = NULL;
	d.note = "read-only";
	log_setting(&l, &d);
	s = said();
	ck_assert_has(s, MSG_SETTING_FAILED);
	ck_assert_has(s, "\nPRIORITY=3\n");
	ck_assert_has(s, "\nMESSAGE=shmem_enabled was set to '?'; the policy wants 'madvise', but "
			 "the outcome is denied: read-only\n");
	ck_assert_lacks(s, "THP_PID");
}
END_TEST

START_TEST(nobody_forges_a_line)
{
	const char *s;

	log_start_escaped(&l, &plan, &procs[1]);
	s = said();
	ck_assert_has(s, "MESSAGE=a?b?? (pid 101) of b.scope: its start was not seen");
	ck_assert_has(s, "\nTHP_COMM=a\nb\x1b\xff\n"); /* the journal takes it as it is */
}
END_TEST

START_TEST(processes_say_which)
{
	const char *s;

	log_process_set(&l, &plan, &procs[0]);
	s = said();
	ck_assert_has(s, "\nMESSAGE=redis (pid 100) of redis.service: its flag was clear, and is "
			 "disable now\n");
	ck_assert_has(s, "THP_UNIT=redis.service\nTHP_PID=100\nTHP_COMM=redis\n"
			 "THP_EXE=/usr/bin/redis\nTHP_WANTED=disable\nTHP_FOUND=clear\n"
			 "THP_OUTCOME=changed\n");
	log_process_drifted(&l, &plan, &procs[0]);
	ck_assert_has(said(), "its flag was set, but is clear now; set again\n");
	log_process_drifted(&l, &plan, &procs[1]);
	ck_assert_has(said(), "its flag was set, but is unknown now; denied\n");
}
END_TEST

START_TEST(a_refused_policy_names_the_place)
{
	log_reload_refused(&l, "a.conf:7: unknown key 'x'\na.conf:9: unknown key 'y'\n");
	ck_assert_has(said(), "MESSAGE=policy refused, the last good one stays in force: a.conf:7: "
			      "unknown key 'x' (and 1 more fault)\n");
	log_reload_refused(&l, "cannot be read");
	ck_assert_uint_eq(entries, 0);
	now += LIMIT_US;
	log_reload_refused(&l, "cannot be read\n");
	ck_assert_has(said(), "THP_COUNT=1\n");
	now += LIMIT_US;
	log_reload_refused(&l, "cannot be read\n");
	ck_assert_has(said(), "in force: cannot be read\n");
}
END_TEST

START_TEST(memory_given_back_is_told)
{
	log_reclaimed(&l, "redis.service", 100, "redis", 2048, 0);
	ck_assert_has(said(), "MESSAGE=redis (pid 100) of redis.service: 2048 KiB given back\n");
	log_reclaimed(&l, "b.scope", 101, "b", 0, -ESRCH);
	ck_assert_has(said(), "of b.scope: 0 KiB given back; not all: No such process\n");
}
END_TEST

START_TEST(the_same_is_told_once_a_minute)
{
	struct log_drift d = drift("enabled", OUTCOME_CHANGED), other = d;
	const char *s;

	other.key = "defrag";
	for (int i = 0; i < 1000; i++) {
		log_setting(&l, &d);
		now += 50000;
	}
	ck_assert_uint_eq(entries, 1);
	log_setting(&l, &other);
	ck_assert_uint_eq(entries, 2);
	said();
	now = LIMIT_US + 1;
	log_setting(&l, &d);
	s = said();
	ck_assert_has(s, "THP_COUNT=999\n");
	ck_assert_has(s, "(and 999 more since the last entry)");
	now += LIMIT_US;
	log_setting(&l, &d);
	ck_assert_lacks(said(), "more since");
}
END_TEST

START_TEST(what_was_left_out_is_told_later)
{
	struct log_drift d = drift("enabled", OUTCOME_CHANGED);
	const char *s;

	for (int i = 0; i < 30; i++) {
		d.key = arena_printf(&scratch, "key%d", i);
		log_setting(&l, &d);
		log_setting(&l, &d);
	}
	ck_assert_uint_eq(entries, 2);
	said();
	log_tick(&l);
	ck_assert_uint_eq(entries, 0);
	now += LIMIT_US;
	log_tick(&l);
	ck_assert_uint_eq(entries, 1);
	s = said();
	ck_assert_has(s, "THP_COUNT=58\n");
	ck_assert_has(s, "MESSAGE_ID=" MSG_SETTING_REPAIRED "\n");
	ck_assert_has(s, "MESSAGE=left out of the log (58): a setting was changed by somebody "
			 "else, and repaired\n");
	log_tick(&l);
	ck_assert_uint_eq(entries, 0);
}
END_TEST

/* Four writers who set every file again and again, for an hour. */
START_TEST(a_hostile_writer_does_not_fill_the_journal)
{
	struct log_drift d = drift("enabled", OUTCOME_CHANGED);
	uint64_t told = 0;

	for (int minute = 0; minute < 60; minute++) {
		for (int i = 0; i < 6000; i++) {
			d.key = arena_printf(&scratch, "key%d", i % 20);
			log_setting(&l, &d);
			if (i % 10 == 0)
				log_fight_begins(&l, d.key, 5, 8, &writer);
			if (i % 10 == 5)
				log_fight_over(&l, d.key);
			now += LIMIT_US / 6000;
		}
		log_tick(&l);
		told += entries;
		said();
		arena_free(&scratch);
	}
	ck_assert_uint_ge(told, 60);
	ck_assert_uint_lt(told, 60 * 10);
}
END_TEST

START_TEST(more_subjects_than_slots)
{
	struct plan_unit many[LIMIT_SLOTS * 2];
	struct unit_fact facts[LIMIT_SLOTS * 2];
	struct plan p = plan;
	uint64_t told = 0;

	p.units.items = many;
	p.units.n = ARRAY_SIZE(many);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		facts[i] = (struct unit_fact){ .name = arena_printf(&scratch, "u%zu.scope", i) };
		many[i] = (struct plan_unit){ .fact = &facts[i] };
	}
	for (size_t i = 0; i < 10 * ARRAY_SIZE(many); i++) {
		procs[0].unit = (uint32_t)(i % ARRAY_SIZE(many));
		log_process_set(&l, &p, &procs[0]);
		told += entries;
		said();
		now += LIMIT_US / 8;
	}
	procs[0].unit = 0;
	ck_assert_uint_ge(told, 9 * ARRAY_SIZE(many));
}
END_TEST

START_TEST(a_cycle_is_told_when_it_differs)
{
	const char *s;

	log_cycle(&l, &plan);
	s = said();
	ck_assert_has(s, "MESSAGE_ID=" MSG_CYCLE_FAILURES "\n");
	ck_assert_has(s, "MESSAGE=not as the policy wants it: defrag rejected, b.scope denied\n");
	for (int i = 0; i < 10; i++) {
		now += LIMIT_US;
		log_cycle(&l, &plan);
	}
	ck_assert_uint_eq(entries, 0);
	items[1].outcome = OUTCOME_ABSENT;
	log_cycle(&l, &plan);
	ck_assert_has(said(), "defrag absent, b.scope denied\n");
	now += LIMIT_US;
	items[1].outcome = OUTCOME_OK;
	procs[1].outcome = OUTCOME_OK;
	log_cycle(&l, &plan);
	ck_assert_has(said(), "MESSAGE_ID=" MSG_CYCLE_IN_ORDER "\n");
	log_cycle(&l, &plan);
	ck_assert_uint_eq(entries, 0);
	items[1].outcome = OUTCOME_REJECTED;
	procs[1].outcome = OUTCOME_DENIED;
}
END_TEST

START_TEST(a_first_cycle_in_order_is_no_news)
{
	struct plan p = { 0 };

	log_cycle(&l, &p);
	ck_assert_uint_eq(entries, 0);
}
END_TEST

START_TEST(a_note_is_for_verbose)
{
	log_note(&l, "seen %d", 1);
	ck_assert_uint_eq(entries, 0);
	l.verbose = true;
	log_note(&l, "seen %d", 2);
	ck_assert_str_eq(said(), "PRIORITY=7\nMESSAGE=seen 2\n\n");
}
END_TEST

START_TEST(the_rest_has_words)
{
	struct policy p = { .files = { .n = 2 } };

	log_policy_loaded(&l, &p, &plan);
	ck_assert_has(said(),
		      "MESSAGE=policy loaded: 2 files, role cache, 2 settings, 0 service rules\n");
	log_gate_unusable(&l, "no fanotify");
	ck_assert_has(said(), "MESSAGE=starts cannot be held here: no fanotify; they are watched "
			      "instead\n");
	log_ready_early(&l, "thpd-starts does not answer");
	ck_assert_has(said(), "MESSAGE=ready before starts are met: thpd-starts does not answer\n");
	log_helper_lost(&l, "thpd-helper", 0);
	ck_assert_has(said(), "MESSAGE=thpd-helper is lost: it has ended; tried again\n");
	log_helper_lost(&l, "thpd-starts", -EPROTONOSUPPORT);
	ck_assert_has(said(), "MESSAGE=thpd-starts is lost: it speaks another version of the "
			      "protocol than this thpd; tried again\n");
	log_bus_lost(&l, -ECONNREFUSED);
	ck_assert_has(said(), "MESSAGE=systemd cannot be asked: Connection refused; tried again\n");
	log_unpublished(&l, "/x/thpd.prom", -ENOENT);
	ck_assert_has(said(),
		      "MESSAGE=/x/thpd.prom cannot be written: No such file or directory\n");
	log_trouble(&l, -EIO, "the timer");
	ck_assert_has(said(), "ERRNO=5\nPRIORITY=3\n");
	log_started(&l, "without systemd");
	ck_assert_has(said(), ": without systemd\n");
}
END_TEST

static const struct daemon_status status = { .pid = 7, .start = 9, .started_us = 1 };
static const struct daemon_view view = { .state = DAEMON_RUNNING, .status = &status };

static struct report make_report(void)
{
	static struct diags diags;

	return (struct report){
		.verb = "apply", .root = "", .plan = &plan, .diags = &diags, .daemon = &view
	};
}

/* /proc/7/stat of a process with this name and start. */
#define PROC_7(comm, start)                                           \
	"7 (" comm ") S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " start \
	" 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0\n"

static mode_t mode_of(const char *tree, const char *path)
{
	struct stat st;

	ck_assert_int_eq(lstat(tree_path(&scratch, tree, path), &st), 0);
	return st.st_mode;
}

START_TEST(the_report_is_published)
{
	static const struct file files[] = {
		{ "run", NULL },
		{ "proc/7/stat", PROC_7("thpd", "9") },
		{ "proc/7/status", "State:\tS\nPPid:\t1\nTracerPid:\t0\nUid:\t0\t0\t0\t0\n" },
	};
	const char *tree = tree_make(&scratch, files, ARRAY_SIZE(files));
	struct report r = make_report();
	struct daemon_seen seen;
	struct root root;

	ck_assert_int_eq(root_open_tree(tree, &root), 0);
	ck_assert_int_eq(publish_report(&root, &r), 0);
	ck_assert_int_eq(publish_report(&root, &r), 0);
	ck_assert_uint_eq(mode_of(tree, REPORT_FILE), S_IFREG | 0644);
	daemon_look(&root, 2, &seen);
	ck_assert_int_eq(seen.view.state, DAEMON_RUNNING);
	ck_assert_int_eq(seen.view.status->pid, 7);
	daemon_seen_free(&seen);
	tree_add(tree, "proc/7/stat", PROC_7("sh", "10"));
	daemon_look(&root, 2, &seen);
	ck_assert_int_eq(seen.view.state, DAEMON_NOT_RUNNING);
	ck_assert_int_eq(seen.view.status->pid, 7);
	daemon_seen_free(&seen);
	ck_assert_int_eq(chmod(tree_path(&scratch, tree, REPORT_FILE), 0664), 0);
	daemon_look(&root, 2, &seen);
	ck_assert_int_eq(seen.view.state, DAEMON_UNKNOWN);
	ck_assert_ptr_null(seen.view.status);
	daemon_seen_free(&seen);
	root_close(&root);
}
END_TEST

static int publish_at(const struct root *root, const char *path)
{
	const struct policy p = { .metrics_file = path };
	const struct report r = make_report();

	return publish_metrics(root, &r, &p);
}

START_TEST(metrics_go_where_they_may)
{
	static const struct file files[] = {
		{ "var/lib/node", NULL },
		{ "var/open", NULL },
		{ "var/link", "-> lib" },
		{ "var/lib/node/target", "mine" },
		{ "var/lib/node/link.prom", "-> target" },
	};
	const char *tree = tree_make(&scratch, files, ARRAY_SIZE(files));
	struct root root;

	ck_assert_int_eq(chmod(tree_path(&scratch, tree, "var/open"), 0777), 0);
	ck_assert_int_eq(root_open_tree(tree, &root), 0);
	ck_assert_int_eq(publish_at(&root, "/var/lib/node/thpd.prom"), 0);
	ck_assert_int_eq(publish_at(&root, "//var/lib//node/thpd.prom"), 0);
	ck_assert(startswith(tree_read(&scratch, tree, "var/lib/node/thpd.prom"), "# HELP thpd_"));
	ck_assert_uint_eq(mode_of(tree, "var/lib/node/thpd.prom"), S_IFREG | 0644);
	/* A link in its place is replaced, not followed. */
	ck_assert_int_eq(publish_at(&root, "/var/lib/node/link.prom"), 0);
	ck_assert_uint_eq(mode_of(tree, "var/lib/node/link.prom"), S_IFREG | 0644);
	ck_assert_str_eq(tree_read(&scratch, tree, "var/lib/node/target"), "mine");
	ck_assert_int_eq(publish_at(&root, "/var/link/node/thpd.prom"), -ELOOP);
	ck_assert_int_eq(publish_at(&root, "/var/lib/node/target/thpd.prom"), -ELOOP);
	ck_assert_int_eq(publish_at(&root, "/var/open/thpd.prom"), -EPERM);
	ck_assert_int_eq(publish_at(&root, "/var/none/thpd.prom"), -ENOENT);
	ck_assert_int_eq(publish_at(&root, "thpd.prom"), -EINVAL);
	ck_assert_int_eq(publish_at(&root, NULL), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(tree_path(&scratch, tree, "var/lib"), 65534, 65534), 0);
		ck_assert_int_eq(publish_at(&root, "/var/lib/node/thpd.prom"), 0);
		ck_assert_int_eq(chown(tree_path(&scratch, tree, "var/lib/node"), 65534, 0), 0);
		ck_assert_int_eq(publish_at(&root, "/var/lib/node/thpd.prom"), -EPERM);
	}
	root_close(&root);
}
END_TEST

/* An entry as systemd-journal-remote takes it; no field of these has a line end. */
static void export(const struct iovec *fields, size_t n, void *data)
{
	static unsigned int count;

	count++;
	printf("__REALTIME_TIMESTAMP=%u\n__MONOTONIC_TIMESTAMP=%u\n"
	       "_BOOT_ID=40109d1c05794ada9d4a68cb670a4071\n_TRANSPORT=journal\n",
	       count, count);
	for (size_t i = 0; i < n; i++)
		printf("%.*s\n", (int)fields[i].iov_len, (const char *)fields[i].iov_base);
	putchar('\n');
}

static int send_all(const char *how)
{
	struct log_drift dr = drift("enabled", OUTCOME_CHANGED);
	struct policy p = { 0 };

	log_open(&l, false);
	if (streq(how, "export"))
		l.sink = export;
	else if (streq(how, "stderr"))
		l.sink = log_stderr;
	log_started(&l, NULL);
	log_policy_loaded(&l, &p, &plan);
	log_units_reloaded(&l, 2, "/run/systemd/generator/a.service.d/50-thpd.conf");
	log_reload_refused(&l, "/etc/thpd/thpd.conf:7: unknown key 'x'\n");
	log_setting(&l, &dr);
	dr.outcome = OUTCOME_DRIFTED;
	log_setting(&l, &dr);
	dr.outcome = OUTCOME_DENIED;
	log_setting(&l, &dr);
	log_fight_begins(&l, "enabled", 5, 8, &writer);
	log_fight_over(&l, "enabled");
	log_process_set(&l, &plan, &procs[0]);
	log_process_drifted(&l, &plan, &procs[0]);
	log_start_escaped(&l, &plan, &procs[0]);
	log_helper_lost(&l, "thpd-helper", -EPIPE);
	log_helper_back(&l, "thpd-helper");
	log_bus_lost(&l, -ECONNRESET);
	log_bus_back(&l);
	log_gate_unusable(&l, "its self-test failed");
	log_ready_early(&l, "thpd-starts does not answer");
	log_cycle(&l, &plan);
	plan.items.n = plan.units.n = 0;
	log_cycle(&l, &plan);
	log_unpublished(&l, "/run/thpd/report.json", -ENOSPC);
	log_reclaimed(&l, "redis.service", 100, "redis", 2048, 0);
	log_trouble(&l, -EIO, "the timer");
	log_stopped(&l);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	int failed;
	Suite *s;
	TCase *c;

	if (argc > 1)
		return send_all(argv[1]);
	test_dir_make();
	s = suite_create("log");
	c = new_case(s, "log");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, settings_say_who_and_what);
	tcase_add_test(c, nobody_forges_a_line);
	tcase_add_test(c, processes_say_which);
	tcase_add_test(c, a_refused_policy_names_the_place);
	tcase_add_test(c, memory_given_back_is_told);
	tcase_add_test(c, the_same_is_told_once_a_minute);
	tcase_add_test(c, what_was_left_out_is_told_later);
	tcase_add_test(c, a_hostile_writer_does_not_fill_the_journal);
	tcase_add_test(c, more_subjects_than_slots);
	tcase_add_test(c, a_cycle_is_told_when_it_differs);
	tcase_add_test(c, a_first_cycle_in_order_is_no_news);
	tcase_add_test(c, a_note_is_for_verbose);
	tcase_add_test(c, the_rest_has_words);

	c = new_case(s, "publish");
	tcase_add_checked_fixture(c, NULL, teardown);
	tcase_add_test(c, the_report_is_published);
	tcase_add_test(c, metrics_go_where_they_may);
	failed = run_suite(s);
	test_dir_remove();
	return failed;
}
