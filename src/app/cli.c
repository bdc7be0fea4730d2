/* SPDX-License-Identifier: MIT */
#include "app/cli.h"

#include <getopt.h>

#include "base/parse.h"
#include "config.h"

static const char help_text[] =
	"Usage: thpctl [OPTION]... VERB [ARGUMENT]...\n"
	"Keeps a host's transparent huge pages at a policy.\n"
	"\n"
	"Verbs:\n"
	"  check [FILE...]     parse and validate the policy, or these files; needs no privilege\n"
	"  plan                show what would change on this host, and why\n"
	"  apply               bring the settings to the policy, and read them back\n"
	"  verify              read back everything the policy names; change nothing\n"
	"  status              show the host at a glance\n"
	"  exec COMMAND...     run a command with a THP mode of its own\n"
	"  restore             put back the settings from before the first apply of this boot\n"
	"  doctor              look for what will fight the policy\n"
	"\n"
	"Options:\n"
	"      --policy PATH   use this file, or directory laid out as /etc/thpd; may be repeated\n"
	"      --root DIR      work on a directory tree that looks like a host, and nothing else\n"
	"      --role NAME     take this role, whatever the host says\n"
	"      --json          print one JSON object, schema thpd.report/1\n"
	"      --thp MODE      for exec: disable (default), madvise, system or inherit\n"
	"  -q, --quiet         print the result alone\n"
	"  -v, --verbose       print notes too\n"
	"  -h, --help          show this help\n"
	"  -V, --version       show the version\n"
	"\n"
	"Exit status: 0 as the policy wants it, 1 not (plan: changes are pending), 2 trouble.\n"
	"exec: the command's own; 125, 126 or 127 when it could not be run, as with env(1).\n"
	"\n"
	"See thpctl(8) and thpd.conf(5).\n";

enum { OPT_POLICY = 256, OPT_ROOT, OPT_ROLE, OPT_JSON, OPT_THP };

static const struct option options[] = {
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "role", required_argument, NULL, OPT_ROLE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "thp", required_argument, NULL, OPT_THP },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char *const verbs[] = {
	[VERB_CHECK] = "check",	    [VERB_PLAN] = "plan",     [VERB_APPLY] = "apply",
	[VERB_VERIFY] = "verify",   [VERB_STATUS] = "status", [VERB_EXEC] = "exec",
	[VERB_RESTORE] = "restore", [VERB_DOCTOR] = "doctor", NULL,
};

/* What a usage error exits with: env(1)'s word for `exec`, ours for the rest. */
static int usage_status(const struct cli *c)
{
	return c->verb_name && c->verb == VERB_EXEC ? EXIT_EXEC_SELF : EXIT_TROUBLE;
}

static int usage_error(const struct cli *c, const char *fmt, ...) _printf_(2, 3);
static int usage_error(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "thpctl: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "; try 'thpctl --help'\n");
	va_end(ap);
	return usage_status(c);
}

static int take_thp(struct cli *c, const char *word)
{
	int i = word_index(thp_mode_words, word);

	if (i <= 0)
		return usage_error(c,
				   "--thp: unknown mode '%s'; expected disable, madvise, system "
				   "or inherit",
				   word);
	c->thp = (enum thp_mode)i;
	return -1;
}

/* Takes options up to the first word that is none. Returns -1 to go on, else an exit status. */
static int take_options(int argc, char **argv, struct cli *c)
{
	for (;;) {
		const char **slot;
		int o = getopt_long(argc, argv, "+:qvhV", options, NULL), r = -1;

		switch (o) {
		case -1:
			return -1;
		case OPT_POLICY:
			slot = array_add(&c->arena, &c->policy);
			if (!slot)
				return usage_error(c, "out of memory");
			*slot = optarg;
			break;
		case OPT_ROOT:
			c->root = optarg;
			break;
		case OPT_ROLE:
			c->role = optarg;
			break;
		case OPT_JSON:
			c->json = true;
			break;
		case OPT_THP:
			r = take_thp(c, optarg);
			break;
		case 'q':
			c->quiet = true;
			break;
		case 'v':
			c->verbose = true;
			break;
		case 'h':
			fputs(help_text, stdout);
			return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_TROUBLE;
		case 'V':
			printf("thpctl (thpd) %s\n", PACKAGE_VERSION);
			return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_TROUBLE;
		case ':':
			return usage_error(c, "%s needs a value", argv[optind - 1]);
		default:
			/* Of letters in a group, optopt tells which one. */
			if (optopt > 0 && optopt < 256)
				return usage_error(c, "unknown option -%c", optopt);
			return usage_error(c, "unknown option %s", argv[optind - 1]);
		}
		if (r >= 0)
			return r;
	}
}

static int check_usage(const struct cli *c, size_t args)
{
	if (c->verb == VERB_EXEC) {
		if (args == 0)
			return usage_error(c, "exec needs a command");
		if (c->root || c->role || c->policy.n > 0 || c->json)
			return usage_error(c, "exec takes no option but --thp");
		return -1;
	}
	if (c->thp)
		return usage_error(c, "--thp belongs to exec");
	if (args > 0 && c->verb != VERB_CHECK)
		return usage_error(c, "%s takes no arguments", c->verb_name);
	if (args > 0 && c->policy.n > 0)
		return usage_error(c, "check takes files or --policy, not both");
	if (c->quiet && c->verbose)
		return usage_error(c, "--quiet and --verbose contradict each other");
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

	*ret = (struct cli){ 0 };
	opterr = 0;
	r = take_options(argc, argv, ret);
	if (r >= 0)
		return r;
	if (optind >= argc)
		return usage_error(ret, "no verb given");
	i = word_index(verbs, argv[optind]);
	if (i < 0) {
		const char *near = closest_word(verbs, ARRAY_SIZE(verbs) - 1, argv[optind]);

		return usage_error(ret, "unknown verb '%s'%s%s%s", argv[optind],
				   near ? "; expected " : "", near ? near : "", near ? "?" : "");
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

		r = take_options(argc, argv, ret);
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
