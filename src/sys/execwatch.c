/* SPDX-License-Identifier: MIT */
/*
 * Who starts which program, by fanotify(7) marks on the programs' inodes. An event on a file that
 * is not marked costs nothing.
 */
#include "sys/execwatch.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "sys/paths.h"

/* Linux 4.20 and 5.0; C libraries came to have some of them later. */
#ifndef FAN_REPORT_TID
#define FAN_REPORT_TID 0x100
#endif
#ifndef FAN_OPEN_EXEC
#define FAN_OPEN_EXEC 0x1000
#define FAN_OPEN_EXEC_PERM 0x40000
#endif

const char *const exec_refusal_words[] = {
	[EXEC_MARKED] = "marked",
	[EXEC_ABSENT] = "absent",
	[EXEC_NO_FILE] = "not a file",
	[EXEC_VITAL] = "vital to the host",
	[EXEC_REMOTE] = "on a remote file system",
	[EXEC_NO_GATE] = "no gate",
	[EXEC_ERROR] = "refused by the kernel",
	NULL,
};

/**
 * exec_watch_open() - a group of marks, without any yet
 * @mode: whether execs wait for us
 *
 * Needs CAP_SYS_ADMIN in the first user namespace. Its end, also that of the process, lets all
 * execs go on that wait (fanotify_release(), fs/notify/fanotify/fanotify_user.c).
 *
 * Return: a descriptor, non-blocking; negative errno.
 */
int exec_watch_open(enum exec_mode mode)
{
	/* One that does not wait may have another number already when it is looked at. */
	unsigned int flags = FAN_CLOEXEC | FAN_NONBLOCK |
			     (mode == EXEC_GATE ? FAN_CLASS_CONTENT | FAN_REPORT_TID :
						  FAN_CLASS_NOTIF);
	int fd = fanotify_init(flags, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Without asking a server, where the file system has one. */
static int identify(int fd, struct exec_file *ret)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_TYPE, &st) < 0)
		return -errno;
	if (!S_ISREG(st.stx_mode))
		return EXEC_NO_FILE;
	ret->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	ret->ino = st.stx_ino;
	return 0;
}

/**
 * exec_watch_read() - reads what there is
 * @fd: of exec_watch_open()
 * @ret: EXEC_EVENTS of them
 *
 * One whose program cannot be opened was answered by the kernel, and is not told.
 *
 * Return: how many; 0 when there is none; negative errno.
 */
int exec_watch_read(int fd, struct exec_event *ret)
{
	struct fanotify_event_metadata buf[EXEC_EVENTS];
	const struct fanotify_event_metadata *m = buf;
	ssize_t n = read(fd, buf, sizeof(buf));
	int events = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (; FAN_EVENT_OK(m, n); m = FAN_EVENT_NEXT(m, n)) {
		struct exec_event e = { .tid = m->pid, .fd = m->fd };

		e.overflow = m->mask & FAN_Q_OVERFLOW;
		e.waits = m->mask & FAN_OPEN_EXEC_PERM;
		if (!e.overflow && m->fd < 0)
			continue;
		if (!e.overflow && identify(m->fd, &e.file) != 0)
			e.tid = 0;
		ret[events++] = e;
	}
	return events;
}

/**
 * exec_watch_answer() - lets an exec go on
 * @fd: of exec_watch_open(), or a copy in another table of descriptors
 * @event: the `fd` of the event, which here is but a number
 *
 * Return: 0; negative errno.
 */
int exec_watch_answer(int fd, int event)
{
	const struct fanotify_response answer = { .fd = event, .response = FAN_ALLOW };

	return write(fd, &answer, sizeof(answer)) < 0 ? -errno : 0;
}

/* Programs that must start whatever is wrong with us: PID 1 and what it needs, and who repairs. */
static bool is_vital_name(const char *name)
{
	static const char *const names[] = {
		"agetty",      "ash",	  "bash",	 "busybox",
		"csh",	       "dash",	  "dbus-broker", "dbus-broker-launch",
		"dbus-daemon", "fish",	  "getty",	 "init",
		"ksh",	       "ksh93",	  "login",	 "mksh",
		"sh",	       "su",	  "sudo",	 "sulogin",
		"systemctl",   "systemd", "tcsh",	 "thpctl",
		"thpd",	       "toybox",  "zsh",
	};
	static const char *const beginnings[] = { "ld-", "ld.so", "ld64.so", "systemd-", "thpd-" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(name, names[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (startswith(name, beginnings[i]))
			return true;
	return false;
}

/* The same by other names: what runs as PID 1, as /bin/sh, or as ourselves. */
static bool is_vital_file(const struct stat *st)
{
	static const char *const paths[] = { PATH_PROC "/1/exe", PATH_PROC "/self/exe", "/bin/sh",
					     "/bin/bash" };
	struct stat other;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (stat(paths[i], &other) == 0 && other.st_dev == st->st_dev &&
		    other.st_ino == st->st_ino)
			return true;
	return false;
}

/* Where an open may wait for another machine, or process: nfs cifs smb2 fuse ceph 9p afs. */
static bool is_remote(int fd)
{
	static const uint32_t types[] = { NFS_SUPER_MAGIC, 0xff534d42, 0xfe534d42, 0x65735546,
					  0x00c36400,	   0x01021997, 0x5346414f };
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((uint32_t)fs.f_type == types[i])
			return true;
	return false;
}

/* Why a program should not be marked, or 0. */
static int refuse(int fd, enum exec_mode mode)
{
	char link[64], name[4096];
	const char *base;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return EXEC_ERROR;
	if (!S_ISREG(st.st_mode))
		return EXEC_NO_FILE;
	(void)snprintf(link, sizeof(link), PATH_PROC "/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	if (n <= 0)
		return EXEC_ERROR;
	name[n] = '\0';
	base = strrchr(name, '/');
	if (!base || is_vital_name(base + 1) || is_vital_file(&st))
		return EXEC_VITAL;
	return mode == EXEC_GATE && is_remote(fd) ? EXEC_REMOTE : 0;
}

static uint64_t mask_of(enum exec_mode mode)
{
	return mode == EXEC_GATE ? FAN_OPEN_EXEC_PERM : FAN_OPEN_EXEC;
}

static int change(int fd, unsigned int how, enum exec_mode mode, int file)
{
	char link[64];

	(void)snprintf(link, sizeof(link), PATH_PROC "/self/fd/%d", file);
	return fanotify_mark(fd, how, mask_of(mode), AT_FDCWD, link) < 0 ? -errno : 0;
}

/**
 * exec_watch_mark() - marks the program that is at a path just now
 * @fd: of exec_watch_open(), or negative: it is only looked at
 * @mode: of that
 * @path: the program
 * @ret: which file it is; marked once more, it stays marked
 *
 * Return: 0; enum exec_refusal; negative errno when the kernel would not.
 */
int exec_watch_mark(int fd, enum exec_mode mode, const char *path, struct exec_file *ret)
{
	_cleanup_close_ int file = open(path, O_PATH | O_CLOEXEC);
	int r;

	if (file < 0)
		return errno == ENOENT || errno == ENOTDIR ? EXEC_ABSENT : -errno;
	r = refuse(file, mode);
	if (r == 0)
		r = identify(file, ret);
	return r != 0 || fd < 0 ? r : change(fd, FAN_MARK_ADD, mode, file);
}

/**
 * exec_watch_mark_self() - marks our own program, for a test; arguments and result as above
 */
int exec_watch_mark_self(int fd, enum exec_mode mode, struct exec_file *ret)
{
	_cleanup_close_ int file = open(PATH_PROC "/self/exe", O_PATH | O_CLOEXEC);
	int r;

	if (file < 0)
		return -errno;
	r = identify(file, ret);
	return r != 0 ? r : change(fd, FAN_MARK_ADD, mode, file);
}

/** exec_watch_unmark_self() - after exec_watch_mark_self(); 0 or negative errno */
int exec_watch_unmark_self(int fd, enum exec_mode mode)
{
	return fanotify_mark(fd, FAN_MARK_REMOVE, mask_of(mode), AT_FDCWD, PATH_PROC "/self/exe") <
			       0 ?
		       -errno :
		       0;
}

/**
 * exec_watch_unmark() - takes a mark off, if its program is still at its path
 * @fd: of exec_watch_open()
 * @mode: of that
 * @path: where it was found
 * @file: which file that was
 *
 * A program that was replaced takes its mark with it when it is gone.
 *
 * Return: 0; negative errno.
 */
int exec_watch_unmark(int fd, enum exec_mode mode, const char *path, const struct exec_file *file)
{
	_cleanup_close_ int now = open(path, O_PATH | O_CLOEXEC);
	struct exec_file found = { 0 };

	if (now < 0 || identify(now, &found) != 0 || found.dev != file->dev ||
	    found.ino != file->ino)
		return 0;
	return change(fd, FAN_MARK_REMOVE, mode, now);
}
