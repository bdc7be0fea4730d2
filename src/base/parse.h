/* SPDX-License-Identifier: MIT */
#ifndef THPD_BASE_PARSE_H
#define THPD_BASE_PARSE_H

#include "base/util.h"

int parse_uint(const char *s, uint64_t max, uint64_t *ret);
int word_index(const char *const *words, const char *s);
char *strip(char *s);
const char *closest_word(const char *const *words, size_t n, const char *s);

#endif
