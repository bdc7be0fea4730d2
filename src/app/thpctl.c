/* SPDX-License-Identifier: MIT */
#include "app/verbs.h"

static int run(struct host *h, const struct report_style *style)
{
	switch (h->cli->verb) {
	case VERB_CHECK:
		return verb_check(h, style);
	case VERB_PLAN:
		return verb_plan(h, style);
	case VERB_APPLY:
		return verb_apply(h, style);
	case VERB_VERIFY:
		return verb_verify(h, style);
	case VERB_STATUS:
		return verb_status(h, style);
	case VERB_RESTORE:
		return verb_restore(h, style);
	case VERB_DOCTOR:
		return verb_doctor(h, style);
	case VERB_EXEC:
		break;
	}
	return EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
	struct report_style style;
	struct host host;
	struct cli cli;
	int r = cli_parse(argc, argv, &cli);

	if (r >= 0)
		return r;
	if (cli.verb == VERB_EXEC)
		return verb_exec(&cli);
	style = (struct report_style){
		.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
		.quiet = cli.quiet,
		.verbose = cli.verbose,
	};
	r = host_open(&cli, &host);
	if (r < 0) {
		fprintf(stderr, "thpctl: --root %s: %s\n", cli.root,
			r == -ENOSYS ? "needs Linux 5.6" : strerror(-r));
		return EXIT_TROUBLE;
	}
	r = run(&host, &style);
	host_close(&host);
	arena_free(&cli.arena);
	return r;
}
