/* SPDX-License-Identifier: MIT */
/* Names of systemd's units, as far as they can have drop-ins with MemoryTHP=. */
#ifndef THPD_BASE_UNIT_NAME_H
#define THPD_BASE_UNIT_NAME_H

#include "base/arena.h"

#define UNIT_NAME_MAX 255 /* as systemd limits names, without the terminating byte */

/* A type of unit that has MemoryTHP=, and the section that it stands in. */
struct unit_type {
	const char *suffix; /* ".service"; the type's own drop-ins are in "service.d" */
	const char *section;
};

#define UNIT_TYPES 4U

extern const struct unit_type unit_types[UNIT_TYPES];

const struct unit_type *unit_name_type(const char *name);
bool unit_name_is_template(const char *name);
bool unit_name_is_instance(const char *name);
char *unit_name_template(struct arena *a, const char *name);
char *unit_name_instantiate(struct arena *a, const char *template, const char *instance);
char *unit_name_default_slice(struct arena *a, const char *name);
bool unit_name_broaden(char *name);

#endif
