/* SPDX-License-Identifier: MIT */
#include "base/unit-name.h"

const struct unit_type unit_types[UNIT_TYPES] = {
	{ ".service", "Service" },
	{ ".socket", "Socket" },
	{ ".mount", "Mount" },
	{ ".swap", "Swap" },
};

/* What a name may be made of: systemd.unit(5). */
static const char valid[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@";

/**
 * unit_name_type() - the type of a unit that has MemoryTHP=
 * @name: a unit's name, or any text
 *
 * Return: the type; NULL when it is no valid name of such a unit.
 */
const struct unit_type *unit_name_type(const char *name)
{
	size_t len = strlen(name);

	if (len > UNIT_NAME_MAX || strspn(name, valid) != len || *name == '.' || *name == '@')
		return NULL;
	for (unsigned int i = 0; i < UNIT_TYPES; i++)
		if (endswith(name, unit_types[i].suffix))
			return &unit_types[i];
	return NULL;
}

/** unit_name_is_template() - whether a valid name is that of a template: "a@.service" */
bool unit_name_is_template(const char *name)
{
	const char *at = strchr(name, '@');

	return at && at + 1 == strrchr(name, '.');
}

/** unit_name_is_instance() - whether a valid name is that of an instance: "a@b.service" */
bool unit_name_is_instance(const char *name)
{
	return strchr(name, '@') && !unit_name_is_template(name);
}

/** unit_name_template() - the template of an instance, or of a template itself; NULL: no memory */
char *unit_name_template(struct arena *a, const char *name)
{
	return arena_printf(a, "%.*s%s", (int)(strchr(name, '@') + 1 - name), name,
			    strrchr(name, '.'));
}

/**
 * unit_name_instantiate() - the name of an instance
 * @a: where it will live
 * @template: "b@.service"
 * @instance: an instance of another template: "a@x.service"
 *
 * Return: "b@x.service"; NULL: no memory.
 */
char *unit_name_instantiate(struct arena *a, const char *template, const char *instance)
{
	return arena_printf(a, "%.*s%s", (int)(strchr(template, '@') - template), template,
			    strchr(instance, '@'));
}

/**
 * unit_name_default_slice() - the slice that a unit is in when nothing says another one
 * @a: where its name will live
 * @name: of a unit, or of a template
 *
 * system.slice; for instances one for each template below it, in whose name what would be a path of
 * slices is escaped: systemd.slice(5), unit_set_default_slice() in systemd's core/unit.c.
 *
 * Return: its name; NULL: no memory.
 */
char *unit_name_default_slice(struct arena *a, const char *name)
{
	const char *at = strchr(name, '@');
	char escaped[4 * UNIT_NAME_MAX + 1], *end = escaped;

	if (!at)
		return arena_strdup(a, "system.slice");
	for (const char *c = name; c < at; c++)
		if (*c == '-' || *c == '\\' || *c == '@')
			end += snprintf(end, 5, "\\x%02x", (unsigned char)*c);
		else
			*end++ = *c;
	*end = '\0';
	return arena_printf(a, "system-%s.slice", escaped);
}

/**
 * unit_name_broaden() - goes on to the next of the places for a unit's drop-ins
 * @name: a valid name, or what this has made of one; becomes the next, wider one
 *
 * "a-b@c.service" has its drop-ins in a-b@c.service.d; then in a-b@.service.d, a-.service.d and
 * service.d, in this order: of two with the same name, the first one counts (systemd.unit(5), and
 * unit_file_find_dirs() in systemd's shared/dropin.c). There is also "a-@c.service" in systemd's
 * list, behind what it adds nothing to.
 *
 * Return: false, with @name as it was, when it is the last one, the type.
 */
bool unit_name_broaden(char *name)
{
	char *dot = strrchr(name, '.'), *at = strchr(name, '@'), *end;

	if (!dot)
		return false;
	end = at ? at : dot;
	if (at && at + 1 != dot) {
		memmove(at + 1, dot, strlen(dot) + 1);
		return true;
	}
	/* The last dash that is not the last character, and not the first one. */
	for (char *dash = end - 2; dash > name; dash--)
		if (*dash == '-') {
			memmove(dash + 1, dot, strlen(dot) + 1);
			return true;
		}
	memmove(name, dot + 1, strlen(dot + 1) + 1);
	return true;
}
