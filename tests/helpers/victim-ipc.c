/* SPDX-License-Identifier: MIT */
/* Victims that wait for semaphores, messages and locks. */
#include "victim.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What System V leaves behind goes with the namespace. */
static void private_ipc(void)
{
	static bool done;

	if (!done && unshare(CLONE_NEWIPC) < 0)
		skip_kind("needs root, for an IPC namespace of its own");
	done = true;
}

/* --- semtimedop: posted by a peer, with a timeout that passes or not, and without one */

struct semaphore {
	int id;
	unsigned int turn;
};

static void post_run(void *arg)
{
	struct sembuf up = { .sem_op = 1 };

	for (;;) {
		dawdle(8000);
		if (semop(*(int *)arg, &up, 1) < 0)
			_exit(0);
	}
}

static void semaphore_begin(void *state)
{
	struct semaphore *s = state;

	private_ipc();
	s->id = (int)must(semget(IPC_PRIVATE, 1, 0600), "semget");
	peer(post_run, &s->id);
}

static void semaphore_round(void *state)
{
	static const struct timespec timeouts[] = { { .tv_nsec = 4 * MS }, { .tv_sec = 60 } };
	struct semaphore *s = state;
	struct sembuf down = { .sem_op = -1 };
	unsigned int turn = s->turn++ % 3;
	int64_t begin = now_ns();
	int r = semtimedop(s->id, &down, 1, turn < 2 ? &timeouts[turn] : NULL);

	if (r == 0)
		return;
	if (errno == EINTR)
		eintr();
	else if (errno == EAGAIN && turn < 2)
		took("semtimedop", begin, turn == 0 ? 4 * MS : 60000 * MS, ANEW);
	else
		anomaly("semtimedop: %s", strerror(errno));
}

/* --- messages in order */

struct queue {
	int id;
	mqd_t mq;
	unsigned int turn;
	uint32_t next;
};

struct message {
	long type;
	uint32_t number;
};

static void message_run(void *arg)
{
	struct message m = { .type = 1 };

	for (;; m.number++) {
		dawdle(4000);
		if (msgsnd(*(int *)arg, &m, sizeof(m.number), 0) < 0)
			_exit(0);
	}
}

static void message_begin(void *state)
{
	struct queue *s = state;

	private_ipc();
	s->id = (int)must(msgget(IPC_PRIVATE, 0600), "msgget");
	peer(message_run, &s->id);
}

static void in_order(struct queue *s, const char *what, ssize_t r, uint32_t number)
{
	if (r != sizeof(number)) {
		anomaly("%s returned %zd (%s)", what, r, r < 0 ? strerror(errno) : "short");
	} else if (number != s->next++) {
		anomaly("%s: message %u instead of %u", what, number, s->next - 1);
		s->next = number + 1;
	}
}

static void message_round(void *state)
{
	struct queue *s = state;
	struct message m = { 0 };
	ssize_t r = msgrcv(s->id, &m, sizeof(m.number), 0, 0);

	in_order(s, "msgrcv", r, m.number);
}

static void mq_run(void *arg)
{
	for (uint32_t i = 0;; i++) {
		dawdle(6000);
		if (mq_send(*(mqd_t *)arg, (char *)&i, sizeof(i), 0) < 0)
			_exit(0);
	}
}

static void mq_begin(void *state)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = sizeof(uint32_t) };
	struct queue *s = state;
	char name[32];

	private_ipc();
	(void)snprintf(name, sizeof(name), "/victim-%d", getpid());
	s->mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	must(s->mq, "mq_open");
	must(mq_unlink(name), "mq_unlink");
	peer(mq_run, &s->mq);
}

static void mq_round(void *state)
{
	struct queue *s = state;
	uint32_t number = 0;
	struct timespec until;
	int64_t begin;
	ssize_t r;

	if (s->turn++ % 2) {
		r = mq_receive(s->mq, (char *)&number, sizeof(number), NULL);
		in_order(s, "mq_receive", r, number);
		return;
	}
	begin = now_ns();
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 4 * MS;
	if (until.tv_nsec >= 1000 * MS) {
		until.tv_nsec -= 1000 * MS;
		until.tv_sec++;
	}
	r = mq_timedreceive(s->mq, (char *)&number, sizeof(number), NULL, &until);
	if (r < 0 && errno == ETIMEDOUT)
		/* By another clock, which may be slewed. */
		took("mq_timedreceive", begin, 3 * MS, LATE);
	else
		in_order(s, "mq_timedreceive", r, number);
}

/* --- locks, which a peer takes too */

struct locker {
	int fd;
	bool posix;
	unsigned int cell; /* who has it */
};

static int lock(const struct locker *s, bool get)
{
	struct flock fl = { .l_type = get ? F_WRLCK : F_UNLCK, .l_whence = SEEK_SET, .l_len = 1 };

	if (s->posix)
		return fcntl(s->fd, F_SETLKW, &fl);
	return flock(s->fd, get ? LOCK_EX : LOCK_UN);
}

static void hold(const struct locker *s, unsigned int max_us)
{
	const char *what = s->posix ? "fcntl" : "flock";
	unsigned int none = 0;

	if (lock(s, true) < 0) {
		anomaly("%s: %s", what, strerror(errno));
		return;
	}
	if (!atomic_compare_exchange_strong(&shared->cells[s->cell], &none, (unsigned int)getpid()))
		anomaly("%s: locked, though process %u has the lock", what, none);
	if (max_us)
		dawdle(max_us);
	atomic_store(&shared->cells[s->cell], 0);
	if (lock(s, false) < 0)
		anomaly("%s, to unlock: %s", what, strerror(errno));
}

/* A description of its own, for it is that which a lock of flock(2) belongs to. */
static int open_again(int fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return (int)must(open(path, O_RDWR | O_CLOEXEC), path);
}

static void lock_run(void *arg)
{
	struct locker *s = arg;

	s->fd = open_again(s->fd);
	for (;;) {
		hold(s, 3000);
		dawdle(500);
	}
}

static void locker_begin(struct locker *s)
{
	int fd = (int)must(syscall(SYS_memfd_create, "victim", 1), "memfd_create");

	s->fd = fd;
	peer(lock_run, s);
	s->fd = open_again(fd);
	close(fd);
}

static void flock_begin(void *state)
{
	struct locker *s = state;

	s->cell = CELL_FLOCK;
	locker_begin(s);
}

static void fcntl_begin(void *state)
{
	struct locker *s = state;

	s->posix = true;
	s->cell = CELL_FCNTL;
	locker_begin(s);
}

static void locker_round(void *state)
{
	hold(state, 0);
	/* Locks are not fair: give the peer a chance. */
	dawdle(400);
}

const struct kind kinds_ipc[] = {
	{ "semtimedop", sizeof(struct semaphore), semaphore_begin, semaphore_round, NULL },
	{ "msgrcv", sizeof(struct queue), message_begin, message_round, NULL },
	{ "mq", sizeof(struct queue), mq_begin, mq_round, NULL },
	{ "flock", sizeof(struct locker), flock_begin, locker_round, NULL },
	{ "fcntl", sizeof(struct locker), fcntl_begin, locker_round, NULL },
	{ 0 },
};
