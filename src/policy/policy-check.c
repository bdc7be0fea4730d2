/* SPDX-License-Identifier: MIT */
/* What can be found wrong in a policy without any host. */
#include "policy/policy-check.h"

#include "base/parse.h"

#define ROLE_NAME_MAX 64U

/**
 * role_name_valid() - whether @name can name a role
 *
 * A role's name is also a file name in the role library and a word on the kernel's command line.
 */
bool role_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > ROLE_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "_.@-")] == '\0';
}

/* "always, madvise or never" */
static const char *list_words(struct arena *a, const char *const *words)
{
	const char *out = "";

	if (!words[0][0])
		words++;
	for (size_t i = 0; words[i] && out; i++)
		out = arena_printf(a, "%s%s%s", out,
				   i == 0	? "" :
				   words[i + 1] ? ", " :
						  " or ",
				   words[i]);
	return out ? out : "?";
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static bool check_string(const struct policy_key *k, const char *value, const char *file,
			 uint32_t line, struct diags *d)
{
	if (streq(k->name, "host_role") && !role_name_valid(value)) {
		diag_add(d, SEVERITY_ERROR, file, line,
			 "%s: '%s' cannot name a role; expected letters, digits, _ . @ -", k->name,
			 value);
		return false;
	}
	if (streq(k->name, "metrics_file") &&
	    (value[0] != '/' || strstr(value, "/../") || endswith(value, "/") ||
	     endswith(value, "/..") || endswith(value, "/."))) {
		diag_add(d, SEVERITY_ERROR, file, line,
			 "%s: '%s' is no absolute file name; expected e.g. "
			 "'/var/lib/prometheus/node-exporter/thpd.prom'",
			 k->name, value);
		return false;
	}
	return true;
}

static bool check_unit_pattern(const char *value, const char *file, uint32_t line, struct diags *d)
{
	/* Units that processes are in: systemd.resource-control(5). */
	static const char *const suffixes[] = {
		".service", ".scope", ".slice", ".socket", ".mount", ".swap",
	};
	char last = value[strlen(value) - 1];

	if (strchr("*?]", last))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (endswith(value, suffixes[i]))
			return true;
	if (strchr(value, '.') || strchr(value, ' '))
		diag_add(d, SEVERITY_ERROR, file, line,
			 "unit: '%s' matches no unit; expected a pattern ending in .service, "
			 ".scope, .slice, .socket, .mount or .swap",
			 value);
	else
		diag_add(d, SEVERITY_ERROR, file, line,
			 "unit: '%s' matches no unit; expected .service, .scope, .slice, .socket, "
			 ".mount or .swap at the end, e.g. '%s.service'",
			 value, value);
	return false;
}

/*
 * fnmatch(3) takes a bracket that is not closed for a byte like any other: then nothing ever
 * matches.
 */
static bool bracket_open(const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			s++;
		} else if (*s == '[') {
			const char *from = s + 1;

			from += *from == '!' || *from == '^';
			from += *from == ']';
			s = strchr(from, ']');
			if (!s)
				return true;
		}
	}
	return false;
}

/**
 * policy_check_value() - whether @value may be given to key @k; reports if not
 * @k: the key
 * @value: one value, for a list each in turn
 * @file: where
 * @line: where
 * @d: gets the error
 */
bool policy_check_value(const struct policy_key *k, const char *value, const char *file,
			uint32_t line, struct diags *d)
{
	_cleanup_arena_ struct arena scratch = { 0 };
	uint64_t v = 0;

	if (!*value || has_control(value)) {
		diag_add(d, SEVERITY_ERROR, file, line, "%s: %s; expected a value", k->name,
			 *value ? "a control character in the value" : "empty");
		return false;
	}
	switch (k->kind) {
	case KEY_WORD:
		if (word_index(k->words, value) >= 0)
			return true;
		diag_add(d, SEVERITY_ERROR, file, line, "%s: unknown word '%s'; expected %s",
			 k->name, value, list_words(&scratch, k->words));
		return false;
	case KEY_NUMBER:
		if (parse_uint(value, k->max, &v) == 0 && v >= k->min)
			return true;
		diag_add(d, SEVERITY_ERROR, file, line,
			 "%s: '%s' is not a number from %u to %u; expected decimal digits only",
			 k->name, value, k->min, k->max);
		return false;
	case KEY_STRING:
		return check_string(k, value, file, line, d);
	case KEY_LIST:
		if (bracket_open(value)) {
			diag_add(d, SEVERITY_ERROR, file, line,
				 "%s: '%s' has a [ without its ]; expected e.g. '[0-9]', or \\[ "
				 "for the byte itself",
				 k->name, value);
			return false;
		}
		return !streq(k->name, "unit") || check_unit_pattern(value, file, line, d);
	case KEY_SECTION:
	case KEY_TITLED:
		break;
	}
	return false;
}

static bool check_anon_size(const char *title, const char *file, uint32_t line, struct diags *d)
{
	char digits[16];
	size_t n = strspn(title, "0123456789");
	uint64_t kb = 0;

	if (n > 0 && n < sizeof(digits) && streq(title + n, "kB")) {
		memcpy(digits, title, n);
		digits[n] = '\0';
		if (parse_uint(digits, UINT32_MAX, &kb) == 0 && kb >= 8 && (kb & (kb - 1)) == 0)
			return true;
	}
	diag_add(d, SEVERITY_ERROR, file, line,
		 "anon: '%s' is no size of the kernel's; expected a power of two from 8 with "
		 "kB, as in the directory hugepages-64kB: '64kB'",
		 title);
	return false;
}

/** policy_check_title() - whether @title may name a section opened by @k; reports if not */
bool policy_check_title(const struct policy_key *k, const char *title, const char *file,
			uint32_t line, struct diags *d)
{
	if (k->opens == CONTEXT_ANON)
		return check_anon_size(title, file, line, d);
	if (k->opens == CONTEXT_ROLE && !role_name_valid(title)) {
		diag_add(d, SEVERITY_ERROR, file, line,
			 "role: '%s' cannot name a role; expected letters, digits, _ . @ -", title);
		return false;
	}
	if (!*title || has_control(title)) {
		diag_add(d, SEVERITY_ERROR, file, line, "%s: %s title; expected text", k->name,
			 *title ? "a control character in the" : "empty");
		return false;
	}
	return true;
}

/**
 * policy_check_unique() - whether no section of that kind and title stands in @parent already
 * @seen: the titles of the file so far; the new one is added
 * @a: the arena of @seen
 * @parent: what tells the section around it from others
 * @kind: the key that opens it
 * @title: its title
 * @pos: where it stands
 * @d: gets the error when it is repeated
 *
 * Return: 0, repeated or not; -ENOMEM.
 */
int policy_check_unique(struct strmap *seen, struct arena *a, const char *parent, const char *kind,
			const char *title, struct pos pos, struct diags *d)
{
	const char *key = arena_printf(a, "%s\n%s\n%s", parent, kind, title);
	uint32_t first = 0;
	int r = key ? strmap_put(seen, a, key, pos.line) : -ENOMEM;

	if (r != -EEXIST)
		return r;
	(void)strmap_get(seen, key, &first);
	diag_add(d, SEVERITY_ERROR, pos.file, pos.line,
		 "%s '%s' is repeated; it stands in line %u already", kind, title, first);
	return 0;
}

/**
 * policy_check_section() - policy_check() for host or one role, which may rely on the role library
 */
void policy_check_section(const struct section *s, struct diags *d)
{
	const struct rule *r;

	array_foreach(r, &s->rules) {
		if (!r->thp)
			diag_add(d, SEVERITY_ERROR, r->pos.file, r->pos.line,
				 "service '%s' has no thp; expected thp = disable, madvise, system "
				 "or inherit",
				 r->title);
		if (r->unit.n == 0 && *r->title)
			check_unit_pattern(r->title, r->pos.file, r->pos.line, d);
	}
}

/**
 * policy_check() - what only the whole policy shows, after all its files are merged
 * @p: the policy
 * @d: gets the errors
 *
 * Whether host_role names a role that exists is found when the role is resolved.
 *
 * Return: 0, faults or not.
 */
int policy_check(const struct policy *p, struct diags *d)
{
	struct section **role;

	policy_check_section(&p->host, d);
	array_foreach(role, &p->roles)
		policy_check_section(*role, d);
	return 0;
}
