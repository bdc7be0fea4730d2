/* SPDX-License-Identifier: MIT */
/* When the service manager is told that the daemon is there: then starts what is ordered behind. */
#include "app/daemon.h"

#include <systemd/sd-daemon.h>

#include "plan/resolve-starts.h"

#define SECOND_US UINT64_C(1000000)
/* Nothing may hold a boot for long. TimeoutStartSec= of the unit has to be longer than both. */
#define WAIT_S 1U
#define WAIT_GATE_S 10U /* where a service is to have its flag before its first instruction */

/* What is still awaited, in words; NULL: nothing. */
static const char *awaited(const struct daemon *d)
{
	if (!d->starts_wanted || !d->bus || bus_state(d->bus) == BUS_NO_SYSTEMD)
		return NULL;
	if (!d->table_known)
		return "systemd has not told what its units start";
	if (d->starts.fd < 0 || d->armed)
		return NULL;
	return d->table_sent ? "thpd-starts does not answer" :
			       "thpd-starts does not take what it is told";
}

static void say_ready(struct daemon *d)
{
	d->ready = true;
	(void)sd_notify(0, "READY=1");
}

/**
 * daemon_ready() - tells the service manager that starts are watched from now on, if they are
 * @d: the daemon
 *
 * What is ordered behind the daemon is then caught as it starts.
 */
void daemon_ready(struct daemon *d)
{
	if (!d->ready && !awaited(d))
		say_ready(d);
}

static unsigned int patience(const struct daemon *d)
{
	const struct plan_rule *pr;

	array_foreach(pr, &d->host->plan.rules)
		if (pr->rule->start == START_GATE && resolve_start_wanted(pr))
			return WAIT_GATE_S;
	return WAIT_S;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *data)
{
	struct daemon *d = data;

	if (d->ready)
		return 0;
	log_ready_early(&d->log, awaited(d));
	say_ready(d);
	return 0;
}

/** daemon_ready_begin() - daemon_ready() as soon as it can be, but in time; the exit status */
int daemon_ready_begin(struct daemon *d)
{
	uint64_t until = monotonic_us() + patience(d) * SECOND_US;

	daemon_ready(d);
	if (!d->ready && sd_event_add_time(d->event, NULL, CLOCK_MONOTONIC, until, SECOND_US / 10,
					   on_timer, d) < 0)
		say_ready(d);
	return EXIT_GOOD;
}
