/* SPDX-License-Identifier: MIT */
#include "app/verbs.h"

#include "sys/thp-flag.h"

/**
 * verb_exec() - sets the mode of this process, then becomes the command
 * @cli: the command line
 *
 * The flag stays over execve(2). Nothing else is touched: descriptors, signals, environment and
 * process stay what they were; only a mode that could not be set, or a command that could not be
 * run, ends here.
 *
 * Return: the exit statuses of env(1): 125 when the mode cannot be set, 126 or 127.
 */
int verb_exec(const struct cli *cli)
{
	int r = 0;

	switch (cli->thp) {
	case THP_MODE_UNSET:
	case THP_MODE_DISABLE:
		r = thp_flag_set(THP_FLAG_DISABLE);
		break;
	case THP_MODE_MADVISE:
		r = thp_flag_set(THP_FLAG_EXCEPT_ADVISED);
		break;
	case THP_MODE_SYSTEM:
		r = thp_flag_set(THP_FLAG_CLEAR);
		break;
	case THP_MODE_INHERIT:
		break;
	}
	if (r == -EINVAL && cli->thp == THP_MODE_MADVISE) {
		fprintf(stderr, "thpctl: exec: --thp=madvise needs Linux 6.18; expected disable, "
				"system or inherit here\n");
		return EXIT_EXEC_SELF;
	}
	if (r < 0) {
		fprintf(stderr, "thpctl: exec: the mode cannot be set: %s\n", strerror(-r));
		return EXIT_EXEC_SELF;
	}
	execvp(cli->args[0], cli->args);
	r = errno;
	fprintf(stderr, "thpctl: exec: %s: %s\n", cli->args[0], strerror(r));
	return r == ENOENT ? EXIT_EXEC_MISSING : EXIT_EXEC_DENIED;
}
