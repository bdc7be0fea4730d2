/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_CLI_OPTIONS_H
#define THPD_APP_CLI_OPTIONS_H

#include "app/cli.h"

/* An option that belongs to one verb. */
struct verb_option {
	const char *name;
	enum verb verb;
	const char *verb_name;
};

int cli_options(int argc, char **argv, struct cli *c);
const struct verb_option *cli_foreign_option(const struct cli *c);
int cli_usage_error(const struct cli *c, const char *fmt, ...) _printf_(2, 3);

#endif
