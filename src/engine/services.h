/* SPDX-License-Identifier: MIT */
#ifndef THPD_ENGINE_SERVICES_H
#define THPD_ENGINE_SERVICES_H

#include "model/facts.h"
#include "model/plan.h"
#include "model/report.h"
#include "engine/privileged.h"
#include "sys/units.h"

/* What is to be known of each process, and who may find out. */
struct services_needs {
	bool exe, user;
	bool starting; /* also the service manager's own, in which a program is about to begin */
	const struct privileged *by;
};

int services_units(const struct root *root, struct unit_tree *tree, struct facts *f);
int services_procs(const struct root *root, const struct unit_tree *tree,
		   const struct services_needs *needs, struct facts *f);
int services_named(const struct root *root, const int32_t *pids, size_t n, struct facts *f);
int services_all(const struct facts *f, struct plan *plan);
int services_ask(const struct root *root, int dirfd, const struct privileged *by, struct facts *f,
		 struct plan *plan);
int services_ask_before(const struct root *root, int dirfd, const struct privileged *by,
			struct facts *f, struct plan *plan);
bool services_all_get(const struct root *root, int dirfd, uint64_t *ret_pmd);
int services_apply(const struct root *root, const struct privileged *by, struct plan *plan);
int services_memory(const struct root *root, const struct unit_tree *tree, struct facts *f,
		    const struct plan *plan);
int services_carried(const struct root *root, const struct plan *plan, struct arena *a,
		     carried_flags *ret);

#endif
