/* SPDX-License-Identifier: MIT */
#include "app/progress.h"

#include "base/clock.h"

#define EVERY_MS 100U
#define BAR 30U

/* Set by ^C and by who ends us: what is begun is finished, and reported. */
volatile sig_atomic_t progress_stop;

static void stop(int sig)
{
	(void)sig;
	progress_stop = 1;
}

/** progress_catch() - from now on, SIGINT and SIGTERM ask to stop; the second one ends us */
void progress_catch(void)
{
	struct sigaction sa = { .sa_handler = stop, .sa_flags = (int)SA_RESETHAND };

	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
}

/** progress_show() - a struct reclaim_options.progress; @data is the struct progress */
void progress_show(const struct reclaim_progress *p, void *data)
{
	static const char bar[] = "##############################";
	struct progress *line = data;
	uint64_t now = monotonic_us() / 1000U;
	unsigned int filled;

	if (!line->shown || p->total == 0 || now - line->last_ms < EVERY_MS)
		return;
	line->last_ms = now;
	line->dirty = true;
	filled = p->done >= p->total ? BAR : (unsigned int)(p->done * BAR / p->total);
	fprintf(stderr, "\r%.40s [%.*s%*s] %3llu %%, %llu MiB given back\033[K", line->what,
		(int)filled, bar, (int)(BAR - filled), "",
		(unsigned long long)(p->done >= p->total ? 100 : p->done * 100 / p->total),
		(unsigned long long)(p->freed >> 20));
}

/** progress_clear() - takes the line away */
void progress_clear(struct progress *p)
{
	if (p->dirty)
		fprintf(stderr, "\r\033[K");
	p->dirty = false;
}
