/* SPDX-License-Identifier: MIT */
#include "engine/collect.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include "base/parse.h"
#include "engine/policy-files.h"
#include "sys/knob.h"
#include "sys/paths.h"

#define CMDLINE_MAX 65536U
#define ROLE_FILE_PATH "/etc/thpd/role"
#define CREDENTIAL_NAME "thpd.role"

/* The first line of a small file that is neither blank nor a comment; NULL when there is none. */
static const char *read_line(const struct root *root, const char *path, struct arena *a)
{
	char buf[512], *rest = buf, *line;

	if (root_read(root, path, buf, sizeof(buf)) < 0)
		return NULL;
	while ((line = strsep(&rest, "\n"))) {
		line = strip(line);
		if (*line && *line != '#')
			return arena_strdup(a, line);
	}
	return NULL;
}

/**
 * collect_host() - the names of host and kernel
 * @root: the host; for a tree, its own /proc/sys/kernel and /etc/hostname are asked
 * @f: gets them; "" where a tree does not tell
 *
 * Return: 0 or negative errno.
 */
int collect_host(const struct root *root, struct facts *f)
{
	struct utsname u;

	if (root->live) {
		if (uname(&u) < 0)
			return -errno;
		f->hostname = arena_strdup(&f->arena, u.nodename);
		f->release = arena_strdup(&f->arena, u.release);
	} else {
		f->hostname = read_line(root, PATH_HOSTNAME, &f->arena);
		if (!f->hostname)
			f->hostname = read_line(root, "/etc/hostname", &f->arena);
		f->release = read_line(root, PATH_OSRELEASE, &f->arena);
		if (!f->hostname)
			f->hostname = "";
		if (!f->release)
			f->release = "";
	}
	return f->hostname && f->release ? 0 : -ENOMEM;
}

/*
 * thpd.role= on the kernel command line; the last one counts, as for the kernel's own parameters.
 */
static int role_from_cmdline(const struct root *root, struct facts *f, struct diags *d)
{
	char *text, *word, *save = NULL;
	int r = root_read_file(root, PATH_CMDLINE, &f->arena, CMDLINE_MAX, &text, NULL, NULL);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		diag_trouble(d, PATH_CMDLINE, "cannot be read, so the role is not known: %s",
			     strerror(-r));
		return r == -ENOMEM ? r : 0;
	}
	for (word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		const char *value = startswith(word, "thpd.role=");
		size_t n;

		if (!value)
			continue;
		n = strlen(value);
		if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
			value++;
			n -= 2;
		}
		if (n == 0)
			continue;
		f->cmdline_role.word = arena_strndup(&f->arena, value, n);
		f->cmdline_role.where = PATH_CMDLINE;
		if (!f->cmdline_role.word)
			return -ENOMEM;
	}
	return 0;
}

/* Takes the one word out of a file that names a role; comments begin with #. */
static int one_word(char *text, const char *path, struct arena *a, struct role_word *ret,
		    struct diags *d)
{
	uint32_t number = 0;

	while (text) {
		char *line = strsep(&text, "\n"), *word;

		number++;
		line[strcspn(line, "#")] = '\0';
		word = strip(line);
		if (!*word)
			continue;
		if (ret->word || word[strcspn(word, " \t")]) {
			diag_add(d, SEVERITY_ERROR, path, number,
				 "more than one word; expected the name of a role");
			return 0;
		}
		ret->word = arena_strdup(a, word);
		ret->where = path;
		ret->line = number;
		if (!ret->word)
			return -ENOMEM;
	}
	return 0;
}

static int role_from_credential(const struct root *root, const char *dir, struct facts *f,
				struct diags *d)
{
	const char *path = arena_printf(&f->arena, "%s/" CREDENTIAL_NAME, dir);
	char buf[4096];
	ssize_t n;

	if (!path)
		return -ENOMEM;
	n = root_read(root, path, buf, sizeof(buf));
	if (n == -ENOENT || n == -ENOTDIR)
		return 0;
	if (n == -EACCES || n == -EPERM) {
		/* Whoever may not look there can still plan, but must know. */
		diag_add(d, SEVERITY_WARNING, path, 0,
			 "cannot be read by this user: a role that is given there is not seen");
		return 0;
	}
	if (n < 0) {
		diag_trouble(d, path, "cannot be read, so the role is not known: %s",
			     strerror((int)-n));
		return 0;
	}
	if ((size_t)n == sizeof(buf) - 1) {
		diag_add(d, SEVERITY_ERROR, path, 0, "too long; expected the name of a role");
		return 0;
	}
	return one_word(buf, path, &f->arena, &f->credential_role, d);
}

static int role_from_file(const struct root *root, struct facts *f, struct diags *d)
{
	struct policy_sources out = { 0 };
	struct policy_source src;
	/* Of a link that leads nowhere it must be said that it does. */
	int r, fd = root_open(root, ROLE_FILE_PATH, O_PATH | O_NOFOLLOW);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	close_fd(fd);
	r = policy_file_read(root, ROLE_FILE_PATH, &out, &src, d);
	if (r > 0)
		r = one_word((char *)src.text, ROLE_FILE_PATH, &f->arena, &f->file_role, d);
	arena_free(&out.arena);
	return r;
}

/**
 * collect_role() - what the kernel command line, credentials and /etc/thpd/role say of the role
 * @root: the host
 * @credentials: $CREDENTIALS_DIRECTORY, or NULL
 * @f: gets the words; a place is only asked while the earlier ones are silent
 * @d: gets faults of the files
 *
 * Return: 0, faults or not; -ENOMEM.
 */
int collect_role(const struct root *root, const char *credentials, struct facts *f, struct diags *d)
{
	int r = role_from_cmdline(root, f, d);

	if (r == 0 && !f->cmdline_role.word && credentials)
		r = role_from_credential(root, credentials, f, d);
	if (r == 0 && !f->cmdline_role.word && !f->credential_role.word)
		r = role_from_credential(root, PATH_SYSTEM_CREDENTIALS, f, d);
	if (r == 0 && !f->cmdline_role.word && !f->credential_role.word)
		r = role_from_file(root, f, d);
	return r;
}

/* How many base pages a PMD-sized huge page has; khugepaged's limits hang on it. */
static uint64_t pmd_pages(const struct root *root, int dirfd)
{
	long page = root->live ? sysconf(_SC_PAGESIZE) : 4096;
	uint64_t size = 0;
	struct knob k;

	if (knob_read(root, dirfd, "hpage_pmd_size", &k) < 0 ||
	    parse_uint(k.value, UINT64_MAX, &size) < 0 || page <= 0)
		return 0;
	return size / (uint64_t)page;
}

/**
 * collect_knobs() - reads every file that the plan names
 * @root: the host
 * @dirfd: of knob_open(), or its error
 * @plan: of resolve_wanted()
 * @f: gets what the files say
 *
 * Return: 0, readable or not; -ENOMEM.
 */
int collect_knobs(const struct root *root, int dirfd, const struct plan *plan, struct facts *f)
{
	const struct plan_item *it;

	if (dirfd < 0) {
		f->thp_error = dirfd;
		return 0;
	}
	array_foreach(it, &plan->items) {
		struct knob k = { 0 };
		int e = knob_read(root, dirfd, it->key, &k);
		int r = facts_add_knob(f, it->key, e, k.value, k.words);

		if (r < 0)
			return r;
		if (f->pmd_pages == 0 && startswith(it->key, "khugepaged/max_ptes_"))
			f->pmd_pages = pmd_pages(root, dirfd);
	}
	return 0;
}
