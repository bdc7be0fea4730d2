/* SPDX-License-Identifier: MIT */
#include "app/log-entry.h"

#include <syslog.h>

#include "config.h"

_Static_assert(EVENTS <= LIMIT_EVENTS, "the limits have room for all events");

/*
 * Somebody who writes all settings in a loop must not fill the journal: what he can cause comes to
 * less than ten entries a minute. A burst of 0 is no limit, for what happens once.
 */
static const struct event_kind {
	const char *id;
	int priority;
	uint32_t burst;
	const char *what; /* of those that were left out */
} kinds[] = {
	[EVENT_STARTED] = { MSG_STARTED, LOG_INFO, 0, "" },
	[EVENT_STOPPED] = { MSG_STOPPED, LOG_INFO, 0, "" },
	[EVENT_POLICY_LOADED] = { MSG_POLICY_LOADED, LOG_INFO, 4, "a policy was loaded" },
	[EVENT_UNITS_RELOADED] = { MSG_UNITS_RELOADED, LOG_NOTICE, 4, "systemd was told" },
	[EVENT_RELOAD_REFUSED] = { MSG_RELOAD_REFUSED, LOG_ERR, 4, "a policy was refused" },
	[EVENT_SETTING_REPAIRED] = { MSG_SETTING_REPAIRED, LOG_NOTICE, 2,
				     "a setting was changed by somebody else, and repaired" },
	[EVENT_SETTING_DRIFTED] = { MSG_SETTING_DRIFTED, LOG_WARNING, 2,
				    "a setting was changed by somebody else, and left so" },
	[EVENT_SETTING_FAILED] = { MSG_SETTING_FAILED, LOG_ERR, 2,
				   "a setting could not be repaired" },
	[EVENT_FIGHT_BEGINS] = { MSG_FIGHT_BEGINS, LOG_WARNING, 2, "a setting was fought about" },
	[EVENT_FIGHT_OVER] = { MSG_FIGHT_OVER, LOG_NOTICE, 1, "a fight was over" },
	[EVENT_PROCESS_SET] = { MSG_PROCESS_SET, LOG_INFO, 32, "a process was set" },
	[EVENT_PROCESS_DRIFTED] = { MSG_PROCESS_DRIFTED, LOG_NOTICE, 8,
				    "a process had not the flag of its rule any more" },
	[EVENT_START_ESCAPED] = { MSG_START_ESCAPED, LOG_NOTICE, 8, "a start had escaped" },
	[EVENT_HELPER_LOST] = { MSG_HELPER_LOST, LOG_WARNING, 4, "a helper was lost" },
	[EVENT_HELPER_BACK] = { MSG_HELPER_BACK, LOG_NOTICE, 4, "a helper was back" },
	[EVENT_BUS_LOST] = { MSG_BUS_LOST, LOG_WARNING, 4, "systemd was out of reach" },
	[EVENT_BUS_BACK] = { MSG_BUS_BACK, LOG_NOTICE, 4, "systemd was in reach again" },
	[EVENT_GATE_UNUSABLE] = { MSG_GATE_UNUSABLE, LOG_WARNING, 4, "the gate was unusable" },
	[EVENT_READY_EARLY] = { MSG_READY_EARLY, LOG_WARNING, 0, "" },
	[EVENT_CYCLE_FAILURES] = { MSG_CYCLE_FAILURES, LOG_WARNING, 4,
				   "the host was not as the policy wants it" },
	[EVENT_CYCLE_IN_ORDER] = { MSG_CYCLE_IN_ORDER, LOG_NOTICE, 4, "all was in order again" },
	[EVENT_UNPUBLISHED] = { MSG_UNPUBLISHED, LOG_WARNING, 4, "a report was not written" },
	[EVENT_RECLAIMED] = { MSG_RECLAIMED, LOG_INFO, 8, "memory was given back" },
	[EVENT_TROUBLE] = { MSG_TROUBLE, LOG_ERR, 4, "there was other trouble" },
};

static void add_text(struct entry *e, char *text)
{
	if (text && e->n < FIELDS_MAX)
		e->fields[e->n++] = (struct iovec){ text, strlen(text) };
}

/** entry_add() - a field; what is not known (NULL or empty) is none */
void entry_add(struct entry *e, const char *name, const char *value)
{
	if (value && *value)
		add_text(e, arena_printf(&e->arena, "%s=%s", name, value));
}

/** entry_number() - a field with a number */
void entry_number(struct entry *e, const char *name, uint64_t value)
{
	add_text(e, arena_printf(&e->arena, "%s=%llu", name, (unsigned long long)value));
}

/* A name of a process, a line of its own making in it, must not become a line of the log. */
static char *clean(char *text)
{
	for (char *c = text; c && *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return text;
}

static void send(struct log *l, struct entry *e, const char *id, int priority, const char *message)
{
	entry_number(e, "PRIORITY", (uint64_t)priority);
	entry_add(e, "MESSAGE_ID", id);
	add_text(e,
		 clean(arena_printf(&e->arena, "MESSAGE=%s", message ? message : "out of memory")));
	l->sink(e->fields, e->n, l->data);
	arena_free(&e->arena);
}

/** log_tell() - sends an entry, or counts it as left out; @subject: what it is about */
void log_tell(struct log *l, struct entry *e, enum event event, const char *subject,
	      const char *message)
{
	const struct event_kind *k = &kinds[event];
	uint32_t left_out = 0;

	if (k->burst > 0 &&
	    !limit_pass(&l->limit, event, subject, k->burst, l->clock(), &left_out)) {
		arena_free(&e->arena);
		return;
	}
	if (left_out > 0) {
		entry_number(e, "THP_COUNT", left_out);
		message = arena_printf(&e->arena, "%s (and %u more since the last entry)",
				       message ? message : "", left_out);
	}
	send(l, e, k->id, k->priority, message);
}

/**
 * log_tick() - tells what was left out and has not been told with a later entry
 * @l: the log
 *
 * To be called now and then, as by each cycle: nothing is lost when it is late.
 */
void log_tick(struct log *l)
{
	uint64_t now = l->clock();

	for (uint32_t i = 0; i < EVENTS; i++) {
		uint32_t n = limit_left_out(&l->limit, i, now);
		struct entry e = { 0 };

		if (n == 0)
			continue;
		entry_number(&e, "THP_COUNT", n);
		send(l, &e, kinds[i].id, kinds[i].priority,
		     arena_printf(&e.arena, "left out of the log (%u): %s", n, kinds[i].what));
	}
}

/** log_note() - what is of use only to somebody who looks for a fault; silent unless verbose */
void log_note(struct log *l, const char *fmt, ...)
{
	struct entry e = { 0 };
	const char *message;
	va_list ap;

	if (!l->verbose)
		return;
	va_start(ap, fmt);
	message = arena_vprintf(&e.arena, fmt, ap);
	va_end(ap);
	send(l, &e, NULL, LOG_DEBUG, message);
}

/** log_trouble() - what should not happen: @what could not be done; @error: negative errno, or 0 */
void log_trouble(struct log *l, int error, const char *what)
{
	struct entry e = { 0 };

	if (error < 0)
		entry_number(&e, "ERRNO", (uint64_t)-error);
	log_tell(l, &e, EVENT_TROUBLE, what,
		 arena_printf(&e.arena, "%s%s%s", what, error < 0 ? ": " : "",
			      error < 0 ? strerror(-error) : ""));
}

/** log_started() - the daemon is up; @limits: what it cannot do on this host, or NULL */
void log_started(struct log *l, const char *limits)
{
	struct entry e = { 0 };

	log_tell(l, &e, EVENT_STARTED, "",
		 arena_printf(&e.arena, "started, version %s%s%s", PACKAGE_VERSION,
			      limits ? ": " : "", limits ? limits : ""));
}

/** log_stopped() - the daemon ends */
void log_stopped(struct log *l)
{
	struct entry e = { 0 };

	log_tell(l, &e, EVENT_STOPPED, "", "stopped; what was set stays as it is");
}

/** log_policy_loaded() - a policy is in force: at the start, or by a reload */
void log_policy_loaded(struct log *l, const struct policy *p, const struct plan *plan)
{
	const char *role = plan->role.name;
	struct entry e = { 0 };

	log_tell(l, &e, EVENT_POLICY_LOADED, "",
		 arena_printf(&e.arena,
			      "policy loaded: %zu file%s, %s%s, %zu setting%s, %zu service rule%s",
			      p->files.n, p->files.n == 1 ? "" : "s", role ? "role " : "no role",
			      role ? role : "", plan->items.n, plan->items.n == 1 ? "" : "s",
			      plan->rules.n, plan->rules.n == 1 ? "" : "s"));
}

/** log_reload_refused() - a policy was not taken; @why: its faults, one a line, the first counts */
void log_reload_refused(struct log *l, const char *why)
{
	size_t len = strcspn(why, "\n"), more = 0;
	struct entry e = { 0 };
	const char *tail = "";

	for (const char *c = why + len; *c; c++)
		more += c[0] == '\n' && c[1];
	if (more > 0)
		tail = arena_printf(&e.arena, " (and %zu more fault%s)", more,
				    more == 1 ? "" : "s");
	log_tell(l, &e, EVENT_RELOAD_REFUSED, "",
		 arena_printf(&e.arena, "policy refused, the last good one stays in force: %.*s%s",
			      (int)len, why, tail ? tail : ""));
}

/**
 * log_units_reloaded() - systemd is made to read its units again
 * @l: the log
 * @stale: how many drop-ins are of another policy
 * @path: one of them
 */
void log_units_reloaded(struct log *l, unsigned int stale, const char *path)
{
	struct entry e = { 0 };

	entry_number(&e, "THP_COUNT", stale);
	log_tell(l, &e, EVENT_UNITS_RELOADED, "",
		 arena_printf(&e.arena,
			      "systemd reloads its units, for %u drop-in%s not as this policy "
			      "has %s: %s%s",
			      stale, stale == 1 ? " is" : "s are", stale == 1 ? "it" : "them", path,
			      stale == 1 ? "" : ", ..."));
}

/** log_helper_lost() - a helper has gone; @error: negative errno, or 0 when it just ended */
void log_helper_lost(struct log *l, const char *helper, int error)
{
	struct entry e = { 0 };
	const char *why = error == 0 ? "it has ended" :
			  error == -EPROTONOSUPPORT ?
				       "it speaks another version of the protocol than this thpd" :
				       strerror(-error);

	log_tell(l, &e, EVENT_HELPER_LOST, helper,
		 arena_printf(&e.arena, "%s is lost: %s; tried again", helper, why));
}

/** log_helper_back() - it answers again */
void log_helper_back(struct log *l, const char *helper)
{
	struct entry e = { 0 };

	log_tell(l, &e, EVENT_HELPER_BACK, helper, arena_printf(&e.arena, "%s is back", helper));
}

/** log_bus_lost() - systemd does not answer: which programs a service runs is not known anew */
void log_bus_lost(struct log *l, int error)
{
	struct entry e = { 0 };

	log_tell(l, &e, EVENT_BUS_LOST, "",
		 arena_printf(&e.arena, "systemd cannot be asked: %s; tried again",
			      strerror(-error)));
}

/** log_bus_back() - it answers again */
void log_bus_back(struct log *l)
{
	struct entry e = { 0 };

	log_tell(l, &e, EVENT_BUS_BACK, "", "systemd answers again");
}

/** log_gate_unusable() - no start is held on this host; @why: in words */
void log_gate_unusable(struct log *l, const char *why)
{
	struct entry e = { 0 };

	log_tell(l, &e, EVENT_GATE_UNUSABLE, "",
		 arena_printf(&e.arena, "starts cannot be held here: %s; they are watched instead",
			      why));
}

/** log_ready_early() - starts are not met yet, and it was no time to wait longer; @why: in words */
void log_ready_early(struct log *l, const char *why)
{
	struct entry e = { 0 };

	log_tell(l, &e, EVENT_READY_EARLY, "",
		 arena_printf(&e.arena, "ready before starts are met: %s", why));
}

/** log_unpublished() - a report or the metrics could not be written; @error: negative errno */
void log_unpublished(struct log *l, const char *path, int error)
{
	struct entry e = { 0 };

	log_tell(l, &e, EVENT_UNPUBLISHED, path,
		 arena_printf(&e.arena, "%s cannot be written: %s", path, strerror(-error)));
}
