/* SPDX-License-Identifier: MIT */
/* What is written in files that other programs act on, at boot or later. */
#include "engine/doctor.h"

#include "base/parse.h"
#include "base/strmap.h"
#include "sys/paths.h"

#define DOCTOR_FILE_MAX ((size_t)256 * 1024)
#define THP_PATH "transparent_hugepage"
#define TUNED_INCLUDES_MAX 8

/* How a line looks that writes, and does not only name a file. */
enum syntax {
	SYNTAX_ANY,
	SYNTAX_SYSFS,	 /* sysfs.conf(5): `PATH = VALUE`, but not `mode` and `owner` */
	SYNTAX_TMPFILES, /* tmpfiles.d(5): type w */
	SYNTAX_UNIT,	 /* Exec*= with what follows it, but no Condition*= */
	SYNTAX_SCRIPT,	 /* a redirection; else the first line that names the file stands for all */
};

/* One kind of file: where, how it is written, and what the finding says. */
struct place {
	const char *const *dirs; /* a name in an earlier one hides it in the later ones */
	const char *file;	 /* one file instead of a directory's */
	const char *suffix;
	const char *comments;
	enum syntax syntax;
	const char *what; /* follows "FILE:LINE: " */
};

static const char *const tmpfiles_dirs[] = { "/etc/tmpfiles.d", PATH_RUN_TMPFILES,
					     "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d",
					     NULL };
static const char *const sysfs_dirs[] = { "/etc/sysfs.d", NULL };
static const char *const udev_dirs[] = { "/etc/udev/rules.d", PATH_RUN_UDEV_RULES,
					 "/usr/lib/udev/rules.d", NULL };
static const char *const unit_dirs[] = { "/etc/systemd/system",		  PATH_RUN_UNITS,
					 "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
					 "/lib/systemd/system",		  NULL };
static const char *const init_dirs[] = { "/etc/init.d", NULL };
static const char *const cron_dirs[] = { "/etc/cron.d", NULL };

static const struct place places[] = {
	{ NULL, "/etc/sysfs.conf", NULL, "#", SYNTAX_SYSFS,
	  "sysfsutils writes a THP setting at boot; remove the line, or the policy's" },
	{ sysfs_dirs, NULL, ".conf", "#", SYNTAX_SYSFS,
	  "sysfsutils writes a THP setting at boot; remove the line, or the policy's" },
	{ tmpfiles_dirs, NULL, ".conf", "#", SYNTAX_TMPFILES,
	  "systemd-tmpfiles writes a THP setting at boot; remove the line, or the policy's" },
	{ udev_dirs, NULL, ".rules", "#", SYNTAX_ANY, "a udev rule writes a THP setting" },
	{ NULL, "/etc/rc.local", NULL, "#", SYNTAX_SCRIPT,
	  "rc.local writes a THP setting late in the boot, and systemd 260 no longer runs it; "
	  "remove the line" },
	{ NULL, "/etc/rc.d/rc.local", NULL, "#", SYNTAX_SCRIPT,
	  "rc.local writes a THP setting late in the boot, and systemd 260 no longer runs it; "
	  "remove the line" },
	{ init_dirs, NULL, "", "#", SYNTAX_SCRIPT,
	  "an init script writes a THP setting; remove it" },
	{ cron_dirs, NULL, "", "#", SYNTAX_SCRIPT, "a cron job writes a THP setting; remove it" },
	{ NULL, "/etc/crontab", NULL, "#", SYNTAX_SCRIPT,
	  "a cron job writes a THP setting; remove it" },
	{ unit_dirs, NULL, ".service", "#;", SYNTAX_UNIT,
	  "a unit writes a THP setting when it starts; disable it (systemctl disable --now)" },
};

static bool redirects(const char *line)
{
	return strchr(line, '>') || strstr(line, "tee ");
}

static bool writes(enum syntax syntax, const char *line)
{
	switch (syntax) {
	case SYNTAX_ANY:
		return true;
	case SYNTAX_SYSFS:
		return !startswith(line, "mode ") && !startswith(line, "owner ");
	case SYNTAX_TMPFILES:
		return line[0] == 'w';
	case SYNTAX_UNIT:
		return startswith(line, "Exec") || redirects(line);
	case SYNTAX_SCRIPT:
		return redirects(line);
	}
	return false;
}

/* A finding for each line of the file that is no comment and writes what @needle names. */
static void look_at(const struct root *root, const char *path, const char *needle,
		    const char *comments, enum syntax syntax, const char *what, struct diags *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	uint32_t number = 0, named = 0;
	size_t before = d->warnings;
	char *text, *line;

	if (root_read_file(root, path, &a, DOCTOR_FILE_MAX, &text, NULL, NULL) < 0 ||
	    !strstr(text, needle))
		return;
	while ((line = strsep(&text, "\n"))) {
		number++;
		line += strspn(line, " \t");
		if (!*line || strchr(comments, *line) || !strstr(line, needle))
			continue;
		named = named ? named : number;
		if (writes(syntax, line))
			diag_add(d, SEVERITY_WARNING, path, number, "%s", what);
	}
	if (syntax == SYNTAX_SCRIPT && named && d->warnings == before)
		diag_add(d, SEVERITY_WARNING, path, named, "%s", what);
}

static bool is_ours(const char *name)
{
	return startswith(name, "thpd");
}

/* The drop-ins of one unit. */
static void look_at_dropins(const struct root *root, const struct place *p, const char *dir,
			    struct arena *a, struct diags *d)
{
	const char **names;
	size_t n;

	if (root_list(root, dir, a, &names, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(a, "%s/%s", dir, names[i]);

		if (path && endswith(names[i], ".conf"))
			look_at(root, path, THP_PATH "/", p->comments, p->syntax, p->what, d);
	}
}

static void look_at_dirs(const struct root *root, const struct place *p, struct diags *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct strmap seen = { 0 };

	for (size_t i = 0; p->dirs[i]; i++) {
		const char **names;
		size_t n;

		if (root_list(root, p->dirs[i], &a, &names, &n) < 0)
			continue;
		for (size_t j = 0; j < n; j++) {
			const char *path = arena_printf(&a, "%s/%s", p->dirs[i], names[j]);

			if (!path || is_ours(names[j]) || strmap_put(&seen, &a, names[j], 0) < 0)
				continue;
			if (p->syntax == SYNTAX_UNIT && endswith(names[j], ".service.d"))
				look_at_dropins(root, p, path, &a, d);
			else if (endswith(names[j], p->suffix))
				look_at(root, path, THP_PATH "/", p->comments, p->syntax, p->what,
					d);
		}
	}
}

/* A file whose words will stand on the kernel's command line after the next boot. */
static void look_at_next_cmdline(const struct root *root, const char *path, struct diags *d)
{
	look_at(root, path, THP_PATH "=", "#", SYNTAX_ANY,
		"the boot loader passes transparent_hugepage= at the next boot", d);
	look_at(root, path, "thp_anon=", "#", SYNTAX_ANY,
		"the boot loader passes thp_anon= at the next boot", d);
}

static void look_at_bootloader(const struct root *root, struct diags *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char **names;
	size_t n = 0;

	look_at_next_cmdline(root, "/etc/default/grub", d);
	look_at_next_cmdline(root, "/etc/kernel/cmdline", d);
	(void)root_list(root, "/etc/default/grub.d", &a, &names, &n);
	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(&a, "/etc/default/grub.d/%s", names[i]);

		if (path)
			look_at_next_cmdline(root, path, d);
	}
}

/* The file of a tuned profile, or NULL; tuned looks in /etc first. */
static char *tuned_file(const struct root *root, const char *profile, struct arena *a,
			char **ret_text)
{
	static const char *const dirs[] = { "/etc/tuned/profiles", "/etc/tuned",
					    "/usr/lib/tuned/profiles", "/usr/lib/tuned" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char *path = arena_printf(a, "%s/%s/tuned.conf", dirs[i], profile);

		if (path &&
		    root_read_file(root, path, a, DOCTOR_FILE_MAX, ret_text, NULL, NULL) == 0)
			return path;
	}
	return NULL;
}

/* One profile: its own lines, and the name of the profile that it includes, if any. */
static char *look_at_profile(const char *path, char *text, struct arena *a, struct diags *d)
{
	uint32_t number = 0;
	char *line, *include = NULL;

	while ((line = strsep(&text, "\n"))) {
		char *s = strip(line), *value;

		number++;
		if (!*s || *s == '#' || *s == ';')
			continue;
		value = strchr(s, '=');
		if (value && startswith(s, "include") && strspn(s + 7, " \t") + s + 7 == value)
			include = arena_strdup(a, strip(value + 1));
		else if (strstr(s, THP_PATH))
			diag_add(d, SEVERITY_WARNING, path, number,
				 "tuned's active profile sets THP; take the line out in a profile "
				 "of your own, or let tuned do without it");
	}
	return include;
}

static void look_at_tuned(const struct root *root, struct diags *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	char *profiles, *profile, *save = NULL;

	if (root_read_file(root, "/etc/tuned/active_profile", &a, 4096, &profiles, NULL, NULL) < 0)
		return;
	for (profile = strtok_r(profiles, " \t\n", &save); profile;
	     profile = strtok_r(NULL, " \t\n", &save)) {
		char *name = profile;

		for (int depth = 0; name && depth < TUNED_INCLUDES_MAX; depth++) {
			char *text, *path;

			if (strchr(name, '/'))
				break;
			path = tuned_file(root, name, &a, &text);
			name = path ? look_at_profile(path, text, &a, d) : NULL;
		}
	}
}

/**
 * doctor_files() - finds what other programs will write into the THP settings
 * @root: the host
 * @d: gets a warning for each line
 *
 * Return: 0; what cannot be read is not there for the programs either, or is not ours to judge.
 */
int doctor_files(const struct root *root, struct diags *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (places[i].file)
			look_at(root, places[i].file, THP_PATH "/", places[i].comments,
				places[i].syntax, places[i].what, d);
		else
			look_at_dirs(root, &places[i], d);
	}
	look_at_tuned(root, d);
	look_at_bootloader(root, d);
	return 0;
}
