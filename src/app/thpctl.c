/* SPDX-License-Identifier: MIT */
#include "app/verbs.h"

#include <fcntl.h>

/*
 * A standard descriptor that the caller closed would be given to the next file opened, and output
 * would go into that. It is given to /dev/null instead, read-only: writing fails, as it would
 * have.
 */
static void hold_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
			break;
}

/* no-color.org: set and not empty. */
static bool wants_colour(int fd)
{
	const char *no = getenv("NO_COLOR");

	return isatty(fd) && !(no && *no);
}

static int run(struct host *h, const struct report_style *style)
{
	switch (h->cli->verb) {
	case VERB_CHECK:
		return verb_check(h, style);
	case VERB_PLAN:
	case VERB_VERIFY:
		return verb_compare(h, style);
	case VERB_APPLY:
		return verb_apply(h, style);
	case VERB_STATUS:
		return verb_status(h, style);
	case VERB_RESTORE:
		return verb_restore(h, style);
	case VERB_DOCTOR:
		return verb_doctor(h, style);
	case VERB_RECLAIM:
		return verb_reclaim(h, style);
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

	if (r >= 0) {
		arena_free(&cli.arena);
		return r;
	}
	if (cli.verb == VERB_EXEC)
		return verb_exec(&cli);
	hold_standard_fds();
	style = (struct report_style){
		.colour = wants_colour(STDOUT_FILENO),
		.colour_errors = wants_colour(STDERR_FILENO),
		.quiet = cli.quiet,
		.verbose = cli.verbose,
	};
	r = host_open(&cli, &host);
	if (r < 0) {
		fprintf(stderr, "thpctl: --root %s: %s\n", cli.root,
			r == -ENOSYS ? "needs Linux 5.6" : strerror(-r));
		arena_free(&cli.arena);
		return EXIT_TROUBLE;
	}
	r = run(&host, &style);
	host_close(&host);
	arena_free(&cli.arena);
	return r;
}
