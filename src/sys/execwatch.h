/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_EXECWATCH_H
#define THPD_SYS_EXECWATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXEC_EVENTS 16 /* at a time, each with an open descriptor */

enum exec_mode {
	EXEC_WATCH, /* told of an exec, which goes on */
	EXEC_GATE,  /* an exec waits for an answer */
	EXEC_MODES,
};

/* A program, by its inode. */
struct exec_file {
	uint64_t dev, ino;
};

struct exec_event {
	struct exec_file file;
	int32_t tid;   /* the thread that makes the exec */
	int fd;	       /* gate: the program; names the event in exec_watch_answer() */
	bool waits;    /* it has to be answered */
	bool overflow; /* events were lost; nothing else is told */
};

/* Why a program is not marked. */
enum exec_refusal {
	EXEC_MARKED,
	EXEC_ABSENT,  /* there is none, now */
	EXEC_NO_FILE, /* what is there is no regular file */
	EXEC_VITAL,   /* the host needs it to come up, or to be repaired */
	EXEC_REMOTE,  /* not to be gated: opening it may take a server */
	EXEC_NO_GATE, /* the gate is not used */
	EXEC_ERROR,   /* the kernel refused */
	EXEC_REFUSALS,
};

extern const char *const exec_refusal_words[];

int exec_watch_open(enum exec_mode mode);
int exec_watch_read(int fd, struct exec_event *ret);
int exec_watch_answer(int fd, int event);
int exec_watch_mark(int fd, enum exec_mode mode, const char *path, struct exec_file *ret);
int exec_watch_mark_self(int fd, enum exec_mode mode, struct exec_file *ret);
int exec_watch_unmark_self(int fd, enum exec_mode mode);
int exec_watch_unmark(int fd, enum exec_mode mode, const char *path, const struct exec_file *file);

#endif
