/* SPDX-License-Identifier: MIT */
#include "model/diag.h"

/* Past this many a file is not a policy with faults but something else; the count goes on. */
#define DIAGS_KEPT 100U

/**
 * diag_vadd() - records a finding
 * @d: the list
 * @severity: an error makes a policy invalid, the others do not
 * @file: the file it is about, or NULL; copied
 * @line: from 1, or 0 for the file as a whole
 * @fmt: what, and what was expected
 * @ap: arguments of @fmt
 *
 * Out of memory is remembered in the list itself, so that a finding is never lost silently.
 */
void diag_vadd(struct diags *d, enum severity severity, const char *file, uint32_t line,
	       const char *fmt, va_list ap)
{
	struct diag *it;

	if (severity == SEVERITY_ERROR)
		d->errors++;
	else if (severity == SEVERITY_WARNING)
		d->warnings++;
	if (d->list.n >= DIAGS_KEPT && severity != SEVERITY_ERROR)
		return;
	if (d->list.n >= (size_t)2 * DIAGS_KEPT)
		return;
	it = array_add(&d->arena, &d->list);
	if (!it) {
		d->oom = true;
		return;
	}
	it->severity = severity;
	it->line = line;
	it->file = file ? arena_strdup(&d->arena, file) : NULL;
	it->message = arena_vprintf(&d->arena, fmt, ap);
	if ((file && !it->file) || !it->message) {
		d->list.n--;
		d->oom = true;
	}
}

/** diag_add() - diag_vadd() with the arguments spelled out */
void diag_add(struct diags *d, enum severity severity, const char *file, uint32_t line,
	      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(d, severity, file, line, fmt, ap);
	va_end(ap);
}

/** diag_trouble() - an error that kept @file from being examined at all (exit status 2, not 1) */
void diag_trouble(struct diags *d, const char *file, const char *fmt, ...)
{
	size_t before = d->list.n;
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(d, SEVERITY_ERROR, file, 0, fmt, ap);
	va_end(ap);
	d->troubles++;
	if (d->list.n > before)
		d->list.items[before].trouble = true;
}

/**
 * diags_sort() - brings the findings from index @from on, all of one file, into the order of lines
 */
void diags_sort(struct diags *d, size_t from)
{
	for (size_t i = from + 1; i < d->list.n; i++) {
		struct diag it = d->list.items[i];
		size_t j = i;

		for (; j > from && d->list.items[j - 1].line > it.line; j--)
			d->list.items[j] = d->list.items[j - 1];
		d->list.items[j] = it;
	}
}

/** diags_free() - frees the list; it may be used again */
void diags_free(struct diags *d)
{
	arena_free(&d->arena);
	*d = (struct diags){ 0 };
}

/** severity_to_string() - the word for people and for JSON */
const char *severity_to_string(enum severity s)
{
	static const char *const words[] = {
		[SEVERITY_NOTE] = "note",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_ERROR] = "error",
	};

	return words[s];
}
