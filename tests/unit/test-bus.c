/* SPDX-License-Identifier: MIT */
/* The bus, against a manager that plays systemd's part in the same process and the same loop. */
#include "helper.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "sys/bus.h"

#define MANAGER "org.freedesktop.systemd1.Manager"
#define MANAGER_PATH "/org/freedesktop/systemd1"

struct unit {
	const char *name, *load, *slice, *user, *root_directory, *root_image;
	const char *exec[3];
	int dynamic;
	bool hidden; /* is not loaded */
};

static sd_event *event;
static struct arena scratch;
static struct bus *bus;
static struct root root = { .fd = -1 };
static char socket_path[100];
static int listener = -1;
static sd_event_source *listening;
static sd_bus *peer; /* the manager's end */

static struct unit units[2000];
static size_t n_units, n_connects, n_get, n_get_all, n_get_unit;
static enum { SANE, NO_LIST, WRONG_LIST, WRONG_UNIT, NO_ANSWER, GARBAGE } how;

static enum bus_state state;
static int state_error;
static size_t n_states, n_news;

static struct unit *add_unit(const char *name, const char *exec)
{
	struct unit *u = &units[n_units++];

	*u = (struct unit){ .name = name,
			    .load = "loaded",
			    .slice = "system.slice",
			    .user = "",
			    .root_directory = "",
			    .root_image = "",
			    .exec = { exec } };
	return u;
}

static struct unit *find_unit(const char *path)
{
	for (size_t i = 0; i < n_units; i++) {
		_cleanup_free_ char *at = NULL;

		ck_assert_int_ge(sd_bus_path_encode(MANAGER_PATH "/unit", units[i].name, &at), 0);
		if (streq(at, path) || streq(units[i].name, path))
			return &units[i];
	}
	return NULL;
}

static void add_exec(sd_bus_message *m, const char *name, const char *path)
{
	ck_assert_int_ge(sd_bus_message_open_container(m, 'e', "sv"), 0);
	ck_assert_int_ge(sd_bus_message_append(m, "s", name), 0);
	ck_assert_int_ge(sd_bus_message_open_container(m, 'v', "a(sasbttttuii)"), 0);
	ck_assert_int_ge(sd_bus_message_open_container(m, 'a', "(sasbttttuii)"), 0);
	if (path)
		ck_assert_int_ge(sd_bus_message_append(m, "(sasbttttuii)", path, 2, path, "-x", 0,
						       (uint64_t)0, (uint64_t)0, (uint64_t)0,
						       (uint64_t)0, 0, 0, 0),
				 0);
	ck_assert_int_ge(sd_bus_message_close_container(m), 0);
	ck_assert_int_ge(sd_bus_message_close_container(m), 0);
	ck_assert_int_ge(sd_bus_message_close_container(m), 0);
}

static void answer_get_all(sd_bus_message *call, const struct unit *u)
{
	sd_bus_message *m = NULL;

	ck_assert_int_ge(sd_bus_message_new_method_return(call, &m), 0);
	ck_assert_int_ge(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
	if (how == WRONG_UNIT)
		ck_assert_int_ge(sd_bus_message_append(m, "{sv}", "ExecStart", "u", 5), 0);
	else
		add_exec(m, "ExecStart", u->exec[0]);
	add_exec(m, "ExecStartPre", u->exec[1]);
	add_exec(m, "ExecStartPost", u->exec[2]);
	ck_assert_int_ge(sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}", "Unknown", "as", 1,
					       "x", "User", "s", u->user, "DynamicUser", "b",
					       u->dynamic, "RootDirectory", "s", u->root_directory,
					       "RootImage", "s", u->root_image, "Slice", "s",
					       u->slice),
			 0);
	ck_assert_int_ge(sd_bus_message_close_container(m), 0);
	ck_assert_int_ge(sd_bus_send(NULL, m, NULL), 0);
	sd_bus_message_unref(m);
}

static void answer_list(sd_bus_message *call)
{
	sd_bus_message *m = NULL;

	ck_assert_int_ge(sd_bus_message_new_method_return(call, &m), 0);
	ck_assert_int_ge(sd_bus_message_open_container(m, 'a', "(ssssssouso)"), 0);
	for (size_t i = 0; i < n_units; i++) {
		const struct unit *u = &units[i];

		if (!u->hidden)
			ck_assert_int_ge(sd_bus_message_append(m, "(ssssssouso)", u->name, "",
							       u->load, "inactive", "dead", "",
							       "/x", 0, "", "/"),
					 0);
	}
	ck_assert_int_ge(sd_bus_message_close_container(m), 0);
	ck_assert_int_ge(sd_bus_send(NULL, m, NULL), 0);
	sd_bus_message_unref(m);
}

static int answer_path(sd_bus_message *call)
{
	sd_bus_message *m = NULL;

	ck_assert_int_ge(sd_bus_message_new_method_return(call, &m), 0);
	ck_assert_int_ge(sd_bus_message_append(m, "v", "as", 3, "/etc/systemd/system", "/none",
					       "/usr/lib/systemd/system"),
			 0);
	ck_assert_int_ge(sd_bus_send(NULL, m, NULL), 0);
	sd_bus_message_unref(m);
	return 1;
}

static int on_call(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *member = sd_bus_message_get_member(m), *name = NULL;
	const struct unit *u;

	if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
		return 0;
	if (streq(member, "Subscribe"))
		return sd_bus_reply_method_return(m, NULL);
	if (streq(member, "Get") && streq(sd_bus_message_get_path(m), MANAGER_PATH))
		return answer_path(m);
	if (streq(member, "ListUnitsByPatterns")) {
		if (how == NO_LIST)
			return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "no");
		if (how == WRONG_LIST)
			return sd_bus_reply_method_return(m, "s", "no list");
		answer_list(m);
		return 1;
	}
	if (streq(member, "GetUnit")) {
		n_get_unit++;
		ck_assert_int_ge(sd_bus_message_read(m, "s", &name), 0);
		u = find_unit(name);
		if (!u || u->hidden)
			return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.NoSuchUnit",
							  "none");
		return sd_bus_reply_method_return(m, "o", "/x");
	}
	n_get += streq(member, "Get");
	n_get_all += streq(member, "GetAll");
	u = find_unit(sd_bus_message_get_path(m));
	if (how == NO_ANSWER)
		return 1;
	if (!u)
		return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_OBJECT, "none");
	if (streq(member, "Get"))
		return sd_bus_reply_method_return(m, "v", "s", u->slice);
	answer_get_all(m, u);
	return 1;
}

static int on_connect(sd_event_source *s, int fd, uint32_t events, void *data)
{
	static const char garbage[] = "OK 0123\r\nthis is not what was agreed upon\r\n\r\n\r\n";
	sd_id128_t id = SD_ID128_MAKE(1, 2, 3, 4, 5, 6, 7, 8, 9, a, b, c, d, e, f, 0);
	int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	ck_assert_int_ge(conn, 0);
	n_connects++;
	if (how == GARBAGE) {
		ck_assert_int_gt(write(conn, garbage, sizeof(garbage) - 1), 0);
		close_fd(conn);
		return 0;
	}
	peer = sd_bus_close_unref(peer);
	ck_assert_int_ge(sd_bus_new(&peer), 0);
	ck_assert_int_ge(sd_bus_set_fd(peer, conn, conn), 0);
	ck_assert_int_ge(sd_bus_set_server(peer, 1, id), 0);
	ck_assert_int_ge(sd_bus_set_anonymous(peer, 1), 0);
	ck_assert_int_ge(sd_bus_start(peer), 0);
	ck_assert_int_ge(sd_bus_add_filter(peer, NULL, on_call, NULL), 0);
	ck_assert_int_ge(sd_bus_attach_event(peer, event, 0), 0);
	return 0;
}

static void start_manager(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	(void)unlink(socket_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", socket_path);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	ck_assert_int_ge(sd_event_add_io(event, &listening, listener, EPOLLIN, on_connect, NULL),
			 0);
}

static void stop_manager(void)
{
	listening = sd_event_source_unref(listening);
	listener = close_fd(listener);
	(void)unlink(socket_path);
	peer = sd_bus_close_unref(peer);
}

static void on_state(enum bus_state s, int error, void *data)
{
	state = s;
	state_error = error;
	n_states++;
}

static bool had_enough;

static void on_programs(void *data)
{
	n_news++;
	if (had_enough)
		ck_assert_int_eq(bus_want(bus, NULL, 0), 0);
}

static void setup(void)
{
	static const struct bus_callbacks callbacks = { on_state, on_programs };
	static const struct file files[] = {
		{ "/usr/bin/real", "" },
		{ "/usr/bin/linked", "-> /etc/alternatives/linked" },
		{ "/etc/alternatives/linked", "-> /usr/bin/real" },
		{ "/srv/tree/usr/bin/inner", "" },
		{ "/srv/tree/usr/bin/out", "-> /usr/bin/inner" },
	};
	const char *tree = tree_make(&scratch, files, ARRAY_SIZE(files));

	ck_assert_int_eq(root_open_tree(tree, &root), 0);
	ck_assert_int_lt(snprintf(socket_path, sizeof(socket_path), "%s/private", tree), 100);
	ck_assert_int_ge(sd_event_new(&event), 0);
	start_manager();
	ck_assert_int_eq(bus_open(event, &root, socket_path, &callbacks, NULL, &bus), 0);
}

static void teardown(void)
{
	bus_close(bus);
	stop_manager();
	sd_event_unref(event);
	root_close(&root);
	arena_free(&scratch);
}

static uint64_t now(void)
{
	struct timespec ts;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void run_for(uint64_t ms)
{
	uint64_t end = now() + ms;

	while (now() < end)
		ck_assert_int_ge(sd_event_run(event, 5000), 0);
}

#define run_until(condition)                                              \
	do {                                                              \
		while (!(condition))                                      \
			ck_assert_int_ge(sd_event_run(event, 100000), 0); \
	} while (0)

static void want(const char *a, const char *b)
{
	const char *patterns[] = { a, b };

	ck_assert_int_eq(bus_want(bus, patterns, b ? 2 : 1), 0);
}

static void connect_and(const char *a, const char *b)
{
	want(a, b);
	run_until(bus_state(bus) == BUS_CONNECTED);
	ck_assert_int_eq(state, BUS_CONNECTED);
}

/* "UNIT SLICE CALLED PATH USER\n"..., with the tree's own path cut off. */
static const char *programs(void)
{
	const struct unit_program *p;
	const char *out = "";
	size_t n;

	ck_assert_int_eq(bus_programs(bus, &p, &n), 0);
	for (size_t i = 0; i < n; i++) {
		const char *path = p[i].path ? p[i].path : "-";
		const char *tree = strrchr(socket_path, '/');
		size_t len = (size_t)(tree - socket_path);

		if (strncmp(path, socket_path, len) == 0)
			path += len;
		out = arena_printf(&scratch, "%s%s %s %s %s %s\n", out, p[i].unit, p[i].slice,
				   p[i].called, path, p[i].user ? p[i].user : "root");
	}
	return out;
}

static void signal_unit(const char *member, const char *name)
{
	ck_assert_int_ge(sd_bus_emit_signal(peer, MANAGER_PATH, MANAGER, member, "so", name, "/x"),
			 0);
}

static void reload(void)
{
	ck_assert_int_ge(sd_bus_emit_signal(peer, MANAGER_PATH, MANAGER, "Reloading", "b", 1), 0);
	for (size_t i = 0; i < n_units; i++)
		signal_unit("UnitRemoved", units[i].name);
	for (size_t i = 0; i < n_units; i++)
		signal_unit("UnitNew", units[i].name);
	ck_assert_int_ge(sd_bus_emit_signal(peer, MANAGER_PATH, MANAGER, "Reloading", "b", 0), 0);
}

START_TEST(what_units_start)
{
	struct unit *u = add_unit("a.service", "/usr/bin/real");

	u->exec[1] = "/usr/bin/linked";
	u->exec[2] = "/usr/bin/missing";
	u->user = "www";
	u = add_unit("b.service", "real");
	u->dynamic = 1;
	u = add_unit("c@x.service", "nowhere");
	u->dynamic = 1;
	u->user = "root";
	add_unit("d.1.service", "/usr/bin/real")->dynamic = 1;
	add_unit("not-found.service", "/usr/bin/real")->load = "not-found";
	add_unit("other.service", "/usr/bin/real");
	add_unit("a.socket", "/usr/bin/real");
	connect_and("[a-d]*.service", "not*");
	ck_assert_str_eq(programs(),
			 "a.service system.slice /usr/bin/real /usr/bin/real www\n"
			 "a.service system.slice /usr/bin/linked /usr/bin/real www\n"
			 "a.service system.slice /usr/bin/missing /usr/bin/missing www\n"
			 "b.service system.slice real /usr/bin/real b\n"
			 "c@x.service system.slice nowhere - root\n"
			 "d.1.service system.slice /usr/bin/real /usr/bin/real d\n");
	ck_assert_uint_eq(n_get_all, 4);
	ck_assert_uint_eq(n_news, 1);
}
END_TEST

START_TEST(below_another_root)
{
	add_unit("a.service", "/usr/bin/inner")->root_directory = "/srv/tree";
	add_unit("b.service", "/usr/bin/out")->root_directory = "/srv/tree";
	add_unit("c.service", "/usr/bin/real")->root_directory = "/srv/tree"; /* bound, perhaps */
	add_unit("d.service", "/usr/bin/none")->root_directory = "/srv/tree";
	add_unit("e.service", "/usr/bin/real")->root_image = "/srv/image";
	connect_and("*.service", NULL);
	ck_assert_str_eq(programs(),
			 "a.service system.slice /usr/bin/inner /srv/tree/usr/bin/inner root\n"
			 "b.service system.slice /usr/bin/out /srv/tree/usr/bin/inner root\n"
			 "c.service system.slice /usr/bin/real /usr/bin/real root\n"
			 "d.service system.slice /usr/bin/none /srv/tree/usr/bin/none root\n"
			 "e.service system.slice /usr/bin/real - root\n");
}
END_TEST

static void add_file(const char *name, const char *content)
{
	tree_add(root.path, arena_printf(&scratch, "/usr/lib/systemd/system/%s", name), content);
}

START_TEST(files_that_are_not_loaded)
{
	static const char *const names[] = { "a.service",    "linked.service", "alias.service",
					     "mask.service", "gone.service",   "t@.service" };
	static const char *const contents[] = {
		"", "-> /opt/linked.service", "-> a.service", "-> /dev/null", "", ""
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		add_file(names[i], contents[i]);
		if (!streq(names[i], "gone.service"))
			add_unit(names[i], "/x")->hidden = true;
	}
	add_unit("t@1.service", "/t");
	add_unit("t@thpd_asks.service", "/t")->hidden = true;
	tree_add(root.path, "/etc/systemd/system/other.service", "");
	tree_add(root.path, "/etc/systemd/system/a.service", "");
	connect_and("[a-n]*.service", "t@*.service");
	ck_assert_str_eq(programs(), "a.service system.slice /x /x root\n"
				     "linked.service system.slice /x /x root\n"
				     "t@.service system.slice /t /t root\n"
				     "t@1.service system.slice /t /t root\n");
	ck_assert_uint_eq(n_get_all, 5);
	/* One that is only unloaded stays, an instance does not, but for what its template has. */
	signal_unit("UnitRemoved", "a.service");
	signal_unit("UnitRemoved", "t@1.service");
	run_until(n_news == 2);
	ck_assert_str_eq(programs(), "a.service system.slice /x /x root\n"
				     "linked.service system.slice /x /x root\n"
				     "t@.service system.slice /t /t root\n");
}
END_TEST

/* What is asked for in the name of all instances is told as new, as all that is asked for. */
START_TEST(a_template_is_asked_for_once)
{
	add_file("t@.service", "");
	add_unit("t@thpd_asks.service", "/t")->hidden = true;
	connect_and("t@*.service", NULL);
	ck_assert_str_eq(programs(), "t@.service system.slice /t /t root\n");
	for (int i = 0; i < 10; i++) {
		signal_unit("UnitNew", "t@thpd_asks.service");
		signal_unit("UnitRemoved", "t@thpd_asks.service");
		run_for(5);
	}
	ck_assert_uint_eq(n_get_all, 1);
	ck_assert_uint_eq(n_get_unit, 0);
	ck_assert_str_eq(programs(), "t@.service system.slice /t /t root\n");
}
END_TEST

START_TEST(what_each_instance_has_another_of_is_not_known)
{
	add_file("t@.service", "");
	add_unit("t@thpd_asks.service", "/opt/thpd_asks/bin/t")->hidden = true;
	add_file("u@.service", "");
	add_unit("u@thpd_asks.service", "/u")->user = "thpd_asks";
	add_file("ur@.service", "");
	add_unit("ur@thpd_asks.service", "/u")->root_directory = "/srv/thpd_asks";
	connect_and("t@*.service", "u*@*.service");
	ck_assert_str_eq(programs(), "");
	ck_assert_uint_eq(n_get_all, 3);
}
END_TEST

START_TEST(an_instance_that_a_pattern_names)
{
	add_file("t@.service", "");
	add_unit("t@a.service", "/t")->hidden = true;
	add_unit("t@thpd_asks.service", "/t")->hidden = true;
	add_unit("none@a.service", "/none")->hidden = true;
	connect_and("t@a.service", "none@a.service");
	ck_assert_str_eq(programs(), "t@a.service system.slice /t /t root\n");
	signal_unit("UnitRemoved", "t@a.service");
	run_for(20);
	ck_assert_str_eq(programs(), "t@a.service system.slice /t /t root\n");
	ck_assert_uint_eq(n_get_all, 1);
}
END_TEST

START_TEST(new_unit_is_asked_for_alone)
{
	struct bus_stats st;

	for (int i = 0; i < 200; i++)
		add_unit(arena_printf(&scratch, "u%d.service", i), "/u");
	connect_and("u*.service", NULL);
	n_get_all = 0;
	add_unit("unew.service", "/new");
	add_unit("other.service", "/other");
	signal_unit("UnitNew", "unew.service");
	signal_unit("UnitNew", "other.service");
	signal_unit("UnitNew", "u.device");
	run_until(n_news == 2);
	ck_assert(contains(programs(), "unew.service system.slice /new /new root\n"));
	ck_assert_uint_eq(n_get_all, 1);
	bus_stats(bus, &st);
	ck_assert_uint_eq(st.lists, 1);
	/* The same again changes nothing and is not told. */
	signal_unit("UnitNew", "unew.service");
	run_for(100);
	ck_assert_uint_eq(n_news, 2);
}
END_TEST

/* A question loads the unit, which is told as new, which is no reason for a question. */
START_TEST(own_questions_do_not_go_round)
{
	struct unit *u = add_unit("t@1.service", "/t");

	connect_and("t@*.service", NULL);
	u->hidden = true;
	n_get_all = 0;
	for (int i = 0; i < 50; i++) {
		signal_unit("UnitNew", "t@1.service");
		signal_unit("UnitRemoved", "t@1.service");
		run_for(5);
	}
	ck_assert_uint_le(n_get_all, 1);
	ck_assert_uint_ge(n_get_unit, 1);
	ck_assert_str_eq(programs(), "");
}
END_TEST

START_TEST(reload_asks_once_for_each)
{
	add_unit("a.service", "/a");
	add_unit("b.service", "/b");
	connect_and("?.service", NULL);
	n_get_all = n_get_unit = 0;
	units[0].exec[0] = "/changed";
	add_unit("c.service", "/c");
	reload();
	run_until(n_news == 2);
	run_for(50);
	ck_assert_str_eq(programs(), "a.service system.slice /changed /changed root\n"
				     "b.service system.slice /b /b root\n"
				     "c.service system.slice /c /c root\n");
	ck_assert_uint_eq(n_get_all, 3);
	ck_assert_uint_eq(n_get_unit, 0);
	/* Nothing has changed: nothing is told. */
	reload();
	run_for(200);
	ck_assert_uint_eq(n_get_all, 6);
	ck_assert_uint_eq(n_news, 2);
	/* A unit that has gone meanwhile. */
	units[1].load = "not-found";
	reload();
	run_until(n_news == 3);
	ck_assert(!contains(programs(), "b.service"));
}
END_TEST

START_TEST(many_reasons_one_list)
{
	struct bus_stats st;
	uint64_t began;

	add_unit("a.service", "/a");
	connect_and("a.service", NULL);
	for (int i = 0; i < 20; i++)
		ck_assert_int_ge(sd_bus_emit_signal(peer, MANAGER_PATH, MANAGER, "UnitFilesChanged",
						    NULL),
				 0);
	run_for(300);
	bus_stats(bus, &st);
	ck_assert_uint_eq(st.lists, 2);
	/* A stream of reasons does not put it off for ever. */
	began = now();
	do {
		ck_assert_int_ge(sd_bus_emit_signal(peer, MANAGER_PATH, MANAGER, "UnitFilesChanged",
						    NULL),
				 0);
		run_for(10);
		bus_stats(bus, &st);
	} while (st.lists == 2 && now() - began < 5000);
	ck_assert_uint_eq(st.lists, 3);
}
END_TEST

START_TEST(services_in_a_slice)
{
	add_unit("a.service", "/a")->slice = "db-x.slice";
	add_unit("b.service", "/b");
	add_unit("c.service", "/c")->slice = "-.slice";
	add_unit("db.slice", NULL);
	connect_and("db.slice", NULL);
	ck_assert_str_eq(programs(), "a.service db-x.slice /a /a root\n");
	ck_assert_uint_eq(n_get, 3);
	ck_assert_uint_eq(n_get_all, 1);
	add_unit("late.service", "/late")->slice = "db.slice";
	signal_unit("UnitNew", "late.service");
	run_until(n_news == 2);
	ck_assert(contains(programs(), "late.service db.slice /late /late root\n"));
}
END_TEST

START_TEST(no_slice_no_questions)
{
	for (int i = 0; i < 100; i++)
		add_unit(arena_printf(&scratch, "u%d.service", i), "/u");
	connect_and("db.slice", "a*");
	ck_assert_uint_eq(n_get + n_get_all, 0);
	add_unit("late.service", "/late")->slice = "db.slice";
	add_unit("db.slice", NULL);
	signal_unit("UnitNew", "late.service");
	signal_unit("UnitNew", "db.slice");
	run_until(n_news == 1);
	ck_assert_str_eq(programs(), "late.service db.slice /late /late root\n");
}
END_TEST

START_TEST(lost_and_found)
{
	add_unit("a.service", "/a");
	connect_and("?.service", NULL);
	stop_manager();
	run_until(bus_state(bus) == BUS_LOST);
	ck_assert_int_lt(state_error, 0);
	run_for(200); /* in vain a few times */
	ck_assert_str_eq(programs(), "a.service system.slice /a /a root\n");
	ck_assert_uint_eq(n_connects, 1);
	add_unit("b.service", "/b");
	start_manager();
	run_until(bus_state(bus) == BUS_CONNECTED);
	ck_assert_str_eq(programs(), "a.service system.slice /a /a root\n"
				     "b.service system.slice /b /b root\n");
	ck_assert_uint_eq(n_connects, 2);
}
END_TEST

START_TEST(delay_grows)
{
	struct bus_stats st;
	uint64_t began = now();

	stop_manager();
	want("a.service", NULL);
	do {
		ck_assert_int_ge(sd_event_run(event, 100000), 0);
		bus_stats(bus, &st);
	} while (st.connects < 5);
	/* At 0, 20, 60, 140, 300 ms. */
	ck_assert_uint_ge(now() - began, 290);
	ck_assert_int_eq(state, BUS_LOST);
}
END_TEST

START_TEST(senseless_answers)
{
	static const int ways[] = { NO_LIST, WRONG_LIST, WRONG_UNIT, GARBAGE };

	how = ways[_i];
	add_unit("a.service", "/a");
	want("a.service", NULL);
	run_until(n_connects >= 3);
	run_until(state == BUS_LOST);
	ck_assert_str_eq(programs(), "");
	ck_assert_int_lt(state_error, 0);
	how = SANE;
	run_until(bus_state(bus) == BUS_CONNECTED);
	ck_assert_str_eq(programs(), "a.service system.slice /a /a root\n");
}
END_TEST

START_TEST(lost_with_questions_in_flight)
{
	for (int i = 0; i < 100; i++)
		add_unit(arena_printf(&scratch, "u%d.service", i), "/u");
	how = NO_ANSWER;
	want("u*", NULL);
	run_until(n_get_all == 16); /* and no more: they are not answered */
	run_for(50);
	ck_assert_uint_eq(n_get_all, 16);
	how = SANE;
	peer = sd_bus_close_unref(peer);
	run_until(bus_state(bus) == BUS_CONNECTED);
	ck_assert_uint_eq(n_get_all, 116);
	ck_assert(contains(programs(), "u99.service"));
}
END_TEST

START_TEST(closed_at_any_moment)
{
	for (int i = 0; i < 30; i++)
		add_unit(arena_printf(&scratch, "u%d.service", i), "/u");
	want("u*", NULL);
	for (int i = 0; i < _i; i++)
		ck_assert_int_ge(sd_event_run(event, 1000), 0);
}
END_TEST

START_TEST(other_wishes)
{
	add_unit("a.service", "/a");
	add_unit("b.service", "/b");
	connect_and("a.service", NULL);
	want("b.service", NULL);
	run_until(n_news == 2);
	ck_assert_str_eq(programs(), "b.service system.slice /b /b root\n");
	ck_assert_int_eq(bus_want(bus, NULL, 0), 0);
	ck_assert_int_eq(bus_state(bus), BUS_UNUSED);
	ck_assert_str_eq(programs(), "");
	run_for(100);
	ck_assert_uint_eq(n_connects, 1);
	connect_and("a.service", NULL);
	ck_assert_str_eq(programs(), "a.service system.slice /a /a root\n");
	ck_assert_uint_eq(n_connects, 2);
}
END_TEST

START_TEST(wishes_from_a_callback)
{
	add_unit("a.service", "/a");
	had_enough = true;
	want("a.service", NULL);
	run_until(n_news == 1);
	run_for(100);
	ck_assert_int_eq(bus_state(bus), BUS_UNUSED);
	ck_assert_str_eq(programs(), "");
	had_enough = false;
	connect_and("a.service", NULL);
	had_enough = true;
	add_unit("b.service", "/b");
	units[0].exec[0] = "/changed";
	signal_unit("UnitNew", "a.service");
	run_until(n_news == 3);
	run_for(100);
	ck_assert_int_eq(bus_state(bus), BUS_UNUSED);
	ck_assert_uint_eq(n_connects, 2);
}
END_TEST

START_TEST(thousand_units)
{
	struct bus_stats st;

	for (int i = 0; i < 1000; i++) {
		const char *name = arena_printf(&scratch, "u%d.service", i);

		add_unit(name, "/u")->hidden = i % 2;
		add_file(name, "");
		add_unit(arena_printf(&scratch, "other%d.service", i), "/o");
	}
	connect_and("u*.service", NULL);
	bus_stats(bus, &st);
	ck_assert_uint_eq(st.calls, 1002);
	ck_assert_uint_eq(st.asked, 1000);
	ck_assert_uint_eq(n_news, 1);
	for (int i = 0; i < 1000; i++)
		signal_unit("UnitRemoved", units[2 * i + 1].name);
	run_for(20);
	bus_stats(bus, &st);
	ck_assert_uint_eq(st.calls, 1002);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bus");
	TCase *c = new_case(s, "bus");
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, what_units_start);
	tcase_add_test(c, below_another_root);
	tcase_add_test(c, files_that_are_not_loaded);
	tcase_add_test(c, a_template_is_asked_for_once);
	tcase_add_test(c, what_each_instance_has_another_of_is_not_known);
	tcase_add_test(c, an_instance_that_a_pattern_names);
	tcase_add_test(c, new_unit_is_asked_for_alone);
	tcase_add_test(c, own_questions_do_not_go_round);
	tcase_add_test(c, reload_asks_once_for_each);
	tcase_add_test(c, many_reasons_one_list);
	tcase_add_test(c, services_in_a_slice);
	tcase_add_test(c, no_slice_no_questions);
	tcase_add_test(c, lost_and_found);
	tcase_add_test(c, delay_grows);
	tcase_add_loop_test(c, senseless_answers, 0, 4);
	tcase_add_test(c, lost_with_questions_in_flight);
	tcase_add_loop_test(c, closed_at_any_moment, 0, 40);
	tcase_add_test(c, other_wishes);
	tcase_add_test(c, wishes_from_a_callback);
	tcase_add_test(c, thousand_units);
	test_dir_make();
	failed = run_suite(s);
	test_dir_remove();
	return failed;
}
