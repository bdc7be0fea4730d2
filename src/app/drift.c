/* SPDX-License-Identifier: MIT */
#include "app/drift.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "app/drift-repair.h"
#include "sys/knob.h"
#include "sys/slice.h"

struct drift {
	pthread_t thread;
	pthread_mutex_t lock; /* of all below but the descriptors, which stay as they are */
	int wake;	      /* eventfd: there is a new list, or it is to stop */
	int out[2];	      /* pipe of struct drift_event */
	bool stop, changed;
	uint32_t lost;
	struct drift_state state;
};

/*
 * A record is shorter than PIPE_BUF: it is written whole or not at all. The thread never waits for
 * the one that reads.
 */
static void tell(void *data, const struct drift_event *e)
{
	struct drift *d = data;
	struct drift_event copy = *e;

	copy.lost = d->lost;
	if (write(d->out[1], &copy, sizeof(copy)) == (ssize_t)sizeof(copy))
		d->lost = 0;
	else
		d->lost++;
}

/* For poll(2): rounded up, so that the time has come when it ends. */
static int timeout_ms(const struct drift_state *s)
{
	uint64_t due = drift_due_us(s), now = monotonic_us();

	if (due == UINT64_MAX)
		return -1;
	return due <= now ? 0 : (int)((due - now + 999) / 1000);
}

static void *run(void *data)
{
	struct drift *d = data;
	struct pollfd fds[] = {
		{ .fd = d->state.watch.fd, .events = POLLIN },
		{ .fd = d->wake, .events = POLLIN },
	};
	int timeout = -1;

	/* Who has written still has the processor; should it fail, we are later, that is all. */
	(void)slice_shorten();
	for (;;) {
		uint64_t woken, count;
		bool stop;

		if (poll(fds, ARRAY_SIZE(fds), timeout) < 0)
			continue;
		woken = monotonic_ns();
		(void)pthread_mutex_lock(&d->lock);
		d->state.woken_ns = woken;
		d->state.counts.wakes++;
		if (fds[1].revents && read(d->wake, &count, sizeof(count)) > 0 && d->changed) {
			d->changed = false;
			drift_look_at_all(&d->state);
		}
		drift_handle_writes(&d->state);
		drift_handle_time(&d->state);
		timeout = timeout_ms(&d->state);
		stop = d->stop;
		(void)pthread_mutex_unlock(&d->lock);
		if (stop)
			return NULL;
	}
}

/* Signals are for the main thread. */
static int create_thread(struct drift *d)
{
	sigset_t all, saved;
	int r;

	(void)sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &saved);
	if (r != 0)
		return -r;
	r = pthread_create(&d->thread, NULL, run, d);
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r == 0)
		(void)pthread_setname_np(d->thread, "thpd-drift");
	return -r;
}

static void free_all(struct drift *d)
{
	if (d->state.watch.fd >= 0)
		driftwatch_close(&d->state.watch);
	close_fd(d->state.dirfd);
	close_fd(d->wake);
	close_fd(d->out[0]);
	close_fd(d->out[1]);
	arena_free(&d->state.arena);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
}

static int open_all(struct drift *d)
{
	int r;

	d->state.dirfd = knob_open(&d->state.root);
	if (d->state.dirfd < 0)
		return d->state.dirfd;
	d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake < 0 || pipe2(d->out, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	r = driftwatch_open(&d->state.watch);
	return r < 0 ? r : create_thread(d);
}

/**
 * drift_start() - starts the thread, as yet without settings
 * @root: the running host; is copied
 * @limits: what is a fight; NULL: fight_limits
 * @ret: the thread; end it with drift_stop()
 *
 * With nothing written and nobody fighting, the thread sleeps without a timeout.
 *
 * Return: 0; -ENOENT on a kernel without THP; another negative errno.
 */
int drift_start(const struct root *root, const struct fight_limits *limits, struct drift **ret)
{
	struct drift *d = calloc(1, sizeof(*d));
	pthread_mutexattr_t attr;
	int r;

	if (!d)
		return -ENOMEM;
	d->wake = d->out[0] = d->out[1] = d->state.dirfd = d->state.watch.fd = -1;
	d->state.root = *root;
	d->state.limits = limits ? *limits : fight_limits;
	d->state.tell = tell;
	d->state.data = d;
	(void)pthread_mutexattr_init(&attr);
	/* For drift_set() while drift_lock() is held. */
	(void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	(void)pthread_mutex_init(&d->lock, &attr);
	(void)pthread_mutexattr_destroy(&attr);
	r = open_all(d);
	if (r < 0) {
		free_all(d);
		return r;
	}
	*ret = d;
	return 0;
}

static void wake(struct drift *d)
{
	const uint64_t one = 1;

	/* It can only fail when the thread has been woken 2^64 times and has not looked. */
	if (write(d->wake, &one, sizeof(one)) < 0)
		return;
}

/** drift_stop() - ends the thread; settings are watched no more. NULL is fine */
void drift_stop(struct drift *d)
{
	if (!d)
		return;
	drift_lock(d);
	d->stop = true;
	drift_unlock(d);
	wake(d);
	(void)pthread_join(d->thread, NULL);
	free_all(d);
}

/** drift_fd() - the descriptor to be polled for reading, then drift_next() */
int drift_fd(const struct drift *d)
{
	return d->out[0];
}

/* A fight about a key is not forgotten by a reload. */
static void keep_fight(const struct drift_state *old, struct drift_item *it)
{
	for (size_t i = 0; i < old->n; i++)
		if (streq(old->items[i].key, it->key)) {
			it->fight = old->items[i].fight;
			return;
		}
}

/* The new list, and its keys for the watch. */
static int copy_keys(const struct drift_key *keys, size_t n, struct arena *a,
		     struct drift_item **ret, const char ***ret_names)
{
	struct drift_item *items = arena_alloc(a, (n + 1) * sizeof(*items));
	const char **names = arena_alloc(a, (n + 1) * sizeof(*names));

	if (!items || !names)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		items[i] = (struct drift_item){
			.key = arena_strdup(a, keys[i].key),
			.wanted = arena_strdup(a, keys[i].wanted),
		};
		names[i] = items[i].key;
		if (!items[i].key || !items[i].wanted)
			return -ENOMEM;
	}
	*ret = items;
	*ret_names = names;
	return 0;
}

/**
 * drift_set() - the settings that are watched from now on, in place of others
 * @d: the thread
 * @keys: with their wanted values; copied. One that this kernel has not got is no fault
 * @n: how many
 * @repair: whether they are repaired; else it is only told that they are wrong
 * @ret_serial: a number that the events about this list carry; may be NULL
 *
 * Leave out what is not to be repaired: a value that this kernel does not know. May be called while
 * drift_lock() is held: then nothing that has just been written is undone after the old list. The
 * thread looks at all of them once.
 *
 * Return: 0; negative errno, and then nothing is watched.
 */
int drift_set(struct drift *d, const struct drift_key *keys, size_t n, bool repair,
	      uint32_t *ret_serial)
{
	struct drift_state *s = &d->state;
	struct drift_item *items = NULL;
	const char **names = NULL;
	struct arena a = { 0 };
	int r;

	r = copy_keys(keys, n, &a, &items, &names);
	drift_lock(d);
	if (r == 0) {
		for (size_t i = 0; i < n; i++)
			keep_fight(s, &items[i]);
		r = driftwatch_set(&s->watch, &s->root, s->dirfd, names, n, NULL);
	}
	if (r < 0) {
		(void)driftwatch_set(&s->watch, &s->root, s->dirfd, NULL, 0, NULL);
		arena_free(&a);
		items = NULL;
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		if (items[i].fight.resting)
			driftwatch_drop(&s->watch, i);
	arena_free(&s->arena);
	s->arena = a;
	s->items = items;
	s->n = n;
	s->repair = repair;
	s->serial++;
	d->changed = true;
	if (ret_serial)
		*ret_serial = s->serial;
	drift_unlock(d);
	wake(d);
	return r;
}

/**
 * drift_next() - what the thread has to tell
 * @d: the thread
 * @ret: one thing
 *
 * Return: 1; 0 when there is nothing more; negative errno.
 */
int drift_next(struct drift *d, struct drift_event *ret)
{
	for (;;) {
		struct drift_event e;
		ssize_t n = read(d->out[0], &e, sizeof(e));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n != (ssize_t)sizeof(e))
			return -EBADMSG;
		*ret = e;
		return 1;
	}
}

/** drift_lock() - the thread writes nothing until drift_unlock(); NULL is fine */
void drift_lock(struct drift *d)
{
	if (d)
		(void)pthread_mutex_lock(&d->lock);
}

/** drift_unlock() - the thread may write again; call it as often as drift_lock(). NULL is fine */
void drift_unlock(struct drift *d)
{
	if (d)
		(void)pthread_mutex_unlock(&d->lock);
}

/** drift_fights() - about how many settings somebody fights just now; NULL is fine */
size_t drift_fights(struct drift *d)
{
	size_t n = 0;

	if (!d)
		return 0;
	drift_lock(d);
	for (size_t i = 0; i < d->state.n; i++)
		n += d->state.items[i].fight.rest_us > 0;
	drift_unlock(d);
	return n;
}

/** drift_rests() - whether @key is left alone now, for somebody fights about it; NULL is fine */
bool drift_rests(struct drift *d, const char *key)
{
	bool rests = false;

	if (!d)
		return false;
	drift_lock(d);
	for (size_t i = 0; i < d->state.n && !rests; i++)
		rests = streq(d->state.items[i].key, key) && d->state.items[i].fight.resting &&
			d->state.items[i].fight.rest_us > 0;
	drift_unlock(d);
	return rests;
}

/** drift_count() - how often the thread was woken and what it did since it was started */
void drift_count(struct drift *d, struct drift_counts *ret)
{
	drift_lock(d);
	*ret = d->state.counts;
	drift_unlock(d);
}
