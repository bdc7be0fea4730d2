/* SPDX-License-Identifier: MIT */
/* The table of starts, the paths that are watched for it, and what is said over the socket. */
#include "helper.h"

#include <sys/socket.h>

#include "app/starts-client.h"
#include "app/starts-table.h"
#include "sys/pathwatch.h"
#include "sys/self.h"

static struct arena scratch;
static struct path_watch watch = PATH_WATCH_NONE;
static const char *tree;

static const struct file files[] = {
	{ "bin/program", "1" },
	{ "bin/other", "1" },
	{ "alternatives/java", "-> ../jvm/17/java" },
	{ "bin/java", "-> ../alternatives/java" },
	{ "jvm/17/java", "17" },
	{ "jvm/21/java", "21" },
};

static void setup(void)
{
	tree = tree_make(&scratch, files, ARRAY_SIZE(files));
	ck_assert_int_eq(path_watch_open(&watch), 0);
}

static void teardown(void)
{
	path_watch_close(&watch);
	arena_free(&scratch);
}

static void add(const char *path)
{
	ck_assert_int_eq(path_watch_add(&watch, tree_path(&scratch, tree, path)), 0);
	ck_assert(!path_watch_read(&watch));
}

static void move(const char *from, const char *to)
{
	ck_assert_int_eq(rename(tree_path(&scratch, tree, from), tree_path(&scratch, tree, to)), 0);
}

START_TEST(a_rename_over_a_program_is_seen)
{
	add("bin/program");
	tree_add(tree, "bin/program.new", "2");
	ck_assert(!path_watch_read(&watch));
	move("bin/program.new", "bin/program");
	ck_assert(path_watch_read(&watch));
	ck_assert(!path_watch_read(&watch));
}
END_TEST

START_TEST(what_happens_beside_is_not)
{
	add("bin/program");
	tree_add(tree, "bin/other", "2");
	tree_add(tree, "bin/programs", "2");
	move("bin/other", "bin/another");
	ck_assert(!path_watch_read(&watch));
}
END_TEST

START_TEST(a_link_on_the_way_may_lead_elsewhere)
{
	add("bin/java");
	tree_add(tree, "alternatives/new", "-> ../jvm/21/java");
	ck_assert(!path_watch_read(&watch));
	move("alternatives/new", "alternatives/java");
	ck_assert(path_watch_read(&watch));
}
END_TEST

START_TEST(what_a_link_leads_to_may_be_replaced)
{
	add("bin/java");
	tree_add(tree, "jvm/17/new", "18");
	move("jvm/17/new", "jvm/17/java");
	ck_assert(path_watch_read(&watch));
}
END_TEST

START_TEST(what_is_not_there_may_come)
{
	add("opt/app/bin/program");
	tree_add(tree, "opt", NULL);
	ck_assert(path_watch_read(&watch));
	/* It is for the caller to add it again, for now more of it is there. */
	add("opt/app/bin/program");
	tree_add(tree, "opt/else", NULL);
	ck_assert(!path_watch_read(&watch));
	tree_add(tree, "opt/app/bin/program", "1");
	ck_assert(path_watch_read(&watch));
}
END_TEST

START_TEST(a_directory_may_go)
{
	add("jvm/21/java");
	move("jvm/21", "jvm/22");
	ck_assert(path_watch_read(&watch));
}
END_TEST

START_TEST(links_may_go_round)
{
	tree_add(tree, "bin/a", "-> b");
	tree_add(tree, "bin/b", "-> a");
	add("bin/a");
}
END_TEST

static struct starts_prog *entry(struct starts_table *t, const char *unit, uint64_t ino,
				 int32_t flag)
{
	struct starts_prog *p = starts_table_add(t, "/bin/program", unit);

	ck_assert_ptr_nonnull(p);
	p->file = (struct exec_file){ .dev = 1, .ino = ino };
	p->flag = flag;
	p->mode = EXEC_WATCH;
	return p;
}

static int32_t flag_of(const struct starts_table *t, uint64_t ino, const char *unit)
{
	const struct exec_file file = { .dev = 1, .ino = ino };
	const struct starts_prog *p = starts_table_find(t, &file, unit);

	return p ? p->flag : -1;
}

START_TEST(what_is_found_is_of_that_file_and_unit)
{
	struct starts_table *t = starts_table_new();

	ck_assert_ptr_nonnull(t);
	entry(t, "b.service", 7, 1);
	entry(t, "a.service", 7, 3);
	entry(t, "a.service", 5, 0);
	entry(t, "c.service", 7, 1)->mode = EXEC_MODES;
	ck_assert_int_eq(starts_table_sort(t), 0);
	ck_assert_int_eq(flag_of(t, 7, "a.service"), 3);
	ck_assert_int_eq(flag_of(t, 7, "b.service"), 1);
	ck_assert_int_eq(flag_of(t, 5, "a.service"), 0);
	ck_assert_int_eq(flag_of(t, 5, "b.service"), -1);
	ck_assert_int_eq(flag_of(t, 7, "c.service"), -1);
	ck_assert_int_eq(flag_of(t, 7, ""), -1);
	ck_assert_int_eq(flag_of(t, 6, "a.service"), -1);
	starts_table_free(t);
}
END_TEST

START_TEST(an_instance_has_what_its_template_has)
{
	struct starts_table *t = starts_table_new();

	entry(t, "t@.service", 7, 1);
	entry(t, "t@b.service", 7, 3);
	entry(t, "t.service", 6, 1);
	ck_assert_int_eq(starts_table_sort(t), 0);
	ck_assert_int_eq(flag_of(t, 7, "t@a.service"), 1);
	ck_assert_int_eq(flag_of(t, 7, "t@b.service"), 3);
	ck_assert_int_eq(flag_of(t, 7, "t@a.b@c.service"), 1);
	ck_assert_int_eq(flag_of(t, 7, "t.service"), -1);
	ck_assert_int_eq(flag_of(t, 7, "u@a.service"), -1);
	ck_assert_int_eq(flag_of(t, 7, "t@a.scope"), -1);
	ck_assert_int_eq(flag_of(t, 6, "t@a.service"), -1);
	ck_assert_int_eq(flag_of(t, 7, "@"), -1);
	starts_table_free(t);
}
END_TEST

START_TEST(a_copy_is_not_marked)
{
	struct starts_table *t = starts_table_new(), *copy;

	entry(t, "a.service", 7, 3)->wanted = EXEC_GATE;
	copy = starts_table_copy(t);
	starts_table_free(t);
	ck_assert_ptr_nonnull(copy);
	ck_assert_uint_eq(copy->progs.n, 1);
	ck_assert_str_eq(copy->progs.items[0].unit, "a.service");
	ck_assert_str_eq(copy->progs.items[0].path, "/bin/program");
	ck_assert_int_eq(copy->progs.items[0].flag, 3);
	ck_assert_int_eq(copy->progs.items[0].wanted, EXEC_GATE);
	ck_assert_int_eq(copy->progs.items[0].mode, EXEC_MODES);
	starts_table_free(copy);
}
END_TEST

START_TEST(a_program_knows_that_it_was_replaced)
{
	static const struct self unknown;
	struct self own, self = { .path = "" };
	struct stat st;

	ck_assert_int_eq(self_find(&own), 0);
	ck_assert(!self_is_replaced(&own));
	ck_assert(!self_is_replaced(&unknown));

	(void)snprintf(self.path, sizeof(self.path), "%s",
		       tree_path(&scratch, tree, "bin/program"));
	tree_add(tree, "bin/new", "2");
	ck_assert_int_eq(chmod(self.path, 0755), 0);
	ck_assert_int_eq(stat(self.path, &st), 0);
	self.dev = st.st_dev;
	self.ino = st.st_ino;
	ck_assert(!self_is_replaced(&self));
	move("bin/program", "bin/old");
	ck_assert_msg(!self_is_replaced(&self), "there is nobody who could take over");
	move("bin/new", "bin/program");
	ck_assert_msg(!self_is_replaced(&self), "what is there cannot be started");
	ck_assert_int_eq(chmod(self.path, 0755), 0);
	ck_assert(self_is_replaced(&self));
	move("bin/old", "bin/program");
	ck_assert(!self_is_replaced(&self));
}
END_TEST

static struct starts_client client = STARTS_CLIENT_NONE;
static int other = -1;

static void connect_client(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	starts_client_take(&client, fds[0]);
	other = fds[1];
}

static void disconnect_client(void)
{
	starts_client_close(&client);
	other = close_fd(other);
}

START_TEST(a_table_is_sent_however_slowly_it_is_read)
{
	char unit[32];
	struct starts_entry e;
	uint32_t begins = 0, entries = 0, commits = 0;
	int r = 1;

	starts_client_begin(&client);
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(unit, sizeof(unit), "u%d.service", i);
		ck_assert_int_eq(starts_client_add(&client, "/bin/program", unit, 1, EXEC_GATE), 0);
	}
	while (r > 0 || !commits) {
		ssize_t n;

		if (r > 0)
			r = starts_client_send(&client);
		ck_assert_int_ge(r, 0);
		n = recv(other, &e, sizeof(e), 0);
		ck_assert_int_ge(n, (ssize_t)sizeof(e.head));
		begins += e.head.type == STARTS_BEGIN;
		commits += e.head.type == STARTS_COMMIT;
		if (e.head.type != STARTS_ENTRY)
			continue;
		ck_assert_int_eq(n, (ssize_t)sizeof(e));
		(void)snprintf(unit, sizeof(unit), "u%u.service", entries++);
		ck_assert_str_eq(e.unit, unit);
		ck_assert_int_eq(e.mode, EXEC_GATE);
	}
	ck_assert_uint_eq(begins, 1);
	ck_assert_uint_eq(entries, 2000);
	ck_assert_uint_eq(commits, 1);
}
END_TEST

START_TEST(what_does_not_fit_is_not_added)
{
	char path[STARTS_PATH_SIZE + 1];

	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(starts_client_add(&client, path, "a.service", 1, EXEC_GATE),
			 -ENAMETOOLONG);
	ck_assert_int_eq(starts_client_add(&client, "/a", path, 1, EXEC_GATE), -ENAMETOOLONG);
	ck_assert_uint_eq(client.entries.n, 0);
}
END_TEST

START_TEST(what_is_said_is_checked)
{
	struct starts_event e = { .head = { STARTS_WIRE_VERSION, STARTS_EVENT }, .pid = 7 };
	union starts_message m;

	ck_assert_int_eq(starts_client_read(&client, &m), 0);
	memset(e.unit, 'x', sizeof(e.unit));
	ck_assert_int_eq(send(other, &e, sizeof(e), 0), (ssize_t)sizeof(e));
	ck_assert_int_eq(starts_client_read(&client, &m), 1);
	ck_assert_int_eq(m.event.pid, 7);
	ck_assert_uint_eq(strlen(m.event.unit), sizeof(e.unit) - 1);
	ck_assert_int_eq(send(other, &e, sizeof(e) - 1, 0), (ssize_t)sizeof(e) - 1);
	ck_assert_int_eq(starts_client_read(&client, &m), -EBADMSG);
	e.head.version++;
	ck_assert_int_eq(send(other, &e, sizeof(e), 0), (ssize_t)sizeof(e));
	ck_assert_int_eq(starts_client_read(&client, &m), -EPROTONOSUPPORT);
	/* Its messages may be of other sizes. */
	ck_assert_int_eq(send(other, &e, sizeof(e.head), 0), (ssize_t)sizeof(e.head));
	ck_assert_int_eq(starts_client_read(&client, &m), -EPROTONOSUPPORT);
	other = close_fd(other);
	ck_assert_int_eq(starts_client_read(&client, &m), -ECONNRESET);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("starts");
	TCase *c = new_case(s, "paths");
	int status;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, a_rename_over_a_program_is_seen);
	tcase_add_test(c, what_happens_beside_is_not);
	tcase_add_test(c, a_link_on_the_way_may_lead_elsewhere);
	tcase_add_test(c, what_a_link_leads_to_may_be_replaced);
	tcase_add_test(c, what_is_not_there_may_come);
	tcase_add_test(c, a_directory_may_go);
	tcase_add_test(c, links_may_go_round);
	tcase_add_test(c, a_program_knows_that_it_was_replaced);

	c = new_case(s, "table");
	tcase_add_test(c, what_is_found_is_of_that_file_and_unit);
	tcase_add_test(c, an_instance_has_what_its_template_has);
	tcase_add_test(c, a_copy_is_not_marked);

	c = new_case(s, "socket");
	tcase_add_checked_fixture(c, connect_client, disconnect_client);
	tcase_add_test(c, a_table_is_sent_however_slowly_it_is_read);
	tcase_add_test(c, what_does_not_fit_is_not_added);
	tcase_add_test(c, what_is_said_is_checked);

	test_dir_make();
	status = run_suite(s);
	test_dir_remove();
	return status;
}
