/* SPDX-License-Identifier: MIT */
/* The daemon's program: options, and nothing else. */
#include "config.h"

#include <getopt.h>

#include "app/cli.h"
#include "app/daemon.h"
#include "app/reload.h"

static const char help_text[] =
	"Usage: thpd [OPTION]...\n"
	"Keeps transparent huge pages at a policy from now on: the host's, and those of services.\n"
	"Is started by thpd.service; runs in the foreground.\n"
	"\n"
	"      --policy PATH   use this file, or directory laid out as /etc/thpd; may be repeated\n"
	"      --role NAME     take this role, whatever the host says\n"
	"      --helpers DIR   where thpd-helper and thpd-starts are, if there is no systemd\n"
	"  -v, --verbose       log what is of use to find a fault, too\n"
	"      --reload        have the running daemon load its policy anew, and wait\n"
	"  -h, --help          show this help\n"
	"  -V, --version       show the version\n"
	"\n"
	"Exit status: 0 ended as it was asked to, 1 trouble that may pass, 2 no good policy, or\n"
	"another one runs: nothing was changed.\n"
	"--reload: 0 loaded, 1 refused (the old policy stays in force), 2 trouble.\n"
	"\n"
	"See thpd(8) and thpd.conf(5).\n";

enum { OPT_POLICY = 256, OPT_ROLE, OPT_HELPERS, OPT_RELOAD };

static const struct option options[] = {
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "role", required_argument, NULL, OPT_ROLE },
	{ "helpers", required_argument, NULL, OPT_HELPERS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "reload", no_argument, NULL, OPT_RELOAD },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int usage(const char *what)
{
	fprintf(stderr, "thpd: %s; see thpd --help\n", what);
	return EXIT_TROUBLE;
}

/* Returns -1 to go on, or the exit status. */
static int parse(int argc, char **argv, struct cli *cli, bool *ret_reload)
{
	const char **slot;
	int o;

	while ((o = getopt_long(argc, argv, "hvV", options, NULL)) != -1)
		switch (o) {
		case OPT_POLICY:
			slot = array_add(&cli->arena, &cli->policy);
			if (!slot)
				return usage("out of memory");
			*slot = optarg;
			break;
		case OPT_ROLE:
			cli->role = optarg;
			break;
		case OPT_HELPERS:
			cli->helpers = optarg;
			break;
		case 'v':
			cli->verbose = true;
			break;
		case OPT_RELOAD:
			*ret_reload = true;
			break;
		case 'h':
			return fputs(help_text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_TROUBLE :
										     EXIT_GOOD;
		case 'V':
			printf("thpd (thpd) %s\n", PACKAGE_VERSION);
			return fflush(stdout) != 0 ? EXIT_TROUBLE : EXIT_GOOD;
		default:
			return EXIT_TROUBLE;
		}
	if (optind < argc)
		return usage("takes no arguments");
	if (*ret_reload && (cli->policy.n > 0 || cli->role))
		return usage("--reload takes no other option");
	return -1;
}

int main(int argc, char **argv)
{
	struct cli cli = { .verb = VERB_APPLY, .verb_name = "daemon" };
	bool reload = false;
	int r = parse(argc, argv, &cli, &reload);

	if (r < 0)
		r = reload ? reload_ask() : daemon_run(&cli);
	arena_free(&cli.arena);
	return r;
}
