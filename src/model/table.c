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
	for (size_t c = 0; c < TABLE_COLUMNS; c++) {
		size_t below = 0;

		for (size_t i = 1; i < t->rows.n; i++) {
			size_t w = text_width(t->rows.items[i].cells[c].text);

			below = w > below ? w : below;
		}
		width[c] = below ? text_width(t->rows.items[0].cells[c].text) : 0;
		width[c] = below > width[c] ? below : width[c];
	}
	for (size_t i = 0; i < t->rows.n; i++) {
		size_t pad = 0;

		for (size_t c = 0; c < TABLE_COLUMNS; c++) {
			const struct cell *cell = &t->rows.items[i].cells[c];
			enum colour k = i == 0 ? COLOUR_DIM : cell->colour;

			if (width[c] == 0)
				continue;
			if (cell->text && *cell->text) {
				fprintf(f, "%*s%s%s%s", (int)pad, "", colour_on(k, colour),
					cell->text, colour_off(k, colour));
				pad = 0;
			}
			pad += width[c] - text_width(cell->text) + GAP;
		}
		fputc('\n', f);
	}
	return 0;
}
