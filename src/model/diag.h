/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_DIAG_H
#define THPD_MODEL_DIAG_H

#include "base/arena.h"

enum severity {
	SEVERITY_NOTE,
	SEVERITY_WARNING,
	SEVERITY_ERROR,
};

struct diag {
	enum severity severity;
	const char *file; /* NULL: not about a file */
	uint32_t line;	  /* 0: the file as a whole */
	const char *message;
	bool trouble; /* could not be examined, as opposed to examined and found wrong */
};

/* What was found, in the order found. Strings live in the arena. */
struct diags {
	struct arena arena;
	ARRAY(struct diag) list;
	size_t errors;
	size_t warnings;
	size_t troubles;
	bool oom;
};

void diag_add(struct diags *d, enum severity severity, const char *file, uint32_t line,
	      const char *fmt, ...) _printf_(5, 6);
void diag_vadd(struct diags *d, enum severity severity, const char *file, uint32_t line,
	       const char *fmt, va_list ap) _printf_(5, 0);
void diag_trouble(struct diags *d, const char *file, const char *fmt, ...) _printf_(3, 4);
void diags_sort(struct diags *d, size_t from);
void diags_free(struct diags *d);
const char *severity_to_string(enum severity s);

#define _cleanup_diags_ _cleanup_(diags_free)

#endif
