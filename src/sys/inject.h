/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_INJECT_H
#define THPD_SYS_INJECT_H

#include "sys/thp-flag.h"

#include <stddef.h>
#include <stdint.h>

enum inject_op {
	INJECT_GET, /* ask the process what is set */
	INJECT_SET, /* set it, and ask again */
};

/* Why a process was left alone; 0 is success. One word each in inject_words. */
enum inject_result {
	INJECT_OK,
	INJECT_GONE,	    /* it has ended, or the pid is another process's by now */
	INJECT_TRACED,	    /* another tracer has it: see inject_answer.other */
	INJECT_FORBIDDEN,   /* ptrace is refused: capability, Yama, LSM */
	INJECT_SECCOMP,	    /* filtered, and the filter may not be suspended by us */
	INJECT_BUSY,	    /* in a call that may not be interrupted, all the time that we waited */
	INJECT_SHARED,	    /* shares its address space with its parent: a vfork(2) child */
	INJECT_UNSUPPORTED, /* this architecture, or a process without a vdso */
	INJECT_REJECTED,    /* the kernel refused the prctl(2): see inject_answer.error */
	INJECT_DIFFERS,	    /* set, but read back as something else */
	INJECT_FULL, /* tracers were killed in it so often that there is no room for another stub */
	INJECT_UNFINISHED, /* the tracer ended before it came to this process */
	INJECT_RESULTS,
};

extern const char *const inject_words[];

/* Places at which a test has the tracer killed; see INJECT_POINTS. */
#define INJECT_POINTS         \
	X(NONE)               \
	X(SEIZED)             \
	X(INTERRUPTED)        \
	X(STOPPED)            \
	X(REGISTERS_READ)     \
	X(STUB_WRITTEN)       \
	X(SECCOMP_SUSPENDED)  \
	X(REDIRECTED)         \
	X(RUNNING)            \
	X(CALL_ENTERED)       \
	X(CALL_RESUMED)       \
	X(CALL_LEFT)          \
	X(NEXT_CALL)          \
	X(FINAL_INTERRUPT)    \
	X(CALLS_DONE)         \
	X(SIGNALS_FREED)      \
	X(INTERRUPTED_AGAIN)  \
	X(REGISTERS_RESTORED) \
	X(SECCOMP_RESUMED) X(STUB_REMOVED) X(RELEASED) X(SIGNAL_STOPPED) X(SIGNAL_PASSED)

enum inject_point {
#define X(name) INJECT_AT_##name,
	INJECT_POINTS
#undef X
		INJECT_POINTS_N,
};

extern const char *const inject_point_words[];

/* One process to be set or asked. Plain data: it may cross a socket. */
struct inject_request {
	int32_t pid;
	int32_t op;	/* enum inject_op */
	uint64_t start; /* when it started, as proc_read() tells; with pid, what names a process */
	int32_t flag;	/* enum thp_flag, for INJECT_SET */
	int32_t die_at; /* enum inject_point: for tests; 0 never */
};

struct inject_answer {
	int32_t result;	     /* enum inject_result, or a negative errno that was not expected */
	int32_t error;	     /* positive errno behind the result, or 0 */
	int32_t before;	     /* the flag that was found, -1: not known */
	int32_t now;	     /* the flag that was read back at the end, -1: not known */
	int32_t other;	     /* pid of the other tracer, or 0 */
	uint32_t stopped_ns; /* how long the process was kept */
};

int inject(const struct inject_request *requests, size_t n, struct inject_answer *ret);

#endif
