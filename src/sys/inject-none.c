/* SPDX-License-Identifier: MIT */
/* Where remote calls are not known how to make, they are reported as unsupported. */
#include "sys/inject-arch.h"

#if !defined(__x86_64__) && !defined(__aarch64__)

bool arch_supports(bool compat)
{
	return false;
}

const struct arch_early *arch_early(void)
{
	return NULL;
}

int arch_get(int32_t tid, struct regs *ret)
{
	return -ENOSYS;
}

int arch_set(int32_t tid, const struct regs *regs)
{
	return -ENOSYS;
}

bool arch_compat(const struct regs *regs)
{
	return false;
}

bool arch_keeps(int32_t tid)
{
	return false;
}

enum was arch_settle(struct regs *regs, const struct in_call *before)
{
	return WAS_RUNNING;
}

bool arch_reaches(uint64_t at, const struct regs *was)
{
	return true;
}

size_t arch_stub(const struct regs *was, enum was how, uint64_t at, uint64_t mask,
		 const uint64_t *then, unsigned char *stub)
{
	return 0;
}

void arch_call(const struct regs *was, uint64_t at, const uint64_t *args, struct regs *ret)
{
	*ret = *was;
}

bool arch_called(const struct regs *now, uint64_t at)
{
	return false;
}

long arch_result(const struct regs *now)
{
	return -ENOSYS;
}

bool arch_in_gap(const struct regs *now, const struct regs *was)
{
	return false;
}

uint64_t arch_pc(const struct regs *regs)
{
	return 0;
}

bool arch_in_stub(const struct regs *now, uint64_t at)
{
	return false;
}

enum call_class arch_classify(bool compat, long nr, const uint64_t *args)
{
	return CALL_BAD;
}

bool arch_clobbers(const struct regs *was)
{
	return false;
}

#endif
