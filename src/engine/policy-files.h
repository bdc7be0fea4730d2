/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_POLICY_FILES_H
#define THPD_ENGINE_POLICY_FILES_H

#include "model/diag.h"
#include "sys/root.h"

#define POLICY_FILE_MAX ((size_t)1024 * 1024)

/* A policy file as it was read. */
struct policy_source {
	const char *path;
	const char *text;
	size_t len;
};

/* Where to look instead of the standard directories; n == 0: there. */
struct policy_paths {
	const char *const *items;
	size_t n;
};

struct policy_sources {
	struct arena arena;
	ARRAY(struct policy_source) list;
};

int policy_files_find(const struct root *root, const struct policy_paths *paths,
		      struct policy_sources *out, struct diags *d);
int policy_files_library(const struct root *root, const struct policy_paths *paths,
			 const char *role, struct policy_sources *out, struct policy_source *ret,
			 struct diags *d);
int policy_file_read(const struct root *root, const char *path, struct policy_sources *out,
		     struct policy_source *ret, struct diags *d);
int policy_files_roles(const struct root *root, const struct policy_paths *paths, struct arena *a,
		       const char ***ret, size_t *ret_n);

#endif
