/* SPDX-License-Identifier: MIT */
/* What the kinds of victims have in common; see victim.c. */
#ifndef THPD_TESTS_HELPERS_VICTIM_H
#define THPD_TESTS_HELPERS_VICTIM_H

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MS 1000000LL /* nanoseconds */

/* How much later than asked for a call may return on a busy machine. */
#define LATE (crowd ? STUCK : 1000 * MS)
/* Whoever stands still for so long does so for good. */
#define STUCK (30000 * MS)
/* No limit: its timeout starts anew when the call is interrupted, by the kernel's own rule. */
#define ANEW 0

enum {
	SLOTS = 32,
	MESSAGES = 10,
	EXIT_SKIP = 77, /* this machine cannot do it */
};

/* What kinds, which may be threads of one process, share with their peers. */
enum {
	CELL_EVENTFD,
	CELL_FLOCK,
	CELL_FCNTL,
	CELL_SIGNALS,
	CELL_TURN,
	CELL_DONE,
	CELL_COUNT,
	CELLS,
};

/* Memory that the monitor, the victim and its peers share. */
struct shared {
	atomic_int pid;	 /* who is to be injected into; 0 until it works */
	atomic_int stop; /* end after this round */
	atomic_uint eintr, anomalies;
	atomic_uint slots;	   /* loops that report progress */
	atomic_uint rounds[SLOTS]; /* of each */
	atomic_uint cells[CELLS];
	char messages[MESSAGES][200];
};

extern struct shared *shared;
extern int shared_fd;
extern pid_t victim_pid;
extern bool peers_stay;
extern bool crowd;

/*
 * One kind of victim. A process, or a thread of it, calls begin() once and round() until it is told
 * to stop. begin() may set shared->pid, when another process is to be injected into.
 */
struct kind {
	const char *name;
	size_t size; /* of its state, zeroed at first */
	void (*begin)(void *state);
	void (*round)(void *state);
	void (*end)(void *state); /* instead of _exit(0) */
};

extern const struct kind kinds_cpu[], kinds_registers[], kinds_wait[], kinds_read[], kinds_write[],
	kinds_ipc[], kinds_aio[], kinds_signal[], kinds_queued[], kinds_process[], kinds_threads[],
	kinds_seccomp[];

const struct kind *kind_find(const char *name);
void kind_loop(const struct kind *kind, void *state, unsigned int slot);

/* victim-common.c */
void anomaly(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void eintr(void);
long must(long r, const char *what);
void skip_kind(const char *why) __attribute__((noreturn));
int64_t now_ns(void);
void took(const char *what, int64_t begin, int64_t wanted, int64_t late);
void nap(int64_t ns);
void dawdle(unsigned int max_us);
pid_t peer(void (*run)(void *), void *arg);
void thread(void *(*run)(void *), void *arg);
void make_pair(int fds[2], int family);
void handle(int sig, void (*handler)(int, siginfo_t *, void *), int flags);
void wait_asleep(pid_t pid);

/* The kernel's own timespec in the calls that are made without libc. */
struct kernel_time {
	long s, ns;
};

/* A peer that writes the numbers 0, 1, 2... one byte each, at its leisure. */
struct feed {
	int fd, peer_fd;
	uint8_t next;
	unsigned int max_us;
};

void feed_begin(struct feed *f, int family);
void feed_take(struct feed *f, const char *what, ssize_t r, const uint8_t *byte);

#endif
