/* SPDX-License-Identifier: MIT */
/* The daemon's loop: what sets off a cycle. Nothing here decides what is to be done in it. */
#include "app/daemon.h"

#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>

#include "app/reload.h"
#include "base/parse.h"
#include "sys/proc.h"

#define SECOND_US UINT64_C(1000000)
/* A tenth to and fro: hosts that were started together do not all work at the same moment. */
#define JITTER 10U
/* What wakes for the periodic cycle may be put together with other wake-ups of the host. */
#define ACCURACY 20U

static uint64_t random_below(uint64_t n)
{
	uint64_t x = monotonic_us() * UINT64_C(6364136223846793005) + (uint64_t)getpid();

	return n ? (x >> 17) % n : 0;
}

/* How long until the next periodic cycle; UINT64_MAX: there is none. */
static uint64_t interval(const struct daemon *d)
{
	uint64_t us = d->host->policy.verify_interval * SECOND_US;

	return us == 0 ? UINT64_MAX : us - us / JITTER + random_below(2 * us / JITTER);
}

static void set_timer(struct daemon *d, uint64_t in_us)
{
	uint64_t due = in_us == UINT64_MAX ? UINT64_MAX : monotonic_us() + in_us;

	if (due >= d->due_us)
		return;
	d->due_us = due;
	(void)sd_event_source_set_time(d->timer, due);
	(void)sd_event_source_set_time_accuracy(d->timer,
						in_us >= SECOND_US ? in_us / ACCURACY : 1);
	(void)sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}

/**
 * daemon_schedule() - something has happened, and there is to be a cycle
 * @d: the daemon
 * @in_us: in so many microseconds at the latest
 */
void daemon_schedule(struct daemon *d, uint64_t in_us)
{
	d->eventful = true;
	set_timer(d, in_us);
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
	daemon_look_again(d);
	set_timer(d, interval(d));
	return 0;
}

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
	char why[2048];

	(void)daemon_reload(data, why, sizeof(why));
	return 0;
}

/*
 * Roles may go by it, and at boot it is often given later than we are started. Of the names of
 * containers the kernel tells, too.
 */
static int on_hostname(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	const struct root live = ROOT_LIVE;
	struct daemon *d = data;
	char name[256], why[2048];

	if (root_read(&live, PATH_HOSTNAME, name, sizeof(name)) >= 0 &&
	    !streq(strip(name), d->host->facts.hostname))
		(void)daemon_reload(d, why, sizeof(why));
	return 0;
}

/* The kernel tells of each change once (proc_sys_poll(), fs/proc/proc_sysctl.c). */
static void watch_hostname(struct daemon *d)
{
	const struct root live = ROOT_LIVE;
	int fd = root_open(&live, PATH_HOSTNAME, O_RDONLY | O_NONBLOCK);
	sd_event_source *s;

	if (fd < 0)
		return;
	if (sd_event_add_io(d->event, &s, fd, EPOLLPRI, on_hostname, d) < 0) {
		(void)close_fd(fd);
		return;
	}
	(void)sd_event_source_set_io_fd_own(s, true);
	(void)sd_event_source_set_floating(s, true);
	(void)sd_event_source_unref(s);
}

static int on_end(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
	struct daemon *d = data;

	log_stopped(&d->log);
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
	if (r >= 0)
		watch_hostname(d);
	return r < 0 ? r : daemon_drift_begin(d);
}

/**
 * daemon_part() - notes how a part is, and tells when that has changed
 * @d: the daemon
 * @part: of the status
 * @error: 0, or why it is lost
 * @name: of the part
 */
void daemon_part(struct daemon *d, enum daemon_part *part, int error, const char *name)
{
	enum daemon_part was = *part;

	*part = error < 0 ? PART_LOST : PART_OK;
	if (error < 0 && was != PART_LOST)
		log_helper_lost(&d->log, name, error);
	else if (error == 0 && was == PART_LOST)
		log_helper_back(&d->log, name);
}

/** daemon_loaded() - a new policy is in force: the host is brought to it, and watched */
void daemon_loaded(struct daemon *d)
{
	int r;

	log_policy_loaded(&d->log, &d->host->policy, &d->host->plan);
	d->eventful = true;
	/* When the next one was due by the old policy counts no more. */
	d->due_us = UINT64_MAX;
	(void)sd_event_source_set_enabled(d->timer, SD_EVENT_OFF);
	(void)daemon_cycle(d);
	r = daemon_starts_begin(d);
	if (r < 0)
		log_trouble(&d->log, r, "starts of services are seen by cycles alone");
	daemon_renew_dropins(d);
	set_timer(d, interval(d));
	daemon_tell_watchdog(d);
}

/* What may pass, the service manager tries again; what does not, it need not (see the unit). */
static int trouble(const char *what, int error)
{
	fprintf(stderr, "thpd: %s: %s\n", what, strerror(-error));
	(void)sd_notifyf(0, "STATUS=%s: %s\nERRNO=%d", what, strerror(-error), -error);
	return error == -EWOULDBLOCK ? EXIT_TROUBLE : EXIT_NOT_ALL;
}

/* When this process was started, as others see it. */
static uint64_t own_start(void)
{
	const struct root live = ROOT_LIVE;
	struct proc p;

	return proc_read(&live, getpid(), &p) < 0 ? 0 : p.start;
}

/* Without systemd, there are no units for them. */
static void activate_helpers(struct daemon *d)
{
	const char *dir = d->cli->helpers ? d->cli->helpers : PKGLIBEXECDIR;
	int r = 0, e = 0;

	if (sd_booted() > 0)
		return;
	(void)snprintf(d->helper_program, sizeof(d->helper_program), "%s/thpd-helper", dir);
	(void)snprintf(d->starts_program, sizeof(d->starts_program), "%s/thpd-starts", dir);
	r = activate_listen(&d->helper.own, d->helper_program, HELPER_SOCKET);
	e = activate_listen(&d->starts_own, d->starts_program, STARTS_SOCKET);
	if (r < 0 || e < 0)
		log_trouble(&d->log, r < 0 ? r : e, "helpers cannot be started");
}

static int begin(struct daemon *d)
{
	char why[2048];
	int r = lock_out_others(d);

	if (r < 0)
		return trouble(r == -EWOULDBLOCK ? "another one is running" : PATH_STATE, r);
	d->status.start = own_start();
	activate_helpers(d);
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
	log_started(&d->log, sd_booted() > 0 ? NULL :
					       "there is no systemd, so starts are seen by their "
					       "groups, if at all");
	daemon_loaded(d);
	return daemon_ready_begin(d);
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
			    .helper = { .fd = -1, .own.fd = -1 },
			    .starts = STARTS_CLIENT_NONE,
			    .starts_own.fd = -1,
			    .writers_fd = -1,
			    .reclaim.fd = -1,
			    .looks = UINT_MAX,
			    .due_us = UINT64_MAX,
			    .lock = -1,
			    .control = -1,
			    .status = { .pid = getpid(), .started_us = realtime_us() } };
	int r, status;

	log_open(&d.log, cli->verbose);
	helper_privileged(&d.helper, &d.by);
	status = begin(&d);
	if (status == EXIT_GOOD) {
		r = sd_event_loop(d.event);
		if (r < 0)
			status = trouble("the loop", r);
	}
	daemon_starts_end(&d);
	daemon_reclaim_free(&d);
	daemon_drift_end(&d);
	steady_forget(&d.steady);
	daemon_unload(&d);
	close_fd(d.helper.fd);
	activate_end(&d.helper.own);
	activate_end(&d.starts_own);
	if (d.control >= 0)
		(void)unlink(RELOAD_SOCKET);
	close_fd(d.control);
	sd_event_source_unref(d.timer);
	sd_event_unref(d.event);
	close_fd(d.lock);
	return status;
}
