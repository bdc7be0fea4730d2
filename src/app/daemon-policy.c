/* SPDX-License-Identifier: MIT */
/* Loading the policy: the new one is taken whole, or the old one stays in force. */
#include "app/daemon.h"

#include <systemd/sd-daemon.h>

#include "app/dropins.h"
#include "app/reload.h"
#include "sys/bus.h"

/* The faults, one a line, as many as there is room for. */
static void faults_to_text(const struct diags *d, char *buf, size_t size)
{
	const struct diag *it;
	size_t len = strlen(buf);

	array_foreach(it, &d->list) {
		int n;

		if (it->severity != SEVERITY_ERROR || len >= size)
			continue;
		if (it->file && it->line)
			n = snprintf(buf + len, size - len, "%s:%u: %s\n", it->file, it->line,
				     it->message);
		else
			n = snprintf(buf + len, size - len, "%s%s%s\n", it->file ? it->file : "",
				     it->file ? ": " : "", it->message);
		len += n > 0 ? (size_t)n : 0;
	}
}

/* A policy counts as good when this kernel takes it, too. Returns 0, faults or not. */
static int load(struct host *h)
{
	int r = host_load_policy(h);

	if (r == 0 && h->diags.errors == 0)
		r = host_resolve(h);
	if (r == 0 && h->diags.errors == 0 && h->plan.findings.errors == 0)
		r = host_read(h);
	return r;
}

/**
 * daemon_load() - loads the policy; on success it is in force
 * @d: the daemon
 * @ret_why: gets what is wrong with it
 * @size: of that buffer
 *
 * Return: 0; -EBADMSG when it has faults; another negative errno.
 */
int daemon_load(struct daemon *d, char *ret_why, size_t size)
{
	struct host *next = malloc(sizeof(*next));
	int r;

	ret_why[0] = '\0';
	if (!next)
		return -ENOMEM;
	r = host_open(d->cli, next);
	next->by = &d->by;
	if (r == 0)
		r = load(next);
	if (r == 0 && (next->diags.errors || next->plan.findings.errors)) {
		faults_to_text(&next->diags, ret_why, size);
		faults_to_text(&next->plan.findings, ret_why, size);
		r = -EBADMSG;
	} else if (r < 0) {
		(void)snprintf(ret_why, size, "the policy cannot be read: %s\n", strerror(-r));
	}
	if (r < 0) {
		host_close(next);
		free(next);
		return r;
	}
	daemon_unload(d);
	d->host = next;
	d->status.policy_us = realtime_us();
	d->status.verify_interval = next->policy.verify_interval;
	d->status.on_drift_report = next->policy.on_drift == ON_DRIFT_REPORT;
	return 0;
}

/** daemon_unload() - frees the policy in force */
void daemon_unload(struct daemon *d)
{
	if (d->host)
		host_close(d->host);
	free(d->host);
	d->host = NULL;
}

/* The first line of the faults is what fits into systemctl's status. */
static void refuse(struct daemon *d, const char *why)
{
	size_t len = strcspn(why, "\n");

	d->status.reloads_failed++;
	d->status.reload_failed_us = realtime_us();
	(void)snprintf(d->reload_error, sizeof(d->reload_error), "%.*s", (int)len, why);
	d->status.reload_error = d->reload_error;
	(void)sd_notifyf(0, "STATUS=A new policy was refused, the old one is in force: %s",
			 d->reload_error);
	log_reload_refused(&d->log, why);
	daemon_publish(d);
}

/**
 * daemon_renew_dropins() - has systemd go by the policy in force
 * @d: the daemon
 *
 * Before it is said that a reload is done: whoever restarts a service then must not get what an
 * earlier policy had for it. Where the generator does not run, as it is not installed, that is not
 * tried again and again.
 */
void daemon_renew_dropins(struct daemon *d)
{
	_cleanup_arena_ struct arena a = { 0 };
	const char *path;
	int systemd = bus_systemd_version(), r = systemd;

	if (r >= 0)
		r = host_dropins_stale(d->host, systemd, &a, &path);
	if (r > 0 && !d->dropins_vain) {
		log_units_reloaded(&d->log, (unsigned int)r, path);
		r = bus_daemon_reload();
		if (r == 0)
			r = host_dropins_stale(d->host, systemd, &a, &path);
		d->dropins_vain = r > 0;
		if (r > 0)
			log_trouble(&d->log, 0,
				    "systemd has run its generators, and drop-ins with MemoryTHP= "
				    "are not as the policy has them: is thpd-generator installed?");
	}
	if (r < 0)
		log_trouble(&d->log, r,
			    "drop-ins with MemoryTHP= may be of an earlier policy until "
			    "`systemctl daemon-reload`");
}

/**
 * daemon_reload() - loads the policy anew, and brings the host to it
 * @d: the daemon
 * @ret_why: gets what is wrong with it
 * @size: of that buffer
 *
 * Return: 0; negative errno when the old one stays in force.
 */
int daemon_reload(struct daemon *d, char *ret_why, size_t size)
{
	int r;

	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)monotonic_us());
	r = daemon_load(d, ret_why, size);
	if (r < 0) {
		refuse(d, ret_why);
	} else {
		d->status.reloads++;
		d->status.reload_failed_us = 0;
		d->status.reload_error = NULL;
		daemon_loaded(d);
	}
	(void)sd_notify(0, "READY=1");
	return r;
}

/** daemon_on_control() - somebody asks for a reload, and is told what came of it */
int daemon_on_control(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;
	char why[2048];
	int asker = reload_accept(fd);

	if (asker >= 0)
		reload_tell(asker,
			    daemon_reload(d, why, sizeof(why)) < 0 ? EXIT_NOT_ALL : EXIT_GOOD, why);
	return 0;
}
