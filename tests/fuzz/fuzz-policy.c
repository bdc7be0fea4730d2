/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: whatever the bytes, the loader reports or accepts, and what it accepts it accepts
 * again on top of itself without becoming anything else.
 */
#include "policy/policy-check.h"
#include "policy/policy-load.h"

static size_t rules(const struct policy *p)
{
	size_t n = p->host.rules.n + p->host.settings.n;
	struct section **s;

	array_foreach(s, &p->roles)
		n += (*s)->rules.n + (*s)->settings.n;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_policy_ struct policy p;
	_cleanup_diags_ struct diags d = { 0 };
	size_t n;

	policy_init(&p);
	if (policy_load(&p, "fuzz.conf", (const char *)data, size, &d) < 0)
		abort();
	(void)policy_check(&p, &d);
	if (d.errors > 0) {
		if (d.list.n == 0)
			abort();
		return 0;
	}
	n = rules(&p);
	if (policy_load(&p, "fuzz.conf", (const char *)data, size, &d) < 0 || d.errors > 0 ||
	    rules(&p) != n)
		abort();
	return 0;
}
