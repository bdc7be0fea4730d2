/* SPDX-License-Identifier: MIT */
/*
 * The thread that reads events. Execs wait for it, so it does nothing that could make it wait: no
 * allocation, no lock, no other process's memory. Whenever it is not idle a timer is armed that
 * kills the process, which lets all execs go that wait.
 */
#include "app/starts-events.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "app/starts-pool.h"
#include "sys/units.h"

#define STACK_SIZE ((size_t)128 * 1024)
#define LOOK_MS 10
#define TRIES 5
#define DEAD_NS (200 * STARTS_NS_PER_MS)

/* @at: monotonic; 0: never */
static void die_at(const struct starts *s, uint64_t at)
{
	const struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(at / (1000 * STARTS_NS_PER_MS)),
			      .tv_nsec = (long)(at % (1000 * STARTS_NS_PER_MS)) }
	};

	(void)timer_settime(s->dead_man, TIMER_ABSTIME, &when, NULL);
}

static void wake(const struct starts *s)
{
	uint64_t one = 1;

	(void)!write(s->wake, &one, sizeof(one));
}

static void let_go(const struct starts *s, const struct exec_event *e)
{
	if (e->waits)
		(void)exec_watch_answer(s->groups[EXEC_GATE], e->fd);
	(void)close_fd(e->fd);
}

/* A script and its interpreter may both be marked; and the process held may be seen once more. */
static bool in_hand(const struct starts *s, int32_t tid)
{
	for (size_t i = 0; i < STARTS_SLOTS; i++)
		if (__atomic_load_n(&s->slots[i].state, __ATOMIC_ACQUIRE) == SLOT_GIVEN &&
		    s->slots[i].job.tid == tid)
			return true;
	return false;
}

static const struct starts_prog *look_up(const struct starts *s, const struct exec_event *e,
					 enum exec_mode mode, char *unit, size_t size)
{
	const struct starts_table *t = __atomic_load_n(&s->table, __ATOMIC_ACQUIRE);
	const struct root host = ROOT_LIVE;
	const struct starts_prog *p;
	int tries = 0, r;

	if (!t || e->tid <= 1 || in_hand(s, e->tid))
		return NULL;
	/* While a process gets another first thread by an exec, it is not found for a moment. */
	while ((r = unit_name_of(&host, e->tid, unit, size)) == -ESRCH && tries++ < TRIES)
		;
	if (r < 0)
		*unit = '\0';
	p = starts_table_find(t, &e->file, unit);
	return p && p->mode == mode ? p : NULL;
}

static void take_up(struct starts *s, const struct exec_event *e, enum exec_mode mode)
{
	char unit[STARTS_UNIT_SIZE];
	const struct starts_prog *p;
	struct slot *slot;

	if (e->overflow) {
		starts_count(s->state.overflows);
		wake(s);
		return;
	}
	starts_count(s->state.events);
	p = look_up(s, e, mode, unit, sizeof(unit));
	slot = p ? starts_pool_take(s) : NULL;
	if (!slot) {
		let_go(s, e);
		if (p) {
			starts_count(s->state.missed);
			wake(s);
		}
		return;
	}
	slot->job = (struct inject_catch){
		.tid = e->tid, .flag = p->flag, .dev = e->file.dev, .ino = e->file.ino
	};
	slot->mode = mode;
	slot->answered = 0;
	slot->answered_ns = 0;
	slot->began = monotonic_ns();
	memcpy(slot->unit, unit, sizeof(slot->unit));
	if (e->waits)
		__atomic_store_n(&slot->file, e->fd, __ATOMIC_RELEASE);
	else
		(void)close_fd(e->fd);
	slot->job.seized = starts_pool_seized;
	starts_pool_give(slot);
}

/*
 * Answers what has waited long enough, and closes what has been answered: before that, another
 * event could get the same number. Returns since when the oldest one waits that is left, or 0.
 */
static uint64_t see_to_open(struct starts *s)
{
	const uint64_t now = monotonic_ns();
	uint64_t oldest = 0;

	for (size_t i = 0; i < STARTS_SLOTS; i++) {
		struct slot *slot = &s->slots[i];

		if (slot->file < 0)
			continue;
		if (now >= slot->began + s->bound_ns && starts_slot_answer(slot))
			starts_count(s->state.overdue);
		if (__atomic_load_n(&slot->answered_ns, __ATOMIC_ACQUIRE)) {
			(void)close(slot->file);
			__atomic_store_n(&slot->file, -1, __ATOMIC_RELEASE);
		} else if (!oldest || slot->began < oldest) {
			oldest = slot->began;
		}
	}
	return oldest;
}

/*
 * Returns what poll(2) wants, in milliseconds. Nobody tells us that a worker has answered: we look
 * again soon, or the timer would end us.
 */
static int until(const struct starts *s, uint64_t oldest)
{
	const uint64_t now = monotonic_ns(), at = oldest + s->bound_ns;

	if (!oldest)
		return -1;
	if (at >= now + LOOK_MS * STARTS_NS_PER_MS)
		return LOOK_MS;
	return at <= now ? 0 : (int)((at - now + STARTS_NS_PER_MS - 1) / STARTS_NS_PER_MS);
}

static void *run(void *data)
{
	struct starts *s = data;
	struct sched_param priority = { .sched_priority = 2 };
	struct exec_event events[EXEC_EVENTS];
	struct pollfd fds[EXEC_MODES];

	(void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority);
	for (;;) {
		uint64_t oldest = see_to_open(s);

		die_at(s, oldest ? oldest + DEAD_NS : 0);
		for (int mode = 0; mode < EXEC_MODES; mode++)
			fds[mode] = (struct pollfd){ .fd = s->groups[mode], .events = POLLIN };
		if (poll(fds, EXEC_MODES, until(s, oldest)) <= 0)
			continue;
		(void)__atomic_fetch_add(&s->epoch, 1, __ATOMIC_SEQ_CST);
		die_at(s, (oldest ? oldest : monotonic_ns()) + DEAD_NS);
		for (int mode = EXEC_MODES - 1; mode >= 0; mode--) {
			int n = fds[mode].revents ? exec_watch_read(s->groups[mode], events) : 0;

			for (int i = 0; i < n; i++)
				take_up(s, &events[i], (enum exec_mode)mode);
		}
		(void)__atomic_fetch_add(&s->epoch, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/**
 * starts_events_begin() - starts the thread
 * @s: its groups open
 *
 * Return: 0; negative errno.
 */
int starts_events_begin(struct starts *s)
{
	struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (timer_create(CLOCK_MONOTONIC, &how, &s->dead_man) < 0)
		return -errno;
	r = pthread_attr_init(&attr);
	if (r == 0)
		r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (r == 0)
		r = pthread_create(&thread, &attr, run, s);
	(void)pthread_attr_destroy(&attr);
	return -r;
}

/**
 * starts_events_publish() - another table holds from now on
 * @s: its old table is nobody's any more
 * @table: the new one
 */
void starts_events_publish(struct starts *s, struct starts_table *table)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	uint32_t seen;

	__atomic_store_n(&s->table, table, __ATOMIC_SEQ_CST);
	seen = __atomic_load_n(&s->epoch, __ATOMIC_SEQ_CST);
	while (seen % 2 && __atomic_load_n(&s->epoch, __ATOMIC_SEQ_CST) == seen)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
}
