/* SPDX-License-Identifier: MIT */
/*
 * For the statically linked thpctl only. libconfuse's cfg_tilde_expand() asks for home
 * directories; the loader hands it text and never a file name, so that is never reached, but the
 * linker does not know and would bring in the C library's whole name service (120 KiB, which also
 * cannot work statically).
 */
#include <pwd.h>
#include <stddef.h>
#include <sys/types.h>

struct passwd *getpwnam(const char *name)
{
	return NULL;
}

struct passwd *getpwuid(uid_t uid)
{
	return NULL;
}
