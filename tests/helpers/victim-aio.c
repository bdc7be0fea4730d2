/* SPDX-License-Identifier: MIT */
/* Victims that wait for completions: io_getevents(2), io_uring_enter(2); made without libraries. */
#include "victim.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- aio: a poll of a pipe */

struct aio {
	aio_context_t context;
	struct iocb iocb;
	bool submitted;
	struct feed feed;
	unsigned int turn;
};

static void aio_begin(void *state)
{
	struct aio *s = state;

	if (syscall(SYS_io_setup, 4, &s->context) < 0)
		skip_kind("no aio");
	s->feed.max_us = 8000;
	feed_begin(&s->feed, 0);
}

static void aio_submit(struct aio *s)
{
	struct iocb *list[] = { &s->iocb };
	long r;

	s->iocb = (struct iocb){
		.aio_lio_opcode = 5, /* IOCB_CMD_POLL */
		.aio_fildes = (uint32_t)s->feed.fd,
		.aio_buf = POLLIN,
		.aio_data = 42,
	};
	r = syscall(SYS_io_submit, s->context, 1, list);
	if (r != 1)
		anomaly("io_submit returned %ld (%s)", r, strerror(errno));
	s->submitted = r == 1;
}

static void aio_round(void *state)
{
	static const struct kernel_time timeout = { .ns = 4 * MS };
	struct aio *s = state;
	bool timed = s->turn++ % 2;
	struct io_event event = { 0 };
	uint8_t byte;
	int64_t begin;
	long r;

	if (!s->submitted)
		aio_submit(s);
	begin = now_ns();
	r = syscall(SYS_io_getevents, s->context, 1, 1, &event, timed ? &timeout : NULL);
	if (r < 0 && errno == EINTR) {
		eintr();
	} else if (r == 0 && timed) {
		took("io_getevents", begin, 4 * MS, ANEW);
	} else if (r != 1 || event.data != 42 || !(event.res & POLLIN)) {
		anomaly("io_getevents returned %ld (%s), event %lld", r,
			r < 0 ? strerror(errno) : "", (long long)event.res);
	} else {
		s->submitted = false;
		feed_take(&s->feed, "read after io_getevents", read(s->feed.fd, &byte, 1), &byte);
	}
}

/* --- io_uring */

struct ring {
	int fd;
	atomic_uint *sq_tail, *cq_head, *cq_tail;
	unsigned int *sq_array, sq_mask, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	struct __kernel_timespec timeout;
	struct feed feed;
	uint8_t byte;
	unsigned int turn;
};

static void *ring_map(int fd, size_t size, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	must(p == MAP_FAILED ? -1 : 0, "mmap of a ring");
	return p;
}

static void ring_begin(void *state)
{
	struct io_uring_params p = { 0 };
	struct ring *s = state;
	char *sq, *cq;

	s->fd = (int)syscall(SYS_io_uring_setup, 8, &p);
	if (s->fd < 0)
		skip_kind("no io_uring");
	must(fcntl(s->fd, F_SETFD, FD_CLOEXEC), "fcntl");
	sq = ring_map(s->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned int),
		      IORING_OFF_SQ_RING);
	cq = ring_map(s->fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	s->sqes = ring_map(s->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	s->sq_tail = (atomic_uint *)(sq + p.sq_off.tail);
	s->sq_mask = *(unsigned int *)(sq + p.sq_off.ring_mask);
	s->sq_array = (unsigned int *)(sq + p.sq_off.array);
	s->cq_head = (atomic_uint *)(cq + p.cq_off.head);
	s->cq_tail = (atomic_uint *)(cq + p.cq_off.tail);
	s->cq_mask = *(unsigned int *)(cq + p.cq_off.ring_mask);
	s->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	s->timeout.tv_nsec = 4 * MS;
	feed_begin(&s->feed, 0);
}

static void ring_queue(struct ring *s, bool is_read)
{
	unsigned int tail = atomic_load(s->sq_tail), i = tail & s->sq_mask;
	struct io_uring_sqe *sqe = &s->sqes[i];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = is_read ? IORING_OP_READ : IORING_OP_TIMEOUT;
	sqe->fd = is_read ? s->feed.fd : -1;
	sqe->addr = (uintptr_t)(is_read ? (void *)&s->byte : (void *)&s->timeout);
	sqe->len = 1;
	sqe->off = is_read ? (uint64_t)-1 : 0;
	sqe->user_data = is_read;
	s->sq_array[i] = i;
	atomic_store(s->sq_tail, tail + 1);
}

/* Waits for one completion. One that is said to be there, and is not, counts as an EINTR too. */
static void ring_wait(struct ring *s, unsigned int submit, bool is_read, int64_t begin)
{
	struct io_uring_cqe *cqe;
	unsigned int head = atomic_load(s->cq_head);
	long r;

	for (;;) {
		r = syscall(SYS_io_uring_enter, s->fd, submit, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		if (r < 0 ? errno != EINTR : r != (long)submit)
			anomaly("io_uring_enter returned %ld (%s)", r, strerror(errno));
		if (r < 0)
			eintr();
		else
			submit = 0;
		if (atomic_load(s->cq_tail) != head)
			break;
		if (r == 0)
			anomaly("io_uring_enter returned without a completion");
		else if (r > 0)
			eintr();
	}
	cqe = &s->cqes[head & s->cq_mask];
	if (cqe->user_data != (uint64_t)is_read)
		anomaly("completion of %llu instead of %d", (unsigned long long)cqe->user_data,
			is_read);
	errno = cqe->res < 0 ? -cqe->res : 0;
	if (is_read)
		feed_take(&s->feed, "read by io_uring", cqe->res < 0 ? -1 : cqe->res, &s->byte);
	else if (cqe->res != -ETIME)
		anomaly("timeout by io_uring: %d", cqe->res);
	else
		took("timeout by io_uring", begin, 4 * MS, LATE);
	atomic_store(s->cq_head, head + 1);
}

/* The wait itself has a timeout, and nothing is under way. */
static void ring_wait_nothing(struct ring *s)
{
	struct io_uring_getevents_arg arg = { .ts = (uintptr_t)&s->timeout };
	int64_t begin = now_ns();
	long r = syscall(SYS_io_uring_enter, s->fd, 0, 1,
			 IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg));

	if (r < 0 && errno == EINTR)
		eintr();
	else if (r == 0 || errno != ETIME)
		anomaly("io_uring_enter with timeout returned %ld (%s)", r, strerror(errno));
	else
		took("io_uring_enter with timeout", begin, 4 * MS, ANEW);
}

static void ring_round(void *state)
{
	struct ring *s = state;
	unsigned int turn = s->turn++;
	bool is_read = turn % 2;
	int64_t begin = now_ns();
	long r;

	switch (turn / 2 % 3) {
	case 0:
		ring_queue(s, is_read);
		r = syscall(SYS_io_uring_enter, s->fd, 1, 0, 0, NULL, 0);
		if (r != 1)
			anomaly("io_uring_enter, to submit: %ld (%s)", r, strerror(errno));
		ring_wait(s, 0, is_read, begin);
		break;
	case 1:
		ring_queue(s, is_read);
		ring_wait(s, 1, is_read, begin);
		break;
	default:
		ring_wait_nothing(s);
	}
}

const struct kind kinds_aio[] = {
	{ "io_getevents", sizeof(struct aio), aio_begin, aio_round, NULL },
	{ "io_uring", sizeof(struct ring), ring_begin, ring_round, NULL },
	{ 0 },
};
