/* SPDX-License-Identifier: MIT */
/* Whether the daemon runs, from the report that it leaves in /run and the process named there. */
#include "engine/daemon-seen.h"

#include "model/daemon-json.h"
#include "sys/proc.h"

/* Ten thousand processes take some five MiB. */

/** daemon_seen_free() - frees what was seen */
void daemon_seen_free(struct daemon_seen *s)
{
	arena_free(&s->arena);
	*s = (struct daemon_seen){ 0 };
}

/* Only root can write a report of the daemon's; of a tree of the caller's own, the caller, too. */
static bool trusted(const struct root *root, const struct stat *st)
{
	return (st->st_uid == 0 || (!root->live && st->st_uid == geteuid())) &&
	       !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static const char *read_report(const struct root *root, struct daemon_seen *s)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct stat st;
	char *text;
	size_t len;
	int r = root_read_file(root, REPORT_FILE, &a, REPORT_MAX, &text, &len, &st);

	if (r == -ENOENT)
		return NULL;
	if (r < 0) {
		const char *why = arena_printf(&s->arena, REPORT_FILE " cannot be read: %s",
					       strerror(-r));

		return why ? why : REPORT_FILE " cannot be read";
	}
	if (!trusted(root, &st))
		return REPORT_FILE " is not the daemon's: it does not belong to root, or others "
				   "may write it";
	if (daemon_parse(text, len, &s->arena, &s->status) < 0)
		return REPORT_FILE " is damaged, or no report of this version's daemon";
	s->view.status = &s->status;
	return NULL;
}

/**
 * daemon_look() - whether the daemon runs, and what it said last
 * @root: the host
 * @now_us: the time of the day
 * @ret: what was seen; free with daemon_seen_free(), and do not copy
 *
 * The report stays when the daemon ends; only the process that wrote it says whether it runs, named
 * by its number and the time of its start.
 */
void daemon_look(const struct root *root, uint64_t now_us, struct daemon_seen *ret)
{
	const char *fault;
	struct proc p;

	*ret = (struct daemon_seen){ .view = { .now_us = now_us } };
	fault = read_report(root, ret);
	if (fault) {
		ret->view.state = DAEMON_UNKNOWN;
		ret->view.fault = fault;
	} else if (ret->view.status) {
		int r = proc_read(root, ret->status.pid, &p);
		bool alive = r == 0 && p.start == ret->status.start && p.state != 'Z';

		if (r == -EACCES || r == -EPERM) {
			ret->view.state = DAEMON_UNKNOWN;
			ret->view.status = NULL;
			ret->view.fault = "its process is hidden from this user";
		} else {
			ret->view.state = daemon_state_of(&ret->status, alive, now_us);
		}
	}
}
