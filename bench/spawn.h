/* SPDX-License-Identifier: MIT */
#ifndef THPD_BENCH_SPAWN_H
#define THPD_BENCH_SPAWN_H

#include "base/util.h"

#define COMMANDS_MAX 32U

struct command {
	const char *label;
	char **argv, **before; /* NULL-terminated; before may be NULL */
	const char *path, *before_path;
	double *us;   /* of each round */
	long rss_kib; /* the least peak resident set of all rounds */
};

struct bench {
	struct command commands[COMMANDS_MAX];
	size_t n, reference;
	long rounds, warm_up;
	long rss_floor_kib; /* ours, which a child has too until it becomes the program */
	const char *reference_label, *output;
};

int bench_report(const struct bench *b);

#endif
