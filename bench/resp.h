/* SPDX-License-Identifier: MIT */
/* As much of the protocol of Redis (RESP2) as a client of our own needs, over a socket of the host. */
#ifndef THPD_BENCH_RESP_H
#define THPD_BENCH_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resp {
	int fd;
	char *in, *out;
	size_t in_at, in_end, in_room, out_end, out_room;
};

struct resp_answer {
	char kind;	  /* '+', '-', ':', '$'; 0: there is none */
	const char *data; /* of a string; until the next call */
	size_t len;
	int64_t number; /* of ':'; -1 of '$': nothing there */
};

struct resp_word {
	const void *data;
	size_t len;
};

int resp_open(const char *path, struct resp *ret);
void resp_close(struct resp *c);
int resp_add(struct resp *c, const struct resp_word *words, size_t n);
int resp_flush(struct resp *c);
int resp_answer(struct resp *c, struct resp_answer *ret);

#endif
