/* SPDX-License-Identifier: MIT */
#include "model/plan.h"

const char *const outcome_words[] = {
	[OUTCOME_OK] = "ok",
	[OUTCOME_CHANGED] = "changed",
	[OUTCOME_DRIFTED] = "drifted",
	[OUTCOME_ABSENT] = "absent",
	[OUTCOME_REJECTED] = "rejected",
	[OUTCOME_DENIED] = "denied",
	[OUTCOME_GONE] = "gone",
	[OUTCOME_NO_TARGET] = "no_target",
	[OUTCOME_UNSUPPORTED] = "unsupported",
	[OUTCOME_UNKNOWN] = "unknown",
	[OUTCOME_FAILED] = "failed",
	NULL,
};

const char *const role_source_words[] = {
	[ROLE_NONE] = "none",
	[ROLE_OPTION] = "option",
	[ROLE_CMDLINE] = "kernel_command_line",
	[ROLE_CREDENTIAL] = "credential",
	[ROLE_FILE] = "file",
	[ROLE_POLICY] = "host_role",
	[ROLE_HOSTS] = "hosts",
	NULL,
};

/** plan_free() - frees the plan; the policy it points into is not touched */
void plan_free(struct plan *p)
{
	arena_free(&p->arena);
	diags_free(&p->findings);
	*p = (struct plan){ 0 };
}

/** plan_item_failed() - whether this keeps the host from being in compliance */
bool plan_item_failed(const struct plan_item *it)
{
	return it->outcome != OUTCOME_OK && it->outcome != OUTCOME_CHANGED && !it->tolerated;
}

/** thp_mode_flag() - the flag that a mode stands for; THP_WANT_NOTHING where it leaves it alone */
int thp_mode_flag(enum thp_mode mode)
{
	switch (mode) {
	case THP_MODE_DISABLE:
		return THP_WANT_DISABLE;
	case THP_MODE_MADVISE:
		return THP_WANT_EXCEPT_ADVISED;
	case THP_MODE_SYSTEM:
		return THP_WANT_CLEAR;
	case THP_MODE_UNSET:
	case THP_MODE_INHERIT:
		break;
	}
	return THP_WANT_NOTHING;
}
