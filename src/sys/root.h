/* SPDX-License-Identifier: MIT */
#ifndef THPD_SYS_ROOT_H
#define THPD_SYS_ROOT_H

#include <fcntl.h>
#include <sys/stat.h>

#include "base/arena.h"

/*
 * The host that is looked at: the running one, or a directory tree that looks like one. All paths
 * in the program are opened through this handle; for a tree nothing outside of it can be reached.
 */
struct root {
	int fd; /* of the tree; AT_FDCWD for the running host */
	bool live;
	const char *path; /* for messages; "" for the running host */
};

#define ROOT_LIVE ((struct root){ .fd = AT_FDCWD, .live = true, .path = "" })

int root_open_tree(const char *path, struct root *ret);
void root_close(struct root *root);
int root_open(const struct root *root, const char *path, int flags);
int root_open_below(const struct root *root, int dirfd, const char *name, int flags);
ssize_t root_read(const struct root *root, const char *path, char *buf, size_t size);
int root_read_file(const struct root *root, const char *path, struct arena *a, size_t max,
		   char **ret, size_t *ret_len, struct stat *ret_stat);
int root_write_file(const struct root *root, const char *dir, const char *name, const char *data,
		    size_t len, mode_t mode);
int root_write_outside(const struct root *root, const char *path, const char *data, size_t len,
		       mode_t mode);
int root_make_dir(const struct root *root, const char *path);
int root_unlink(const struct root *root, const char *dir, const char *name);
int root_list(const struct root *root, const char *dir, struct arena *a, const char ***ret,
	      size_t *ret_n);
bool root_is_mask(const struct root *root, const char *path);
bool fd_is_mask(int fd);
int fd_read_all(int fd, struct arena *a, size_t max, char **ret, size_t *ret_len);

#endif
