/* SPDX-License-Identifier: MIT */
#ifndef STARTS_TARGET_H
#define STARTS_TARGET_H

#define TARGET_FD 9
#define TARGET_PATIENCE_NS 100000000LL

/* The kernel's, of both word sizes. */
struct target_time {
	long long s;
	long long ns;
};

/* What a program says at its beginning. */
struct target_report {
	int first; /* flag at the first instruction */
	int last;  /* flag when it was set, or patience ended */
	int euid;
	int registers;	  /* some were not zero at the first instruction */
	long long began;  /* monotonic, after the first question */
	long long window; /* from then until the flag was seen */
};

#endif
