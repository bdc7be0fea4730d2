/* SPDX-License-Identifier: MIT */
#include "policy/policy-keys.h"

#include "base/parse.h"
#include "model/policy.h"

/*
 * The words of Linux up to 6.18, Documentation/admin-guide/mm/transhuge.rst. Which of them the
 * running kernel offers is asked of the kernel itself when a plan is made.
 */
static const char *const enabled_words[] = { "always", "madvise", "never", NULL };
static const char *const defrag_words[] = { "always",  "defer", "defer+madvise",
					    "madvise", "never", NULL };
static const char *const shmem_words[] = { "always", "within_size", "advise", "never",
					   "deny",   "force",	    NULL };
static const char *const anon_enabled_words[] = { "always", "inherit", "madvise", "never", NULL };
static const char *const anon_shmem_words[] = { "always", "inherit", "within_size",
						"advise", "never",   NULL };

#define HOST_ROLE (CONTEXT_HOST | CONTEXT_ROLE)

/* One row for each key and place where it means something of its own. */
const struct policy_key policy_keys[] = {
	{ "verify_interval", CONTEXT_TOP, KEY_NUMBER, NULL, 0, 86400, 0 },
	{ "on_drift", CONTEXT_TOP, KEY_WORD, on_drift_words, 0, 0, 0 },
	{ "missing", CONTEXT_TOP, KEY_WORD, missing_words, 0, 0, 0 },
	{ "madvise_fallback", CONTEXT_TOP, KEY_WORD, fallback_words, 0, 0, 0 },
	{ "metrics_file", CONTEXT_TOP, KEY_STRING, NULL, 0, 0, 0 },
	{ "host_role", CONTEXT_TOP, KEY_STRING, NULL, 0, 0, 0 },
	{ "host", CONTEXT_TOP, KEY_SECTION, NULL, 0, 0, CONTEXT_HOST },
	{ "role", CONTEXT_TOP, KEY_TITLED, NULL, 0, 0, CONTEXT_ROLE },

	{ "hosts", CONTEXT_ROLE, KEY_LIST, NULL, 0, 0, 0 },
	{ "enabled", HOST_ROLE, KEY_WORD, enabled_words, 0, 0, 0 },
	{ "defrag", HOST_ROLE, KEY_WORD, defrag_words, 0, 0, 0 },
	{ "shmem_enabled", HOST_ROLE, KEY_WORD, shmem_words, 0, 0, 0 },
	{ "use_zero_page", HOST_ROLE, KEY_NUMBER, NULL, 0, 1, 0 },
	{ "shrink_underused", HOST_ROLE, KEY_NUMBER, NULL, 0, 1, 0 },
	{ "khugepaged", HOST_ROLE, KEY_SECTION, NULL, 0, 0, CONTEXT_KHUGEPAGED },
	{ "anon", HOST_ROLE, KEY_TITLED, NULL, 0, 0, CONTEXT_ANON },
	{ "service", HOST_ROLE, KEY_TITLED, NULL, 0, 0, CONTEXT_SERVICE },

	{ "defrag", CONTEXT_KHUGEPAGED, KEY_NUMBER, NULL, 0, 1, 0 },
	{ "max_ptes_none", CONTEXT_KHUGEPAGED, KEY_NUMBER, NULL, 0, 65535, 0 },
	{ "max_ptes_swap", CONTEXT_KHUGEPAGED, KEY_NUMBER, NULL, 0, 65535, 0 },
	{ "max_ptes_shared", CONTEXT_KHUGEPAGED, KEY_NUMBER, NULL, 0, 65535, 0 },
	{ "pages_to_scan", CONTEXT_KHUGEPAGED, KEY_NUMBER, NULL, 1, UINT32_MAX, 0 },
	{ "scan_sleep_millisecs", CONTEXT_KHUGEPAGED, KEY_NUMBER, NULL, 0, UINT32_MAX, 0 },
	{ "alloc_sleep_millisecs", CONTEXT_KHUGEPAGED, KEY_NUMBER, NULL, 0, UINT32_MAX, 0 },

	{ "enabled", CONTEXT_ANON, KEY_WORD, anon_enabled_words, 0, 0, 0 },
	{ "shmem_enabled", CONTEXT_ANON, KEY_WORD, anon_shmem_words, 0, 0, 0 },

	{ "thp", CONTEXT_SERVICE, KEY_WORD, thp_mode_words, 0, 0, 0 },
	{ "unit", CONTEXT_SERVICE, KEY_LIST, NULL, 0, 0, 0 },
	{ "exe", CONTEXT_SERVICE, KEY_LIST, NULL, 0, 0, 0 },
	{ "user", CONTEXT_SERVICE, KEY_LIST, NULL, 0, 0, 0 },
	{ "comm", CONTEXT_SERVICE, KEY_LIST, NULL, 0, 0, 0 },
	{ "reclaim", CONTEXT_SERVICE, KEY_WORD, reclaim_words, 0, 0, 0 },
	{ "apply", CONTEXT_SERVICE, KEY_WORD, apply_words, 0, 0, 0 },
	{ "start", CONTEXT_SERVICE, KEY_WORD, start_words, 0, 0, 0 },
	{ "madvise_fallback", CONTEXT_SERVICE, KEY_WORD, fallback_words, 0, 0, 0 },
};

const size_t policy_keys_n = ARRAY_SIZE(policy_keys);
_Static_assert(ARRAY_SIZE(policy_keys) <= POLICY_KEYS_MAX, "a set of keys must fit one word");

static bool key_is(const struct policy_key *k, const char *name, size_t len)
{
	return strncmp(k->name, name, len) == 0 && k->name[len] == '\0';
}

/** policy_key_find() - the key @name (of @len bytes) as it is known in @c, or NULL */
const struct policy_key *policy_key_find(enum context c, const char *name, size_t len)
{
	for (size_t i = 0; i < policy_keys_n; i++)
		if ((policy_keys[i].contexts & c) && key_is(&policy_keys[i], name, len))
			return &policy_keys[i];
	return NULL;
}

/** policy_key_elsewhere() - a key of that name in any place, or NULL: it is known, but not here */
const struct policy_key *policy_key_elsewhere(const char *name, size_t len)
{
	for (size_t i = 0; i < policy_keys_n; i++)
		if (key_is(&policy_keys[i], name, len))
			return &policy_keys[i];
	return NULL;
}

/** policy_key_suggest() - the key of @c that @name is most likely a slip of, or NULL */
const char *policy_key_suggest(enum context c, const char *name)
{
	const char *words[POLICY_KEYS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < policy_keys_n; i++)
		if (policy_keys[i].contexts & c)
			words[n++] = policy_keys[i].name;
	return closest_word(words, n, name);
}

/** context_to_string() - where, in words that fit behind "in" */
const char *context_to_string(enum context c)
{
	switch (c) {
	case CONTEXT_TOP:
		return "at the top level";
	case CONTEXT_HOST:
		return "in host";
	case CONTEXT_ROLE:
		return "in a role";
	case CONTEXT_KHUGEPAGED:
		return "in khugepaged";
	case CONTEXT_ANON:
		return "in anon";
	case CONTEXT_SERVICE:
		return "in a service";
	}
	return "here";
}
