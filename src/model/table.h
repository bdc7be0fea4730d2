/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_TABLE_H
#define THPD_MODEL_TABLE_H

#include "base/arena.h"

#define TABLE_COLUMNS 10

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_DIM, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED };

struct cell {
	const char *text; /* not copied; NULL is empty */
	enum colour colour;
	bool right; /* to the right edge of the column, as figures are */
};

struct table_row {
	struct cell cells[TABLE_COLUMNS];
	bool line; /* the first cell is a line of its own, which goes over the columns */
};

/* Rows of at most TABLE_COLUMNS cells; zero-initialise to start, then arena_free(&t->arena). */
struct table {
	struct arena arena;
	ARRAY(struct table_row) rows;
	bool oom;
};

void table_row(struct table *t, const struct cell *cells, size_t n);
void table_line(struct table *t, const char *text);
int table_print(const struct table *t, bool colour, FILE *f);
const char *colour_on(enum colour c, bool enabled);
const char *colour_off(enum colour c, bool enabled);

#endif
