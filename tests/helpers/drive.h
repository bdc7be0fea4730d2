/* SPDX-License-Identifier: MIT */
/* The parts of drive.c. */
#ifndef THPD_TESTS_HELPERS_DRIVE_H
#define THPD_TESTS_HELPERS_DRIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/inject.h"

/* A process under test. */
struct target {
	pid_t pid;
	uint64_t start;
};

/* drive.c */
int64_t now_us(void);
void pause_us(int64_t us);
int64_t random_below(int64_t n);
struct inject_answer ask(const struct target *t, enum inject_op op, enum thp_flag flag,
			 enum inject_point die_at);
bool set_now(const struct target *t, enum thp_flag flag, struct inject_answer *ret);
void complain(enum thp_flag flag, const struct inject_answer *a);
const char *word(const struct inject_answer *a);
int status_field(pid_t pid, const char *name);
enum thp_flag flag_of(unsigned int i);

/* drive-kill.c */
enum kill_of {
	KILL_MAIN,
	KILL_TRACER,
	FREEZE_TRACER,
};

/* Killed tracers have left no room for another stub: the process is to be exchanged for a new one. */
#define STATUS_FULL 4

int drive_kill(const struct target *t, int n, enum kill_of who);
int drive_points(const struct target *t, int rounds, int from);

/* drive-spoil.c */
int drive_spoil(pid_t tid, const char *how, int n);

#endif
