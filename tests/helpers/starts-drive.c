/* SPDX-License-Identifier: MIT */
/*
 * thpd's end of the line to thpd-starts: sends a table, and says what comes back until it is killed.
 *
 * usage: starts-drive SOCKET [watch|gate FLAG UNIT PATH]...
 *        starts-drive SOCKET version N
 *
 * The second one begins a table in another version of the protocol.
 */
#include <err.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "app/starts-client.h"
#include "sys/inject.h"

static void say(const union starts_message *m)
{
	const struct starts_event *e = &m->event;
	const struct starts_state *s = &m->state;

	switch (m->head.type) {
	case STARTS_EVENT:
		printf("event %s %s %s before=%d now=%d late=%d took_us=%" PRIu64
		       " held_us=%" PRIu64 " waited_us=%" PRIu64 " pid=%d error=%d\n",
		       e->mode == EXEC_GATE ? "gate" : "watch",
		       e->result < 0 ? strerror(-e->result) : inject_words[e->result], e->unit,
		       e->before, e->now, e->late, e->took_ns / 1000, e->held_ns / 1000,
		       e->waited_ns / 1000, e->pid, e->error);
		break;
	case STARTS_REFUSED:
		printf("refused %u wanted=%d got=%d %s\n", m->refused.entry, m->refused.wanted,
		       m->refused.got, m->refused.why);
		break;
	default:
		printf("state gate=%d unguarded=%d entries=%u watched=%u gated=%u refused=%u "
		       "events=%" PRIu64 " caught=%" PRIu64 " failed=%" PRIu64 " late=%" PRIu64
		       " missed=%" PRIu64 " overdue=%" PRIu64 " overflows=%" PRIu64
		       " unreported=%" PRIu64 "\n",
		       s->gate, s->unguarded, s->entries, s->watched, s->gated, s->refused,
		       s->events, s->caught, s->failed, s->late, s->missed, s->overdue,
		       s->overflows, s->unreported);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct starts_client c = STARTS_CLIENT_NONE;
	union starts_message m;
	int r = argc > 1 ? starts_client_connect(&c, argv[1]) : -EINVAL;

	if (r < 0)
		errx(2, "cannot connect: %s", strerror(-r));
	if (argc == 4 && streq(argv[2], "version")) {
		const struct starts_head begin = { .version = (uint32_t)atoi(argv[3]),
						   .type = STARTS_BEGIN };

		if (send(c.fd, &begin, sizeof(begin), MSG_NOSIGNAL) < 0)
			err(2, "send");
	}
	for (int i = 2; i + 3 < argc; i += 4) {
		r = starts_client_add(&c, argv[i + 3], argv[i + 2], atoi(argv[i + 1]),
				      streq(argv[i], "gate") ? EXEC_GATE : EXEC_WATCH);
		if (r < 0)
			errx(2, "%s: %s", argv[i + 3], strerror(-r));
	}
	while ((r = argc > 4 ? starts_client_send(&c) : 0) > 0) {
		struct pollfd fd = { .fd = c.fd, .events = POLLOUT };

		(void)poll(&fd, 1, -1);
	}
	while (r >= 0) {
		struct pollfd fd = { .fd = c.fd, .events = POLLIN };

		(void)poll(&fd, 1, -1);
		while ((r = starts_client_read(&c, &m)) > 0)
			say(&m);
	}
	printf("end %s\n", strerror(-r));
	return 0;
}
