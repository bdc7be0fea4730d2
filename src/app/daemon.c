/* SPDX-License-Identifier: MIT */
/* The daemon's loop: what sets off a cycle. Nothing here decides what is to be done in it. */
#include "app/daemon.h"

#include <signal.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>

#include "app/reload.h"

#define SECOND_US UINT64_C(1000000)
/* A tenth to and fro: hosts that were started together do not all work at the same moment. */
#define JITTER 10U
/* What wakes for the periodic cycle may be put together with other wake-ups of the host. */
#define ACCURACY 20U

static uint64_t random_below(uint64_t n)
{
	uint64_t x = now_us(CLOCK_MONOTONIC) * UINT64_C(6364136223846793005) + (uint64_t)getpid();

	return n ? (x >> 17) % n : 0;
}

/** daemon_interval() - how long until the next periodic cycle; UINT64_MAX: there is none */
uint64_t daemon_interval(const struct daemon *d)
{
	uint64_t us = d->host->policy.verify_interval * SECOND_US;

	return us == 0 ? UINT64_MAX : us - us / JITTER + random_below(2 * us / JITTER);
}

/**
 * daemon_schedule() - there is to be a cycle, at the latest in so many microseconds
 * @d: the daemon
 * @in_us: how long until then; UINT64_MAX: not for this reason
 */
void daemon_schedule(struct daemon *d, uint64_t in_us)
{
	uint64_t due = in_us == UINT64_MAX ? UINT64_MAX : now_us(CLOCK_MONOTONIC) + in_us;

	if (due >= d->due_us)
		return;
	d->due_us = due;
	(void)sd_event_source_set_time(d->timer, due);
	(void)sd_event_source_set_time_accuracy(d->timer,
						in_us >= SECOND_US ? in_us / ACCURACY : 1);
	(void)sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}

/**
 * daemon_tell_watchdog() - has systemd expect as many cycles as there will be
 *
 * It is fed by cycles alone. Without periodic ones there is nothing to be fed by, and nothing may
 * wake us for that sake.
 */
void daemon_tell_watchdog(const struct daemon *d)
{
	uint64_t us = d->host->policy.verify_interval * SECOND_US;

	(void)sd_notifyf(0, "WATCHDOG_USEC=%llu\nWATCHDOG=1",
			 (unsigned long long)(us ? 2 * us + 60 * SECOND_US : 0));
}

static int on_timer(sd_event_source *s, uint64_t usec, void *data)
{
	struct daemon *d = data;

	d->due_us = UINT64_MAX;
	(void)daemon_cycle(d);
	daemon_schedule(d, daemon_interval(d));
	return 0;
}

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
	char why[2048];

	(void)daemon_reload(data, why, sizeof(why));
	return 0;
}

static int on_end(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
	struct daemon *d = data;

	(void)sd_notify(0, "STOPPING=1");
	return sd_event_exit(d->event, 0);
}

static int lock_out_others(struct daemon *d)
{
	const struct root live = ROOT_LIVE;
	int r = root_make_dir(&live, PATH_STATE);

	if (r < 0 && r != -EEXIST)
		return r;
	d->lock = root_open(&live, PATH_STATE "/daemon.lock", O_RDWR | O_CREAT | O_NOFOLLOW);
	if (d->lock < 0)
		return d->lock;
	return flock(d->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int add_sources(struct daemon *d)
{
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_default(&d->event);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGHUP, on_hangup, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGTERM, on_end, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGINT, on_end, d);
	if (r >= 0)
		r = sd_event_add_time(d->event, &d->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer,
				      d);
	if (r >= 0)
		r = sd_event_source_set_enabled(d->timer, SD_EVENT_OFF);
	if (r >= 0)
		d->control = reload_listen();
	if (r >= 0 && d->control < 0)
		r = d->control;
	if (r >= 0)
		r = sd_event_add_io(d->event, NULL, d->control, EPOLLIN, daemon_on_control, d);
	return r < 0 ? r : daemon_watch(d);
}

static int trouble(const char *what, int error)
{
	fprintf(stderr, "thpd: %s: %s\n", what, strerror(-error));
	(void)sd_notifyf(0, "STATUS=%s: %s\nERRNO=%d", what, strerror(-error), -error);
	return EXIT_TROUBLE;
}

static int begin(struct daemon *d)
{
	char why[2048];
	int r = lock_out_others(d);

	if (r < 0)
		return trouble(r == -EWOULDBLOCK ? "another one is running" : PATH_STATE, r);
	r = daemon_load(d, why, sizeof(why));
	if (r < 0) {
		fprintf(stderr, "%s", why);
		(void)sd_notifyf(0, "STATUS=There is no policy: %.*s", (int)strcspn(why, "\n"),
				 why);
		return EXIT_TROUBLE;
	}
	r = add_sources(d);
	if (r < 0)
		return trouble("cannot begin", r);
	daemon_log_loaded(d);
	(void)daemon_cycle(d);
	daemon_schedule(d, daemon_interval(d));
	daemon_tell_watchdog(d);
	(void)sd_notify(0, "READY=1");
	return EXIT_GOOD;
}

/**
 * daemon_run() - keeps the host at its policy until it is told to end
 * @cli: where the policy is, and the role, if it was given
 *
 * Return: the exit status.
 */
int daemon_run(const struct cli *cli)
{
	struct daemon d = { .cli = cli,
			    .helper.fd = -1,
			    .due_us = UINT64_MAX,
			    .lock = -1,
			    .control = -1,
			    .status = { .pid = getpid(), .started_us = now_us(CLOCK_REALTIME) } };
	int r, status;

	helper_privileged(&d.helper, &d.by);
	status = begin(&d);
	if (status == EXIT_GOOD) {
		r = sd_event_loop(d.event);
		if (r < 0)
			status = trouble("the loop", r);
	}
	daemon_unwatch(&d);
	daemon_unload(&d);
	close_fd(d.helper.fd);
	if (d.control >= 0)
		(void)unlink(RELOAD_SOCKET);
	close_fd(d.control);
	sd_event_source_unref(d.timer);
	sd_event_unref(d.event);
	close_fd(d.lock);
	return status;
}
