/* SPDX-License-Identifier: MIT */
/* What time it is. What is to be deterministic is handed the time, and does not ask. */
#ifndef THPD_BASE_CLOCK_H
#define THPD_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static inline uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t monotonic_us(void)
{
	return monotonic_ns() / 1000U;
}

/* Of the day. */
static inline uint64_t realtime_us(void)
{
	return clock_ns(CLOCK_REALTIME) / 1000U;
}

#endif
