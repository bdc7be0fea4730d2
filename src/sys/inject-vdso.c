/* SPDX-License-Identifier: MIT */
/* Room for the stub: bytes behind the vdso's image, or the program's own, which no code uses. */
#include "sys/inject-target.h"

#include <elf.h>
#include <sys/uio.h>

#include "base/parse.h"
#include "sys/inject.h"

/* Where the vdso is and whether the process is a 32-bit one; proc_pid_auxv(5). */
static int read_auxv(struct target *t, uint64_t *ret_vdso)
{
	union {
		char bytes[1024];
		uint64_t wide[128];
		uint32_t narrow[256];
	} u;
	uint64_t vdso = 0;
	ssize_t n;

	n = target_read(t, t->tid, "auxv", u.bytes, sizeof(u.bytes));
	if (n == -EACCES || n == -EPERM)
		return INJECT_FORBIDDEN;
	if (n <= 0)
		return n == -ENOENT || n == -ESRCH ? INJECT_GONE : INJECT_UNSUPPORTED;
	for (size_t i = 0; i + 1 < (size_t)n / 8 && u.wide[i]; i += 2)
		if (u.wide[i] == AT_PHDR)
			t->headers = u.wide[i + 1];
		else if (u.wide[i] == AT_SYSINFO_EHDR)
			vdso = u.wide[i + 1];
	if (vdso) {
		*ret_vdso = vdso;
		return 0;
	}
	for (size_t i = 0; i + 1 < (size_t)n / 4 && u.narrow[i]; i += 2)
		if (u.narrow[i] == AT_SYSINFO_EHDR) {
			t->compat = true;
			*ret_vdso = u.narrow[i + 1];
			return 0;
		}
	return INJECT_UNSUPPORTED;
}

static ssize_t read_memory(int32_t pid, uint64_t at, void *buf, size_t n)
{
	struct iovec local = { .iov_base = buf, .iov_len = n };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)at, .iov_len = n };
	ssize_t r = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	return r < 0 ? -errno : r;
}

/**
 * target_find_tail() - looks for room for a stub
 * @t: gets the room, and whether the process is a 32-bit one
 *
 * The bytes behind the vdso's image, up to the end of its last page. The section headers are the
 * last thing in the image. That the rest of the page is mapped and zero is how the kernel builds it
 * (arch/x86/entry/vdso/vdso2c.h aligns the data to pages).
 *
 * Return: 0; INJECT_GONE; INJECT_FORBIDDEN; INJECT_UNSUPPORTED without a vdso, or without room.
 */
int target_find_tail(struct target *t)
{
	union {
		Elf64_Ehdr wide;
		Elf32_Ehdr narrow;
	} e;
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t vdso, end;
	ssize_t n;
	int r = read_auxv(t, &vdso);

	if (r == 0 && !arch_supports(t->compat))
		r = INJECT_UNSUPPORTED;
	if (r != 0)
		return r;
	n = read_memory(t->tid, vdso, &e, sizeof(e));
	if (n == -EPERM || n == -ESRCH)
		return n == -EPERM ? INJECT_FORBIDDEN : INJECT_GONE;
	/* It may be about to exec: then the address was of an address space that is no more. */
	if (n != sizeof(e) || memcmp(e.wide.e_ident, ELFMAG, SELFMAG) != 0 ||
	    e.wide.e_ident[EI_CLASS] != (t->compat ? ELFCLASS32 : ELFCLASS64))
		return INJECT_BUSY;
	t->vdso = vdso;
	memcpy(&t->mark, (const char *)&e + VDSO_MARK, sizeof(t->mark));
	end = vdso + (t->compat ?
			      e.narrow.e_shoff + (uint64_t)e.narrow.e_shnum * e.narrow.e_shentsize :
			      e.wide.e_shoff + (uint64_t)e.wide.e_shnum * e.wide.e_shentsize);
	t->tail = (end + 15) & ~UINT64_C(15);
	t->tail_end = (end + page - 1) & ~(page - 1);
	return t->tail + STUB_SIZE <= t->tail_end ? 0 : INJECT_UNSUPPORTED;
}

static bool all_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/**
 * target_slot() - a place for the stub
 * @t: of target_look()
 * @ret: its address
 *
 * A place that is not zero holds the stub of a tracer that was killed, and is never used again:
 * that no thread is in it now does not tell that none will be. One may be stopped there, wait for a
 * CPU, or have been interrupted there by a signal, whose handler returns whenever it likes. There
 * are about ten places.
 *
 * Return: 0; INJECT_GONE; INJECT_FORBIDDEN; INJECT_BUSY; INJECT_FULL.
 */
int target_slot(const struct target *t, uint64_t *ret)
{
	unsigned char buf[4096];
	size_t size = t->tail_end - t->tail < sizeof(buf) ? t->tail_end - t->tail : sizeof(buf);
	uint64_t from = t->tail_end - size;
	ssize_t n = read_memory(t->tid, from, buf, size);

	if (n == -ESRCH || n == -EPERM)
		return n == -ESRCH ? INJECT_GONE : INJECT_FORBIDDEN;
	if (n < 0 || (size_t)n != size)
		return INJECT_BUSY; /* as in target_find_tail() */
	for (size_t at = size - STUB_SIZE;; at -= STUB_SIZE) {
		if (all_zero(buf + at, STUB_SIZE)) {
			*ret = from + at;
			return 0;
		}
		if (at < STUB_SIZE)
			return INJECT_FULL;
	}
}

/**
 * target_text_slot() - a place for the stub at the end of the program's own code
 * @t: of target_look(); a 64-bit process
 * @pc: an address in that code
 * @ret: its address
 *
 * The bytes from the end of the code's segment up to the end of its page are mapped, too, and
 * belong to nothing.
 *
 * Return: as target_slot(); INJECT_FULL also where there is no such room.
 */
int target_text_slot(const struct target *t, uint64_t pc, uint64_t *ret)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct {
		Elf64_Ehdr e;
		Elf64_Phdr p[16];
	} elf = { 0 };
	struct target text = *t;
	uint64_t bias = 0, end;

	if (t->headers < sizeof(elf.e) ||
	    read_memory(t->tid, t->headers - sizeof(elf.e), &elf, sizeof(elf)) != sizeof(elf) ||
	    memcmp(elf.e.e_ident, ELFMAG, SELFMAG) != 0 || elf.e.e_phoff != sizeof(elf.e))
		return INJECT_FULL;
	for (size_t i = 0; i < elf.e.e_phnum && i < ARRAY_SIZE(elf.p); i++) {
		const Elf64_Phdr *p = &elf.p[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_offset == 0)
			bias = t->headers - sizeof(elf.e) - p->p_vaddr;
		end = bias + p->p_vaddr + p->p_filesz;
		if ((p->p_flags & (PF_X | PF_W)) != PF_X || pc < bias + p->p_vaddr || pc >= end)
			continue;
		text.tail = (end + 15) & ~UINT64_C(15);
		text.tail_end = (end + page - 1) & ~(page - 1);
		return text.tail + STUB_SIZE <= text.tail_end ? target_slot(&text, ret) :
								INJECT_FULL;
	}
	return INJECT_FULL;
}
