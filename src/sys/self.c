/* SPDX-License-Identifier: MIT */
#include "sys/self.h"

#include <sys/stat.h>

#include "base/util.h"
#include "sys/paths.h"
#include "sys/proc.h"

/**
 * self_find() - which file is the program that runs
 * @ret: for self_is_replaced()
 *
 * Return: 0; -ENOENT when there is another file at its path already, or none; another negative
 * errno.
 */
int self_find(struct self *ret)
{
	const struct root host = ROOT_LIVE;
	_cleanup_arena_ struct arena a = { 0 };
	struct stat running, found;
	struct self self = { .path = "" };
	const char *path;
	int r = proc_exe(&host, getpid(), &a, &path);

	if (r < 0)
		return r;
	if (strlen(path) >= sizeof(self.path))
		return -ENAMETOOLONG;
	memcpy(self.path, path, strlen(path) + 1);
	if (stat(PATH_PROC "/self/exe", &running) < 0 || stat(self.path, &found) < 0)
		return -errno;
	if (running.st_dev != found.st_dev || running.st_ino != found.st_ino)
		return -ENOENT;
	self.dev = running.st_dev;
	self.ino = running.st_ino;
	*ret = self;
	return 0;
}

/**
 * self_is_replaced() - whether another program would be started by our path now
 * @self: of self_find(); or all zero, of which nothing is known
 *
 * Who was the file at its path in self_find() is replaced at most once, whatever file systems say
 * of their inodes. While it runs, the number of its inode is nobody else's.
 *
 * Return: false when there is none at all: nobody could take over.
 */
bool self_is_replaced(const struct self *self)
{
	struct stat found;

	return *self->path && stat(self->path, &found) == 0 && S_ISREG(found.st_mode) &&
	       (found.st_mode & 0111) != 0 &&
	       (found.st_dev != self->dev || found.st_ino != self->ino);
}
