/* SPDX-License-Identifier: MIT */
#include "app/cli-options.h"

#include <getopt.h>

#include "base/parse.h"

static const char *const verbs[] = {
	[VERB_CHECK] = "check",	    [VERB_PLAN] = "plan",
	[VERB_APPLY] = "apply",	    [VERB_VERIFY] = "verify",
	[VERB_STATUS] = "status",   [VERB_EXEC] = "exec",
	[VERB_RECLAIM] = "reclaim", [VERB_RESTORE] = "restore",
	[VERB_DOCTOR] = "doctor",   NULL,
};

/* Its arguments are units; they may be left out for --pid. */
static int check_reclaim(struct cli *c, size_t args)
{
	if (args == 0 && c->pids.n == 0)
		return cli_usage_error(c, "reclaim needs a unit or --pid");
	if (args > 0 && c->pids.n > 0)
		return cli_usage_error(c, "reclaim takes units or --pid, not both");
	if (c->root || c->role || c->policy.n > 0)
		return cli_usage_error(c, "reclaim is for running processes, whatever the policy "
					  "says: it takes no --root, --policy or --role");
	for (size_t i = 0; i < args; i++) {
		const char **slot = array_add(&c->arena, &c->units);

		if (!slot)
			return cli_usage_error(c, "out of memory");
		*slot = c->args[i];
	}
	return -1;
}

static int check_usage(struct cli *c, size_t args)
{
	const struct verb_option *foreign = cli_foreign_option(c);

	if (c->verb == VERB_EXEC) {
		if (args == 0)
			return cli_usage_error(c, "exec needs a command");
		if (c->root || c->role || c->policy.n > 0 || c->json || foreign)
			return cli_usage_error(c, "exec takes no option but --thp");
		return -1;
	}
	if (foreign)
		return cli_usage_error(c, "%s belongs to %s", foreign->name, foreign->verb_name);
	if (c->quiet && c->verbose)
		return cli_usage_error(c, "--quiet and --verbose contradict each other");
	if (c->verb == VERB_RECLAIM)
		return check_reclaim(c, args);
	if (args > 0 && c->verb != VERB_CHECK)
		return cli_usage_error(c, "%s takes no arguments", c->verb_name);
	if (args > 0 && c->policy.n > 0)
		return cli_usage_error(c, "check takes files or --policy, not both");
	return -1;
}

/**
 * cli_parse() - reads the command line; says what is wrong with it on standard error
 * @argc: of main()
 * @argv: of main(); words are moved within it and pointed into
 * @ret: what was asked; free ret->arena
 *
 * Return: -1 to go on, or the exit status of a run that ends here (also --help and --version).
 */
int cli_parse(int argc, char **argv, struct cli *ret)
{
	size_t args = 0;
	int r, i;

	*ret = (struct cli){ .max_rate = MAX_RATE_DEFAULT };
	opterr = 0;
	r = cli_options(argc, argv, ret);
	if (r >= 0)
		return r;
	if (optind >= argc)
		return cli_usage_error(ret, "no verb given");
	i = word_index(verbs, argv[optind]);
	if (i < 0) {
		const char *near = closest_word(verbs, ARRAY_SIZE(verbs) - 1, argv[optind]);

		return cli_usage_error(ret, "unknown verb '%s'%s%s%s", argv[optind],
				       near ? "; expected " : "", near ? near : "",
				       near ? "?" : "");
	}
	ret->verb = (enum verb)i;
	ret->verb_name = verbs[i];
	ret->args = argv + optind++;
	/*
	 * Behind the verb, options and words may be mixed; but what `exec` runs has its own
	 * options.
	 */
	while (optind < argc) {
		bool ended;

		r = cli_options(argc, argv, ret);
		if (r >= 0)
			return r;
		ended = optind > 0 && streq(argv[optind - 1], "--");
		if (ret->verb == VERB_EXEC || ended) {
			while (optind < argc)
				ret->args[args++] = argv[optind++];
			break;
		}
		if (optind < argc)
			ret->args[args++] = argv[optind++];
	}
	ret->args[args] = NULL;
	return check_usage(ret, args);
}
