/* SPDX-License-Identifier: MIT */
/* Where remote calls are not known how to make, they are reported as unsupported. */
#include "sys/inject-arch.h"

#if !defined(__x86_64__)

bool arch_supported(void)
{
	return false;
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

enum was arch_settle(struct regs *regs)
{
	return WAS_RUNNING;
}

size_t arch_stub(const struct regs *was, enum was how, uint64_t at, unsigned char *stub)
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

#endif
