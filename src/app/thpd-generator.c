/* SPDX-License-Identifier: MIT */
/*
 * A generator of systemd's, systemd.generator(7): from 260 on, systemd can set the flag of a
 * service itself, and is told here for which, before it loads any unit. It runs in every boot and
 * every daemon-reload, and systemd waits for it: it is quick, asks nobody, and never fails. With a
 * policy that is at fault nothing is written, and said so once; what starts is then the daemon's,
 * which goes on with the last good one.
 */
#include "config.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "app/dropins.h"
#include "engine/dropins.h"
#include "sys/paths.h"
#include "sys/unitfiles.h"

/*
 * Whatever keeps it (a policy on a server that is away), the boot goes on: SIGALRM, which systemd
 * logs.
 */
#define SECONDS_MAX 10

static const char usage[] =
	"Usage: thpd-generator [--root DIR] NORMAL-DIR [EARLY-DIR LATE-DIR]\n"
	"Writes drop-ins with MemoryTHP= for units that the policy is about; systemd calls it.\n"
	"With --root, the directories are in that tree, too. See thpd-generator(8).\n";

/* What is in the way of a message must not be in the way of a boot: nothing here waits. */
static bool to_journal(const char *text)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = PATH_JOURNAL_SOCKET };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	_cleanup_arena_ struct arena a = { 0 };
	const char *entry = arena_printf(
		&a, "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=thpd-generator\nMESSAGE=%s\n",
		text);

	return fd >= 0 && entry &&
	       sendto(fd, entry, strlen(entry), MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		      sizeof(to)) > 0;
}

/* From there the journal takes it over, when there is one. */
static bool to_kernel_log(const char *text)
{
	_cleanup_close_ int fd = open(PATH_KMSG, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_arena_ struct arena a = { 0 };
	/* 28: a warning of the facility daemon. */
	const char *line = arena_printf(&a, "<28>thpd-generator[%d]: %s\n", getpid(), text);

	return fd >= 0 && line && write(fd, line, strlen(line)) > 0;
}

/* The one line: a warning, for what it is about does not go wrong by it. */
static void say(const struct host *h, const char *what, const char *why)
{
	_cleanup_arena_ struct arena a = { 0 };
	char *text = arena_printf(&a, "%s%s%s, so no MemoryTHP= is written for any unit", what,
				  why ? ": " : "", why ? why : "");
	bool systemd = getenv("SYSTEMD_SCOPE") && h->root.live;

	for (char *c = text; c && *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	if (text && !(systemd && (to_journal(text) || to_kernel_log(text))))
		fprintf(stderr, "thpd-generator: %s\n", text);
}

/* The first error, and how many more there are. */
static void say_fault(const struct host *h, const struct diags *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	const struct diag *it, *first = NULL;
	const char *place = "", *more = "";

	array_foreach(it, &d->list)
		if (!first && it->severity == SEVERITY_ERROR)
			first = it;
	if (!first)
		return;
	if (first->file)
		place = first->line ? arena_printf(&a, "%s:%u: ", first->file, first->line) :
				      arena_printf(&a, "%s: ", first->file);
	if (d->errors > 1)
		more = arena_printf(&a, " (and %zu more)", d->errors - 1);
	say(h, "the policy has a fault",
	    arena_printf(&a, "%s%s%s", place ? place : "", first->message, more ? more : ""));
}

/*
 * As `thpctl apply` would: what has it change nothing has us write nothing. Returns 1 with a plan;
 * 0 when there is nothing to be written, said or not; negative errno.
 */
static int make_plan(struct host *h)
{
	int r = host_load_policy(h);

	if (r < 0)
		return r;
	if (h->sources.list.n == 0 && h->diags.list.n == 1 && !h->diags.list.items[0].file)
		return 0; /* there is no policy */
	if (h->diags.errors == 0)
		r = host_resolve(h);
	if (r == 0 && h->diags.errors == 0 && h->plan.findings.errors == 0)
		r = host_read(h);
	if (r < 0)
		return r;
	if (h->diags.errors || h->plan.findings.errors) {
		say_fault(h, h->diags.errors ? &h->diags : &h->plan.findings);
		return 0;
	}
	return 1;
}

static void generate(struct host *h, const char *dir)
{
	_cleanup_dropins_ struct dropins dropins = { 0 };
	int systemd = systemd_version(&h->root), r;

	if (systemd < MEMORY_THP_SINCE)
		return;
	r = make_plan(h);
	if (r > 0)
		r = host_dropins(h, systemd, &dropins);
	if (r < 0) {
		say(h, "cannot make a plan", strerror(-r));
		return;
	}
	r = dropins_write(&h->root, dir, &dropins);
	if (r < 0)
		say(h, dir, strerror(-r));
}

int main(int argc, char **argv)
{
	const char *scope = getenv("SYSTEMD_SCOPE");
	struct cli cli = { .verb = VERB_PLAN };
	struct host host;
	int r;

	if (argc == 2 && (streq(argv[1], "--help") || streq(argv[1], "-h")))
		return fputs(usage, stdout) < 0 ? EXIT_TROUBLE : EXIT_GOOD;
	if (argc == 2 && (streq(argv[1], "--version") || streq(argv[1], "-V")))
		return printf("thpd-generator %s\n", VERSION) < 0 ? EXIT_TROUBLE : EXIT_GOOD;
	if (argc > 2 && streq(argv[1], "--root")) {
		cli.root = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc < 2 || argc > 4 || *argv[1] == '-') {
		fputs(usage, stderr);
		return EXIT_TROUBLE;
	}
	/* Users' own managers have generators, too. */
	if (scope && !streq(scope, "system"))
		return EXIT_GOOD;
	(void)alarm(SECONDS_MAX);
	r = host_open(&cli, &host);
	if (r < 0) {
		fprintf(stderr, "thpd-generator: %s: %s\n", cli.root, strerror(-r));
		return EXIT_TROUBLE;
	}
	generate(&host, argv[1]);
	host_close(&host);
	return EXIT_GOOD;
}
