/* SPDX-License-Identifier: MIT */
#ifndef THPD_MODEL_ORIGINALS_H
#define THPD_MODEL_ORIGINALS_H

#include "base/strmap.h"

struct original {
	const char *key;
	const char *value;
};

/* The settings from before the first apply of this boot. */
struct originals {
	struct arena arena;
	ARRAY(struct original) list;
	struct strmap index;
};

int originals_add(struct originals *o, const char *key, const char *value);
int originals_parse(const char *text, size_t len, struct originals *ret);
int originals_format(const struct originals *o, char **ret);
void originals_free(struct originals *o);

#define _cleanup_originals_ _cleanup_(originals_free)

#endif
