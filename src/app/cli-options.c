/* SPDX-License-Identifier: MIT */
/* The options of the command line, and the help about it. */
#include "app/cli-options.h"

#include <getopt.h>

#include "base/parse.h"
#include "config.h"

static const char help_text[] =
	"Usage: thpctl [OPTION]... VERB [ARGUMENT]...\n"
	"Keeps transparent huge pages at a policy: those of the host, and those of services.\n"
	"\n"
	"Verbs:\n"
	"  check [FILE...]     parse and validate the policy, or these files; needs no privilege\n"
	"  plan                show what would change on this host, and why\n"
	"  apply               bring settings and running services to the policy; read them back\n"
	"  verify              read back everything the policy names; change nothing\n"
	"  status              show the host and its services at a glance\n"
	"  exec COMMAND...     run a command with a THP mode of its own\n"
	"  reclaim UNIT...     give back the empty parts of a running service's huge pages\n"
	"  restore             put back what was there before the first apply of this boot\n"
	"  doctor              look for what will fight the policy\n"
	"\n"
	"Options:\n"
	"      --policy PATH   use this file, or directory laid out as /etc/thpd; may be repeated\n"
	"      --root DIR      work on a directory tree that looks like a host, and nothing else\n"
	"      --role NAME     take this role, whatever the host says\n"
	"      --json          print one JSON object, schema thpd.report/1\n"
	"  -q, --quiet         print the result alone\n"
	"  -v, --verbose       print notes too, and every process\n"
	"  -h, --help          show this help\n"
	"  -V, --version       show the version\n"
	"\n"
	"Options for exec:\n"
	"      --thp MODE      disable (default), madvise, system or inherit\n"
	"\n"
	"Options for status:\n"
	"      --failed        show only the services that are not in order\n"
	"      --unit PATTERN  show only these units; may be repeated\n"
	"      --empty         estimate how much of the huge pages is empty\n"
	"\n"
	"Options for reclaim:\n"
	"      --pid PID       this process, instead of a unit; may be repeated\n"
	"      --max-rate RATE bytes of huge pages a second, with K, M, G or T; 0 is no limit\n"
	"                      (default 1G)\n"
	"      --all           split full huge pages, too\n"
	"      --force         also where it would be undone at once\n"
	"      --dry-run       measure only, change nothing\n"
	"\n"
	"Exit status: 0 as the policy wants it, 1 not (plan: changes are pending), 2 trouble.\n"
	"exec: the command's own; 125, 126 or 127 when it could not be run, as with env(1).\n"
	"\n"
	"See thpctl(8) and thpd.conf(5).\n";

enum {
	OPT_POLICY = 256,
	OPT_ROOT,
	OPT_ROLE,
	OPT_JSON,
	/* From here on those of one verb, in the order of verb_options. */
	OPT_THP,
	OPT_FAILED,
	OPT_UNIT,
	OPT_EMPTY,
	OPT_PID,
	OPT_MAX_RATE,
	OPT_ALL,
	OPT_FORCE,
	OPT_DRY_RUN,
};

static const struct verb_option verb_options[] = {
	{ "--thp", VERB_EXEC, "exec" },		  { "--failed", VERB_STATUS, "status" },
	{ "--unit", VERB_STATUS, "status" },	  { "--empty", VERB_STATUS, "status" },
	{ "--pid", VERB_RECLAIM, "reclaim" },	  { "--max-rate", VERB_RECLAIM, "reclaim" },
	{ "--all", VERB_RECLAIM, "reclaim" },	  { "--force", VERB_RECLAIM, "reclaim" },
	{ "--dry-run", VERB_RECLAIM, "reclaim" },
};

static const struct option options[] = {
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "role", required_argument, NULL, OPT_ROLE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "thp", required_argument, NULL, OPT_THP },
	{ "failed", no_argument, NULL, OPT_FAILED },
	{ "unit", required_argument, NULL, OPT_UNIT },
	{ "empty", no_argument, NULL, OPT_EMPTY },
	{ "pid", required_argument, NULL, OPT_PID },
	{ "max-rate", required_argument, NULL, OPT_MAX_RATE },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/**
 * cli_usage_error() - says on standard error what is wrong with the command line
 * @c: as far as it was read
 * @fmt: as for printf(3), one line
 *
 * Return: what to exit with: env(1)'s word for `exec`, ours for the rest.
 */
int cli_usage_error(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "thpctl: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "; try 'thpctl --help'\n");
	va_end(ap);
	return c->verb_name && c->verb == VERB_EXEC ? EXIT_EXEC_SELF : EXIT_TROUBLE;
}

static int take_string(struct cli *c, strlist *list, const char *s)
{
	const char **slot = array_add(&c->arena, list);

	if (!slot)
		return cli_usage_error(c, "out of memory");
	*slot = s;
	return -1;
}

static int take_thp(struct cli *c, const char *word)
{
	int i = word_index(thp_mode_words, word);

	if (i <= 0)
		return cli_usage_error(c,
				       "--thp: unknown mode '%s'; expected disable, madvise, "
				       "system or inherit",
				       word);
	c->thp = (enum thp_mode)i;
	return -1;
}

static int take_pid(struct cli *c, const char *word)
{
	uint64_t pid = 0;
	int32_t *slot;

	if (parse_uint(word, INT32_MAX, &pid) < 0 || pid == 0)
		return cli_usage_error(c, "--pid: '%s' is no process; expected its number", word);
	slot = array_add(&c->arena, &c->pids);
	if (!slot)
		return cli_usage_error(c, "out of memory");
	*slot = (int32_t)pid;
	return -1;
}

static int take_rate(struct cli *c, const char *word)
{
	static const char units[] = "KMGT";
	size_t n = strlen(word);
	const char *unit = n > 0 ? strchr(units, word[n - 1]) : NULL;
	unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
	char *digits = arena_strndup(&c->arena, word, unit ? n - 1 : n);

	if (!digits)
		return cli_usage_error(c, "out of memory");
	if (parse_uint(digits, UINT64_MAX >> shift, &c->max_rate) < 0)
		return cli_usage_error(c,
				       "--max-rate: '%s' is no rate; expected bytes per second, as "
				       "in 512M, or 0 for no limit",
				       word);
	c->max_rate <<= shift;
	return -1;
}

/* Those that belong to one verb. Returns as cli_options() does. */
static int take_verb_option(struct cli *c, int o)
{
	c->options |= 1U << (o - OPT_THP);
	switch (o) {
	case OPT_THP:
		return take_thp(c, optarg);
	case OPT_UNIT:
		return take_string(c, &c->units, optarg);
	case OPT_PID:
		return take_pid(c, optarg);
	case OPT_MAX_RATE:
		return take_rate(c, optarg);
	case OPT_FAILED:
		c->failed = true;
		break;
	case OPT_EMPTY:
		c->empty = true;
		break;
	case OPT_ALL:
		c->all = true;
		break;
	case OPT_FORCE:
		c->force = true;
		break;
	case OPT_DRY_RUN:
		c->dry_run = true;
		break;
	}
	return -1;
}

/**
 * cli_options() - takes options up to the first word that is none
 * @argc: of main()
 * @argv: of main()
 * @c: what was asked so far
 *
 * Return: -1 to go on, or the exit status of a run that ends here.
 */
int cli_options(int argc, char **argv, struct cli *c)
{
	for (;;) {
		int o = getopt_long(argc, argv, "+:qvhV", options, NULL), r = -1;

		switch (o) {
		case -1:
			return -1;
		case OPT_POLICY:
			r = take_string(c, &c->policy, optarg);
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
			return cli_usage_error(c, "%s needs a value", argv[optind - 1]);
		case '?':
			/* Of letters in a group, optopt tells which one. */
			if (optopt > 0 && optopt < 256)
				return cli_usage_error(c, "unknown option -%c", optopt);
			return cli_usage_error(c, "unknown option %s", argv[optind - 1]);
		default:
			r = take_verb_option(c, o);
		}
		if (r >= 0)
			return r;
	}
}

/** cli_foreign_option() - the first option given that belongs to another verb, or NULL */
const struct verb_option *cli_foreign_option(const struct cli *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(verb_options); i++)
		if ((c->options & 1U << i) && verb_options[i].verb != c->verb)
			return &verb_options[i];
	return NULL;
}
