/* SPDX-License-Identifier: MIT */
/*
 * Code that loads every register, does something, and stores every register:
 * victim-registers-asm.c.
 */
#ifndef THPD_TESTS_HELPERS_VICTIM_REGISTERS_H
#define THPD_TESTS_HELPERS_VICTIM_REGISTERS_H

#include <stddef.h>
#include <stdint.h>

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, FLAGS, GENERAL };

#define VECTOR_BYTES (32 * 64)

/*
 * Loaded into the registers, and what is found in them afterwards. The offsets stand in the code.
 */
struct frame {
	uint64_t in[GENERAL];
	uint64_t out[GENERAL];
	uint32_t level; /* 0 xmm, 1 ymm, 2 zmm and k */
	uint32_t mxcsr_in, mxcsr_out, mxcsr_default;
	uint64_t red_out[2];
	uint8_t x87_out[32];
	uint64_t mask_in[8];
	uint64_t mask_out[8];
	uint8_t vector_in[VECTOR_BYTES];
	uint8_t vector_out[VECTOR_BYTES];
};

/* A loop that adds rcx to rdx one by one. */
void registers_spin(struct frame *f);
/* A system call; of a 32-bit process by __kernel_vsyscall(). */
void registers_call(struct frame *f);
void registers_int80(struct frame *f);

#endif
