/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_HOST_H
#define THPD_APP_HOST_H

#include "app/cli.h"
#include "engine/policy-files.h"
#include "engine/privileged.h"
#include "model/facts.h"
#include "model/report.h"
#include "plan/match.h"
#include "sys/root.h"
#include "sys/units.h"

/* One run's view of a host: what the policy says, what is there, and what follows. */
struct host {
	const struct cli *cli;
	struct root root;
	const struct privileged *by; /* who does what is done to processes */
	struct policy_paths paths;
	struct policy_sources sources;
	struct policy policy;
	struct role_choice role; /* in memory of the policy's */
	struct facts facts;
	struct plan plan;
	struct diags diags; /* faults of the policy */
	struct unit_tree units;
	struct match_needs needs;
	struct reclaim_report reclaim; /* of what `apply` gave back, in memory of the plan's */
	bool starts_seen; /* others see to what is about to begin: to be let alone meanwhile */
	int knobs;	  /* the directory of the settings, or negative errno */
};

int host_open(const struct cli *cli, struct host *ret);
int host_load_policy(struct host *h);
int host_resolve(struct host *h);
int host_read(struct host *h);
int host_again(struct host *h);
int host_load_files(struct host *h, const struct policy_paths *paths, struct policy *p,
		    struct diags *d);
int host_check_policy(struct host *h, struct policy *p, struct diags *d);
int host_load_library(struct host *h, const char *role, struct policy *p, struct diags *d);
void host_forget(struct host *h);
void host_close(struct host *h);

#endif
