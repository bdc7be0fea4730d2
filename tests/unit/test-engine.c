/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include <sys/file.h>

#include "engine/apply.h"
#include "engine/collect.h"
#include "engine/originals.h"
#include "engine/policy-files.h"
#include "plan/resolve.h"
#include "sys/knob.h"

#define THP "/sys/kernel/mm/transparent_hugepage"
#define NOBODY 65534

static struct arena scratch;
static const char *tree;
static struct root root = { .fd = -1 };
static int knobs = -1;
static struct policy policy;
static struct facts facts;
static struct plan plan;
static struct diags diags;
static struct policy_sources sources;

static const struct file host[] = {
	{ THP "/enabled", "always [madvise] never\n" },
	{ THP "/defrag", "always defer defer+madvise [madvise] never\n" },
	{ THP "/use_zero_page", "1\n" },
	{ THP "/hpage_pmd_size", "2097152\n" },
	{ THP "/khugepaged/max_ptes_none", "511\n" },
	{ THP "/khugepaged/defrag", "1\n" },
	{ "/proc/sys/kernel/osrelease", "6.12.5\n" },
	{ "/proc/sys/kernel/hostname", "db1\n" },
	{ "/proc/cmdline", "quiet ro\n" },
	{ "/etc/thpd", NULL },
	{ "/run", NULL },
};

static void setup(void)
{
	tree = tree_make(&scratch, host, ARRAY_SIZE(host));
	ck_assert_int_eq(root_open_tree(tree, &root), 0);
	knobs = knob_open(&root);
	policy_init(&policy);
}

static void teardown(void)
{
	knobs = close_fd(knobs);
	root_close(&root);
	plan_free(&plan);
	facts_free(&facts);
	policy_free(&policy);
	diags_free(&diags);
	arena_free(&sources.arena);
	arena_free(&scratch);
}

static void want(const char *key, const char *value)
{
	ck_assert_int_eq(section_set(&policy, &policy.host, key, value, (struct pos){ "p", 1 }), 0);
}

/* What a run does up to the point where it would write. */
static void look(void)
{
	struct role_choice none = { 0 };

	plan_free(&plan);
	facts_free(&facts);
	ck_assert_int_eq(collect_host(&root, &facts), 0);
	ck_assert_int_eq(resolve_wanted(&policy, &none, &plan), 0);
	ck_assert_int_eq(collect_knobs(&root, knobs, &plan, &facts), 0);
	ck_assert_int_eq(resolve_found(&policy, &facts, &plan), 0);
}

static const struct plan_item *item(const char *key)
{
	const struct plan_item *it;

	array_foreach(it, &plan.items)
		if (streq(it->key, key))
			return it;
	ck_abort_msg("%s is not in the plan", key);
	return NULL;
}

static const char *held(const char *key)
{
	return tree_read(&scratch, tree, arena_printf(&scratch, THP "/%s", key));
}

START_TEST(collect_reads_what_the_plan_names)
{
	want("enabled", "never");
	want("khugepaged/max_ptes_none", "0");
	want("shmem_enabled", "never");
	look();
	ck_assert_str_eq(facts.hostname, "db1");
	ck_assert_str_eq(facts.release, "6.12.5");
	ck_assert_uint_eq(facts.pmd_pages, 512);
	ck_assert_uint_eq(facts.knobs.n, 3);
	ck_assert_str_eq(facts_knob(&facts, "enabled")->value, "madvise");
	ck_assert_str_eq(facts_knob(&facts, "enabled")->words, "always madvise never");
	ck_assert_int_eq(facts_knob(&facts, "shmem_enabled")->error, -ENOENT);
	ck_assert_ptr_null(facts_knob(&facts, "defrag"));
	facts_free(&facts);
	ck_assert_int_eq(collect_knobs(&root, -ENOENT, &plan, &facts), 0);
	ck_assert_int_eq(facts.thp_error, -ENOENT);
}
END_TEST

START_TEST(hostname_of_a_tree)
{
	ck_assert_int_eq(unlink(tree_path(&scratch, tree, "/proc/sys/kernel/hostname")), 0);
	ck_assert_int_eq(unlink(tree_path(&scratch, tree, "/proc/sys/kernel/osrelease")), 0);
	look();
	ck_assert_str_eq(facts.hostname, "");
	ck_assert_str_eq(facts.release, "");
	tree_add(tree, "/etc/hostname", " web3\n");
	look();
	ck_assert_str_eq(facts.hostname, "web3");
}
END_TEST

/* hostname(5): lines that begin with # are comments. */
START_TEST(hostname_file_may_have_comments)
{
	ck_assert_int_eq(unlink(tree_path(&scratch, tree, "/proc/sys/kernel/hostname")), 0);
	tree_add(tree, "/etc/hostname", "# from the installer\nweb3\n");
	look();
	ck_assert_str_eq(facts.hostname, "web3");
}
END_TEST

START_TEST(apply_changes_what_has_drifted)
{
	want("enabled", "never");
	want("defrag", "madvise");
	want("khugepaged/max_ptes_none", "0");
	want("shmem_enabled", "never");
	look();
	ck_assert_int_eq(apply_settings(&root, knobs, &plan), 2);
	ck_assert_int_eq(item("enabled")->outcome, OUTCOME_CHANGED);
	ck_assert_str_eq(item("enabled")->found, "madvise");
	ck_assert_str_eq(item("enabled")->now, "never");
	ck_assert_int_eq(item("defrag")->outcome, OUTCOME_OK);
	ck_assert_int_eq(item("khugepaged/max_ptes_none")->outcome, OUTCOME_CHANGED);
	ck_assert_int_eq(item("shmem_enabled")->outcome, OUTCOME_ABSENT);
	ck_assert_str_eq(held("enabled"), "always madvise [never]\n");
	ck_assert_str_eq(held("khugepaged/max_ptes_none"), "0\n");
	ck_assert_str_eq(held("shmem_enabled"), "(none)");
	/* The second time there is nothing to do. */
	look();
	ck_assert_int_eq(apply_settings(&root, knobs, &plan), 0);
	ck_assert_int_eq(item("enabled")->outcome, OUTCOME_OK);
}
END_TEST

START_TEST(apply_does_not_write_what_is_right)
{
	struct stat before, after;
	const char *path = tree_path(&scratch, tree, THP "/enabled");
	const struct timespec old[2] = { { 1000000, 0 }, { 1000000, 0 } };

	ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
	want("enabled", "madvise");
	want("defrag", "never");
	look();
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(apply_settings(&root, knobs, &plan), 1);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
}
END_TEST

START_TEST(apply_reports_a_file_that_is_gone)
{
	want("enabled", "never");
	want("defrag", "never");
	look();
	ck_assert_int_eq(unlink(tree_path(&scratch, tree, THP "/enabled")), 0);
	ck_assert_int_eq(apply_settings(&root, knobs, &plan), 1);
	ck_assert_int_eq(item("defrag")->outcome, OUTCOME_CHANGED);
	ck_assert(plan_item_failed(item("enabled")));
	ck_assert_int_eq(item("enabled")->error, ENOENT);
	ck_assert_str_eq(held("enabled"), "(none)");
	ck_assert_str_eq(outcome_words[item("enabled")->outcome], "gone");
}
END_TEST

START_TEST(apply_is_denied_without_permission)
{
	want("enabled", "never");
	ck_assert_int_eq(chmod(tree_path(&scratch, tree, THP "/enabled"), 0444), 0);
	look();
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(NOBODY), 0);
	ck_assert_int_eq(apply_settings(&root, knobs, &plan), 0);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(item("enabled")->outcome, OUTCOME_DENIED);
	ck_assert_int_eq(item("enabled")->error, EACCES);
	ck_assert_str_eq(item("enabled")->now, "madvise");
	ck_assert_str_eq(held("enabled"), "always [madvise] never\n");
}
END_TEST

/* Two names of one file stand for two settings of which one undoes the other. */
START_TEST(apply_reads_everything_once_more)
{
	ck_assert_int_eq(unlink(tree_path(&scratch, tree, THP "/defrag")), 0);
	ck_assert_int_eq(link(tree_path(&scratch, tree, THP "/enabled"),
			      tree_path(&scratch, tree, THP "/defrag")),
			 0);
	want("enabled", "always");
	want("defrag", "never");
	look();
	(void)apply_settings(&root, knobs, &plan);
	ck_assert_int_eq(item("enabled")->outcome, OUTCOME_REJECTED);
	ck_assert_str_eq(item("enabled")->now, "never");
	ck_assert_int_eq(item("defrag")->outcome, OUTCOME_CHANGED);
}
END_TEST

START_TEST(originals_keep_what_was_there_first)
{
	_cleanup_close_ int lock = state_lock(&root, NULL);
	struct originals o = { 0 };

	ck_assert_int_ge(lock, 0);
	want("enabled", "never");
	want("use_zero_page", "1");
	want("shmem_enabled", "never");
	look();
	ck_assert_int_eq(originals_save_plan(&root, &plan), 0);
	ck_assert_int_eq(apply_settings(&root, knobs, &plan), 1);
	/* Later, with another key, and the first one already changed. */
	want("defrag", "never");
	look();
	ck_assert_int_eq(originals_save_plan(&root, &plan), 0);
	ck_assert_int_eq(apply_settings(&root, knobs, &plan), 1);

	ck_assert_int_eq(originals_load(&root, &o), 0);
	ck_assert_uint_eq(o.list.n, 3);
	ck_assert_int_eq(originals_add(&o, "enabled", ""), 0);
	for (size_t i = 0; i < o.list.n; i++)
		ck_assert_str_eq(o.list.items[i].value,
				 streq(o.list.items[i].key, "use_zero_page") ? "1" : "madvise");
	originals_free(&o);
}
END_TEST

START_TEST(originals_restore_the_host)
{
	_cleanup_close_ int lock = state_lock(&root, NULL);
	struct originals o = { 0 };
	const struct original *it;

	ck_assert_int_ge(lock, 0);
	want("enabled", "never");
	want("khugepaged/max_ptes_none", "0");
	look();
	ck_assert_int_eq(originals_save_plan(&root, &plan), 0);
	ck_assert_int_eq(apply_settings(&root, knobs, &plan), 2);

	ck_assert_int_eq(originals_load(&root, &o), 0);
	policy_free(&policy);
	array_foreach(it, &o.list)
		want(it->key, it->value);
	look();
	ck_assert_int_eq(apply_settings(&root, knobs, &plan), 2);
	ck_assert_str_eq(held("enabled"), "always [madvise] never\n");
	ck_assert_str_eq(held("khugepaged/max_ptes_none"), "511\n");
	originals_free(&o);

	ck_assert_int_eq(originals_forget(&root), 0);
	ck_assert_str_eq(tree_read(&scratch, tree, ORIGINALS_FILE), "(none)");
	ck_assert_int_eq(originals_forget(&root), 0);
	ck_assert_int_eq(originals_load(&root, &o), 0);
	ck_assert_uint_eq(o.list.n, 0);
}
END_TEST

START_TEST(originals_that_are_damaged_stop_everything)
{
	static const char *const bad[] = { "", "{", "{}", "\n" };
	struct originals o = { 0 };

	want("enabled", "never");
	look();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		tree_add(tree, ORIGINALS_FILE, bad[i]);
		ck_assert_int_eq(originals_load(&root, &o), -EBADMSG);
		ck_assert_int_eq(originals_save_plan(&root, &plan), -EBADMSG);
		ck_assert_str_eq(tree_read(&scratch, tree, ORIGINALS_FILE), bad[i]);
	}
	ck_assert_int_eq(unlink(tree_path(&scratch, tree, ORIGINALS_FILE)), 0);
	tree_add(tree, ORIGINALS_FILE, NULL);
	ck_assert_int_eq(originals_save_plan(&root, &plan), -EISDIR);
}
END_TEST

START_TEST(originals_need_a_place)
{
	want("enabled", "never");
	look();
	ck_assert_int_eq(originals_save_plan(&root, &plan), -ENOENT);
}
END_TEST

START_TEST(state_lock_keeps_others_out)
{
	int lock = state_lock(&root, NULL), other;

	ck_assert_int_ge(lock, 0);
	other = open(tree_path(&scratch, tree, "/run/thpd/lock"), O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), -1);
	ck_assert_int_eq(errno, EWOULDBLOCK);
	close_fd(lock);
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
	close_fd(other);
}
END_TEST

/* The paths of what was found, a blank between. */
static const char *find_policy(const char *const *paths, size_t n)
{
	struct policy_paths pp = { paths, n };
	const struct policy_source *src;
	const char *out = "";

	arena_free(&sources.arena);
	sources = (struct policy_sources){ 0 };
	diags_free(&diags);
	ck_assert_int_eq(policy_files_find(&root, &pp, &sources, &diags), 0);
	array_foreach(src, &sources.list)
		out = arena_printf(&scratch, "%s%s%s", out, *out ? " " : "", src->path);
	return out;
}

START_TEST(policy_files_have_an_order)
{
	tree_add(tree, "/usr/lib/thpd/thpd.conf", "# vendor\n");
	tree_add(tree, "/usr/lib/thpd/conf.d/90-v.conf", "");
	tree_add(tree, "/usr/lib/thpd/conf.d/50-x.conf", "");
	tree_add(tree, "/run/thpd/conf.d/60-r.conf", "");
	tree_add(tree, "/run/thpd/conf.d/50-x.conf", "");
	tree_add(tree, "/etc/thpd/conf.d/10-e.conf", "# mine\n");
	tree_add(tree, "/etc/thpd/conf.d/.hidden.conf", "");
	tree_add(tree, "/etc/thpd/conf.d/20-e.conf~", "");
	tree_add(tree, "/etc/thpd/conf.d/README", "");
	ck_assert_str_eq(find_policy(NULL, 0),
			 "/usr/lib/thpd/thpd.conf /etc/thpd/conf.d/10-e.conf "
			 "/run/thpd/conf.d/50-x.conf /run/thpd/conf.d/60-r.conf "
			 "/usr/lib/thpd/conf.d/90-v.conf");
	ck_assert_str_eq(sources.list.items[1].text, "# mine\n");
	ck_assert_uint_eq(sources.list.items[1].len, 7);
	tree_add(tree, "/run/thpd/thpd.conf", "");
	ck_assert(startswith(find_policy(NULL, 0), "/run/thpd/thpd.conf "));
	tree_add(tree, "/etc/thpd/thpd.conf", "");
	tree_add(tree, "/etc/thpd/conf.d/50-x.conf", "");
	ck_assert_str_eq(find_policy(NULL, 0),
			 "/etc/thpd/thpd.conf /etc/thpd/conf.d/10-e.conf "
			 "/etc/thpd/conf.d/50-x.conf /run/thpd/conf.d/60-r.conf "
			 "/usr/lib/thpd/conf.d/90-v.conf");
	ck_assert_uint_eq(diags.list.n, 0);
}
END_TEST

START_TEST(policy_files_can_be_masked)
{
	tree_add(tree, "/usr/lib/thpd/thpd.conf", "");
	tree_add(tree, "/usr/lib/thpd/conf.d/a.conf", "");
	tree_add(tree, "/usr/lib/thpd/conf.d/b.conf", "");
	tree_add(tree, "/etc/thpd/thpd.conf", "-> /dev/null");
	tree_add(tree, "/run/thpd/conf.d/a.conf", "-> /dev/null");
	ck_assert_str_eq(find_policy(NULL, 0), "/usr/lib/thpd/conf.d/b.conf");
	ck_assert_uint_eq(diags.list.n, 0);
	/* What is masked in /run can be there again in /etc. */
	tree_add(tree, "/etc/thpd/conf.d/a.conf", "");
	ck_assert_str_eq(find_policy(NULL, 0),
			 "/etc/thpd/conf.d/a.conf /usr/lib/thpd/conf.d/b.conf");
}
END_TEST

START_TEST(policy_must_be_somewhere)
{
	ck_assert_str_eq(find_policy(NULL, 0), "");
	ck_assert_uint_eq(diags.troubles, 1);
	ck_assert_str_eq(find_policy((const char *[]){ "/no/such.conf" }, 1), "");
	ck_assert_uint_eq(diags.troubles, 1);
	ck_assert_str_eq(diags.list.items[0].file, "/no/such.conf");
}
END_TEST

START_TEST(unreadable_policy_is_trouble)
{
	static const char *const names[] = { "/etc/thpd/thpd.conf", "/etc/thpd/conf.d/a.conf" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		tree_add(tree, "/usr/lib/thpd/thpd.conf", "");
		tree_add(tree, "/usr/lib/thpd/conf.d/a.conf", "");
		tree_add(tree, names[i], "-> nowhere");
		(void)find_policy(NULL, 0);
		ck_assert_uint_eq(diags.troubles, 1);
		ck_assert_str_eq(diags.list.items[0].file, names[i]);
		ck_assert_int_eq(unlink(tree_path(&scratch, tree, names[i])), 0);
		tree_add(tree, names[i], NULL);
		(void)find_policy(NULL, 0);
		ck_assert_uint_eq(diags.troubles, 1);
		ck_assert_int_eq(rmdir(tree_path(&scratch, tree, names[i])), 0);
		ck_assert_int_eq(mkfifo(tree_path(&scratch, tree, names[i]), 0644), 0);
		(void)find_policy(NULL, 0);
		ck_assert_uint_eq(diags.troubles, 1);
		ck_assert_int_eq(unlink(tree_path(&scratch, tree, names[i])), 0);
	}
}
END_TEST

START_TEST(policy_paths_replace_the_standard_ones)
{
	tree_add(tree, "/etc/thpd/thpd.conf", "");
	tree_add(tree, "/srv/one.conf", "");
	tree_add(tree, "/srv/d/thpd.conf", "");
	tree_add(tree, "/srv/d/conf.d/b.conf", "");
	ck_assert_str_eq(find_policy((const char *[]){ "/srv/d", "/srv/one.conf" }, 2),
			 "/srv/d/thpd.conf /srv/d/conf.d/b.conf /srv/one.conf");
	ck_assert_uint_eq(diags.list.n, 0);
}
END_TEST

START_TEST(policy_must_be_trustworthy)
{
	static const struct {
		mode_t mode;
		uid_t uid;
		gid_t gid;
		const char *why;
	} cases[] = {
		{ 0644, 0, 0, NULL },
		{ 0600, 0, 1000, NULL },
		{ 0646, 0, 0, "writable by everybody" },
		{ 0602, 0, 0, "writable by everybody" },
		{ 0664, 0, 1000, "writable by a group" },
		{ 0644, 1000, 0, "not owned by root" },
		{ 0400, 1000, 1000, "not owned by root" },
	};
	const char *path = tree_path(&scratch, tree, "/etc/thpd/thpd.conf");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tree_add(tree, "/etc/thpd/thpd.conf", "");
		/* Without privilege nothing can be given away, and one's own group may write. */
		if (geteuid() == 0)
			ck_assert_int_eq(chown(path, cases[i].uid, cases[i].gid), 0);
		else if (cases[i].uid || cases[i].gid)
			continue;
		ck_assert_int_eq(chmod(path, cases[i].mode), 0);
		(void)find_policy(NULL, 0);
		ck_assert_msg(diags.errors == (cases[i].why ? 1 : 0), "case %zu", i);
		ck_assert_uint_eq(diags.troubles, 0);
		ck_assert_uint_eq(sources.list.n, cases[i].why ? 0 : 1);
		if (cases[i].why)
			ck_assert(contains(diags.list.items[0].message, cases[i].why));
	}
}
END_TEST

START_TEST(policy_has_one_mebibyte_at_most)
{
	const char *path = tree_path(&scratch, tree, "/etc/thpd/thpd.conf");

	tree_add(tree, "/etc/thpd/thpd.conf", "# x\n");
	ck_assert_int_eq(truncate(path, 1 << 20), 0);
	ck_assert_str_eq(find_policy(NULL, 0), "/etc/thpd/thpd.conf");
	ck_assert_uint_eq(diags.errors, 0);
	ck_assert_int_eq(truncate(path, (1 << 20) + 1), 0);
	ck_assert_str_eq(find_policy(NULL, 0), "");
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert(contains(diags.list.items[0].message, "larger than 1 MiB"));
}
END_TEST

static const char *library(const char *role)
{
	const struct policy_paths standard = { 0 };
	struct policy_source src = { 0 };
	int r = policy_files_library(&root, &standard, role, &sources, &src, &diags);

	ck_assert_int_ge(r, 0);
	return r ? src.path : "none";
}

START_TEST(role_library_has_the_same_precedence)
{
	const struct policy_paths standard = { 0 };
	const char **roles;
	size_t n;

	ck_assert_str_eq(library("db"), "none");
	tree_add(tree, "/usr/lib/thpd/roles/db.conf", "role db { }");
	tree_add(tree, "/usr/lib/thpd/roles/web.conf", "");
	tree_add(tree, "/usr/lib/thpd/roles/app.conf", "");
	tree_add(tree, "/usr/lib/thpd/roles/notes.txt", "");
	ck_assert_str_eq(library("db"), "/usr/lib/thpd/roles/db.conf");
	tree_add(tree, "/run/thpd/roles/db.conf", "");
	ck_assert_str_eq(library("db"), "/run/thpd/roles/db.conf");
	tree_add(tree, "/etc/thpd/roles/db.conf", "");
	ck_assert_str_eq(library("db"), "/etc/thpd/roles/db.conf");
	tree_add(tree, "/etc/thpd/roles/web.conf", "-> /dev/null");
	ck_assert_str_eq(library("web"), "none");
	ck_assert_uint_eq(diags.list.n, 0);
	ck_assert_int_eq(policy_files_roles(&root, &standard, &scratch, &roles, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(roles[0], "app");
	ck_assert_str_eq(roles[1], "db");
	tree_add(tree, "/etc/thpd/roles/app.conf", "-> nowhere");
	ck_assert_str_eq(library("app"), "none");
	ck_assert_uint_eq(diags.troubles, 1);
}
END_TEST

static const char *role_of_file(const char *text)
{
	diags_free(&diags);
	facts_free(&facts);
	tree_add(tree, "/etc/thpd/role", text);
	ck_assert_int_eq(collect_role(&root, NULL, &facts, &diags), 0);
	return facts.file_role.word ? facts.file_role.word : "none";
}

START_TEST(role_file_holds_one_word)
{
	ck_assert_str_eq(role_of_file("db\n"), "db");
	ck_assert_str_eq(role_of_file("db"), "db");
	ck_assert_str_eq(role_of_file("\n# which\n\n  mongodb-8\t# since May\n# end\n"),
			 "mongodb-8");
	ck_assert_str_eq(facts.file_role.where, "/etc/thpd/role");
	ck_assert_uint_eq(facts.file_role.line, 4);
	ck_assert_uint_eq(diags.list.n, 0);
	ck_assert_str_eq(role_of_file("# nothing\n\n"), "none");
	ck_assert_str_eq(role_of_file(""), "none");
	ck_assert_uint_eq(diags.list.n, 0);
	(void)role_of_file("# x\ndb web\n");
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert_uint_eq(diags.list.items[0].line, 2);
	(void)role_of_file("db\n\nweb\n");
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert_uint_eq(diags.list.items[0].line, 3);
}
END_TEST

/* A link that leads nowhere names a role that cannot be read: that must not pass for no role. */
START_TEST(role_file_that_dangles_is_trouble)
{
	ck_assert_str_eq(role_of_file("-> nowhere"), "none");
	ck_assert_uint_eq(diags.errors, 1);
}
END_TEST

START_TEST(role_sources_of_the_host)
{
	static const char *const cases[][2] = {
		{ "quiet thpd.role=a ro\n", "a" },
		{ "thpd.role=a thpd.role=b", "b" },
		{ "thpd.role=\"c\"\n", "c" },
		{ "xthpd.role=a thpd.roles=b thpd.role=\n", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		facts_free(&facts);
		tree_add(tree, "/proc/cmdline", cases[i][0]);
		ck_assert_int_eq(collect_role(&root, NULL, &facts, &diags), 0);
		ck_assert_pstr_eq(facts.cmdline_role.word, cases[i][1]);
	}
	tree_add(tree, "/run/credentials/@system/thpd.role", "sys\n");
	tree_add(tree, "/run/credentials/mine/thpd.role", "mine\n");
	ck_assert_str_eq(role_of_file("file\n"), "none");
	ck_assert_str_eq(facts.credential_role.word, "sys");
	facts_free(&facts);
	ck_assert_int_eq(collect_role(&root, "/run/credentials/mine", &facts, &diags), 0);
	ck_assert_str_eq(facts.credential_role.word, "mine");
	ck_assert_uint_eq(diags.list.n, 0);
}
END_TEST

static void add_policy_tests(Suite *s)
{
	TCase *c = new_case(s, "policy-files");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, policy_files_have_an_order);
	tcase_add_test(c, policy_files_can_be_masked);
	tcase_add_test(c, policy_must_be_somewhere);
	tcase_add_test(c, unreadable_policy_is_trouble);
	tcase_add_test(c, policy_paths_replace_the_standard_ones);
	tcase_add_test(c, policy_must_be_trustworthy);
	tcase_add_test(c, policy_has_one_mebibyte_at_most);
	tcase_add_test(c, role_library_has_the_same_precedence);
	tcase_add_test(c, role_file_holds_one_word);
	tcase_add_test(c, role_file_that_dangles_is_trouble);
	tcase_add_test(c, role_sources_of_the_host);
}

int main(void)
{
	Suite *s = suite_create("engine");
	TCase *c = new_case(s, "settings");
	int r;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, collect_reads_what_the_plan_names);
	tcase_add_test(c, hostname_of_a_tree);
	tcase_add_test(c, hostname_file_may_have_comments);
	tcase_add_test(c, apply_changes_what_has_drifted);
	tcase_add_test(c, apply_does_not_write_what_is_right);
	tcase_add_test(c, apply_reports_a_file_that_is_gone);
	tcase_add_test(c, apply_is_denied_without_permission);
	tcase_add_test(c, apply_reads_everything_once_more);
	tcase_add_test(c, originals_keep_what_was_there_first);
	tcase_add_test(c, originals_restore_the_host);
	tcase_add_test(c, originals_that_are_damaged_stop_everything);
	tcase_add_test(c, originals_need_a_place);
	tcase_add_test(c, state_lock_keeps_others_out);
	add_policy_tests(s);
	test_dir_make();
	r = run_suite(s);
	test_dir_remove();
	return r;
}
