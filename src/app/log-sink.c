/* SPDX-License-Identifier: MIT */
/* Where the log goes: the journal, or lines on standard error. */
/* A path of the machine that built this is of no use in the journal. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include <sys/stat.h>
#include <systemd/sd-journal.h>

#include "app/log.h"
#include "base/clock.h"
#include "sys/paths.h"

/* What follows "NAME=" in the field of that name, and how long it is; "" when there is none. */
static const char *field_value(const struct iovec *fields, size_t n, const char *name, int *ret_len)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (fields[i].iov_len > len && memcmp(fields[i].iov_base, name, len) == 0) {
			*ret_len = (int)(fields[i].iov_len - len);
			return (const char *)fields[i].iov_base + len;
		}
	*ret_len = 0;
	return "";
}

/**
 * log_stderr() - a sink: the message as a line on standard error
 *
 * Who collects that is told the priority, see sd-daemon(3); a person at a terminal is not.
 */
void log_stderr(const struct iovec *fields, size_t n, void *data)
{
	int len, priority_len;
	const char *priority = field_value(fields, n, "PRIORITY=", &priority_len);
	const char *message = field_value(fields, n, "MESSAGE=", &len);

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "thpd: %.*s\n", len, message);
	else
		fprintf(stderr, "<%.*s>thpd: %.*s\n", priority_len, priority, len, message);
}

/** log_journal() - a sink: the journal, with all fields; standard error while that is away */
void log_journal(const struct iovec *fields, size_t n, void *data)
{
	if (sd_journal_sendv(fields, (int)n) < 0)
		log_stderr(fields, n, data);
}

/* Whether standard error is the stream that systemd has connected with the journal. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM"), *colon = stream ? strchr(stream, ':') : NULL;
	char text[64];
	struct stat st;

	if (!colon || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	return streq(stream, text);
}

/*
 * A shell in a session may have the variables of the unit that it is in: only PID 1's own child was
 * started by systemd.
 */
static bool started_by_systemd(void)
{
	return getenv("INVOCATION_ID") && getppid() == 1 && access(PATH_JOURNAL_SOCKET, F_OK) == 0;
}

/**
 * log_open() - begins a log: the journal where systemd has started us, else standard error
 * @l: the log; nothing to free
 * @verbose: whether log_note() is heard
 */
void log_open(struct log *l, bool verbose)
{
	bool journal = !isatty(STDERR_FILENO) && (stderr_is_journal() || started_by_systemd());

	*l = (struct log){ .sink = journal ? log_journal : log_stderr,
			   .clock = monotonic_us,
			   .verbose = verbose };
}
