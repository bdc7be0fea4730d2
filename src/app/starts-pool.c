/* SPDX-License-Identifier: MIT */
/*
 * The threads that catch starts. Each is made beforehand, catches one, and ends; the one thread
 * that reads events never waits for any of them.
 */
#include "app/starts-pool.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#ifdef __SANITIZE_ADDRESS__
#define STACK_SIZE ((size_t)512 * 1024)
#else
#define STACK_SIZE ((size_t)48 * 1024)
#endif
#define FILES_MAX 1024
#define LIMIT_NS (2000 * STARTS_NS_PER_MS) /* for an exec to come, or to fail and never come */

static int32_t get_state(const struct slot *slot)
{
	return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

static void set_state(struct slot *slot, enum slot_state state)
{
	__atomic_store_n(&slot->state, (int32_t)state, __ATOMIC_RELEASE);
}

/**
 * starts_slot_answer() - lets the exec of a start go on, once
 *
 * Return: whether it was this call that did.
 */
bool starts_slot_answer(struct slot *slot)
{
	if (slot->mode != EXEC_GATE || __atomic_exchange_n(&slot->answered, 1, __ATOMIC_ACQ_REL))
		return false;
	(void)exec_watch_answer(slot->starts->groups[EXEC_GATE], slot->file);
	__atomic_store_n(&slot->answered_ns, monotonic_ns(), __ATOMIC_RELEASE);
	return true;
}

/* Linux 5.9; before, one by one, as many as we may have. */
static void close_between(int from, int to)
{
	if (from > to || syscall(SYS_close_range, (unsigned int)from, (unsigned int)to, 0) == 0)
		return;
	for (int fd = from; fd <= to && fd < FILES_MAX; fd++)
		(void)close(fd);
}

/*
 * A table of descriptors of one's own, with two of the old one's. An exec that waits goes on when
 * the last copy of the group is closed: so it may not matter to it whether we can be killed later,
 * while we look at another process's memory. And the socket's end is to be seen by who is there.
 */
static void keep(int one, int other)
{
	int low = one < other ? one : other, high = one < other ? other : one;

	while (unshare(CLONE_FILES) < 0)
		(void)usleep(10000);
	close_between(0, low - 1);
	close_between(low + 1, high - 1);
	close_between(high + 1, INT32_MAX);
}

/** starts_pool_seized() - of a slot's job: the process is held, or cannot be */
void starts_pool_seized(struct inject_catch *job)
{
	struct slot *slot = (struct slot *)((char *)job - offsetof(struct slot, job));

	/* An exec that was let go without us may be over. */
	job->waited = starts_slot_answer(slot);
	if (slot->starts->groups[EXEC_GATE] >= 0)
		(void)close(slot->starts->groups[EXEC_GATE]);
}

static void *work(void *data)
{
	struct slot *slot = data;
	struct sched_param p = { .sched_priority = 1 };
	uint64_t one = 1;

	(void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &p);
	keep(slot->starts->wake, slot->starts->groups[EXEC_GATE]);
	set_state(slot, SLOT_READY);
	while (sem_wait(&slot->go) < 0)
		;
	(void)inject_catch(&slot->job);
	set_state(slot, SLOT_ENDED);
	(void)!write(slot->starts->wake, &one, sizeof(one));
	return NULL;
}

/** starts_pool_init() - no threads yet */
void starts_pool_init(struct starts *s)
{
	for (size_t i = 0; i < STARTS_SLOTS; i++) {
		s->slots[i].starts = s;
		s->slots[i].file = -1;
		(void)sem_init(&s->slots[i].go, 0, 0);
	}
}

static int start_thread(struct slot *slot)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r == 0)
		r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	set_state(slot, SLOT_STARTING);
	if (r == 0)
		r = pthread_create(&slot->thread, &attr, work, slot);
	(void)pthread_attr_destroy(&attr);
	if (r != 0)
		set_state(slot, SLOT_EMPTY);
	return r;
}

/** starts_pool_fill() - makes threads, so that some are ready */
void starts_pool_fill(struct starts *s)
{
	size_t ready = 0;

	for (size_t i = 0; i < STARTS_SLOTS; i++)
		ready += get_state(&s->slots[i]) == SLOT_READY ||
			 get_state(&s->slots[i]) == SLOT_STARTING;
	for (size_t i = 0; i < STARTS_SLOTS && ready < STARTS_READY; i++)
		if (get_state(&s->slots[i]) == SLOT_EMPTY && start_thread(&s->slots[i]) == 0)
			ready++;
}

/** starts_pool_take() - a thread that is ready, to be filled in and given; NULL: there is none */
struct slot *starts_pool_take(struct starts *s)
{
	for (size_t i = 0; i < STARTS_SLOTS; i++)
		if (get_state(&s->slots[i]) == SLOT_READY)
			return &s->slots[i];
	return NULL;
}

/** starts_pool_give() - of starts_pool_take(): sets its thread to work */
void starts_pool_give(struct slot *slot)
{
	set_state(slot, SLOT_GIVEN);
	(void)sem_post(&slot->go);
}

/** starts_pool_busy() - whether any start is being caught */
bool starts_pool_busy(struct starts *s)
{
	for (size_t i = 0; i < STARTS_SLOTS; i++)
		if (get_state(&s->slots[i]) == SLOT_GIVEN)
			return true;
	return false;
}

/** starts_pool_expire() - gives up those that have been waiting for their exec too long */
void starts_pool_expire(struct starts *s)
{
	const uint64_t now = monotonic_ns();

	for (size_t i = 0; i < STARTS_SLOTS; i++)
		if (get_state(&s->slots[i]) == SLOT_GIVEN && now > s->slots[i].began + LIMIT_NS)
			inject_catch_expire(&s->slots[i].job, s->slots[i].thread);
}

/** starts_pool_ended() - one that has ended, its process let go; NULL: there is none */
struct slot *starts_pool_ended(struct starts *s)
{
	for (size_t i = 0; i < STARTS_SLOTS; i++) {
		struct slot *slot = &s->slots[i];

		if (get_state(slot) != SLOT_ENDED || !slot->thread)
			continue;
		(void)pthread_join(slot->thread, NULL);
		slot->thread = 0;
		return slot;
	}
	return NULL;
}

/**
 * starts_pool_release() - of starts_pool_ended(): it may be used again
 *
 * Return: false when the event of one is still open; to be tried again.
 */
bool starts_pool_release(struct slot *slot)
{
	if (get_state(slot) != SLOT_ENDED || slot->thread)
		return true;
	if (__atomic_load_n(&slot->file, __ATOMIC_ACQUIRE) >= 0)
		return false;
	set_state(slot, SLOT_EMPTY);
	return true;
}
