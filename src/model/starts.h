/* SPDX-License-Identifier: MIT */
/* The programs that units start, and which of them get a flag as they do. Plain data. */
#ifndef THPD_MODEL_STARTS_H
#define THPD_MODEL_STARTS_H

#include "base/arena.h"

/* A program that a unit starts, as the service manager tells. */
struct start_program {
	const char *unit;   /* "redis-server.service" */
	const char *slice;  /* that the unit is in; NULL or "-.slice": in none */
	const char *called; /* as the unit names it: the process is called after that */
	const char *path;   /* the file on this host; NULL: not reachable */
	const char *user;   /* NULL: root; "": not known, no pattern but `*` matches */
	const char *thp;    /* MemoryTHP= of the unit; NULL: this systemd has none */
};

/* What the table of starts says: when @path is started in @unit, it gets @flag. */
struct start_entry {
	const char *path;
	const char *unit;
	int flag;      /* enum of model/plan.h, THP_WANT_...; never THP_WANT_NOTHING */
	bool gate;     /* before its first instruction; else as soon as possible */
	uint32_t rule; /* index in plan.rules: whose it is */
};

struct start_table {
	struct arena arena;
	ARRAY(struct start_entry) entries; /* by path, then by unit; no two with the same of both */
};

#endif
