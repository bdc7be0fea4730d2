/* SPDX-License-Identifier: MIT */
#include "model/table.h"

#define GAP 2

/** colour_on() - what switches a terminal to @c; "" unless @enabled */
const char *colour_on(enum colour c, bool enabled)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",	      [COLOUR_BOLD] = "\033[1m",
		[COLOUR_DIM] = "\033[2m",     [COLOUR_GREEN] = "\033[32m",
		[COLOUR_YELLOW] = "\033[33m", [COLOUR_RED] = "\033[31m",
	};

	return enabled ? codes[c] : "";
}

/** colour_off() - what switches back from @c */
const char *colour_off(enum colour c, bool enabled)
{
	return enabled && c != COLOUR_NONE ? "\033[0m" : "";
}

/* Columns a text takes: code points, which is right for everything a policy is likely to hold. */
static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; s && *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/** table_row() - adds a row; being out of memory shows when the table is printed */
void table_row(struct table *t, const struct cell *cells, size_t n)
{
	struct table_row *row = array_add(&t->arena, &t->rows);

	if (!row || n > TABLE_COLUMNS) {
		t->oom = true;
		return;
	}
	memcpy(row->cells, cells, n * sizeof(*cells));
}

/** table_line() - adds a line that keeps to no columns; NULL is taken for out of memory */
void table_line(struct table *t, const char *text)
{
	struct table_row *row = array_add(&t->arena, &t->rows);

	if (!row || !text) {
		t->oom = true;
		return;
	}
	row->cells[0].text = text;
	row->line = true;
}

static void measure(const struct table *t, size_t *width)
{
	for (size_t c = 0; c < TABLE_COLUMNS; c++) {
		size_t below = 0, heading = text_width(t->rows.items[0].cells[c].text);

		for (size_t i = 1; i < t->rows.n; i++) {
			const struct table_row *row = &t->rows.items[i];
			size_t w = row->line ? 0 : text_width(row->cells[c].text);

			below = w > below ? w : below;
		}
		width[c] = below == 0 ? 0 : below > heading ? below : heading;
	}
}

static void print_row(const struct table_row *row, const size_t *width, bool heading, bool colour,
		      FILE *f)
{
	size_t pad = 0;

	for (size_t c = 0; c < TABLE_COLUMNS; c++) {
		const struct cell *cell = &row->cells[c];
		enum colour k = heading ? COLOUR_DIM : cell->colour;
		size_t rest;

		if (width[c] == 0)
			continue;
		rest = width[c] - text_width(cell->text);
		if (cell->text && *cell->text) {
			pad += cell->right ? rest : 0;
			fprintf(f, "%*s%s%s%s", (int)pad, "", colour_on(k, colour), cell->text,
				colour_off(k, colour));
			pad = cell->right ? GAP : rest + GAP;
		} else {
			pad += width[c] + GAP;
		}
	}
	fputc('\n', f);
}

/**
 * table_print() - prints the rows with their columns aligned, the first row as a heading
 * @t: the table
 * @colour: whether to use colours
 * @f: where to
 *
 * A column that is empty below its heading is left out; no line ends in blanks.
 *
 * Return: 0 or -ENOMEM.
 */
int table_print(const struct table *t, bool colour, FILE *f)
{
	size_t width[TABLE_COLUMNS] = { 0 };

	if (t->oom)
		return -ENOMEM;
	if (t->rows.n > 0)
		measure(t, width);
	for (size_t i = 0; i < t->rows.n; i++) {
		const struct table_row *row = &t->rows.items[i];

		if (row->line)
			fprintf(f, "%s\n", row->cells[0].text);
		else
			print_row(row, width, i == 0, colour, f);
	}
	return 0;
}
