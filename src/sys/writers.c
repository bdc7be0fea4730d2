/* SPDX-License-Identifier: MIT */
#include "sys/writers.h"

#include <sys/fanotify.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "sys/paths.h"
#include "sys/units.h"

#ifndef FAN_REPORT_PIDFD /* Linux 5.15 */
#define FAN_REPORT_PIDFD 0x00000080
#define FAN_EVENT_INFO_TYPE_PIDFD 4
struct fanotify_event_info_pidfd {
	struct fanotify_event_info_header hdr;
	__s32 pidfd;
};
#endif

/*
 * Each event costs some 50 us, and a writer in a loop makes one after the other. The name of such
 * a writer is known after a few: then its file is left alone for a while.
 */
#define BURST 16U
#define BURST_NS UINT64_C(1000000000)

struct writers_file {
	char *key;
	dev_t dev;
	ino_t ino;
	uint64_t since_ns; /* of the burst */
	uint32_t told;
	bool marked;
	uint64_t again_ns; /* not marked: when it will be again; 0: this kernel has no such file */
};

/**
 * writers_open() - begins to listen, as yet to no file
 * @root: the running host
 * @dirfd: of knob_open(); must stay open
 * @ret: the listener; close with writers_close()
 *
 * FAN_CLASS_NOTIF: the kernel tells what has happened, and nobody waits for an answer. With a pidfd
 * (Linux 5.15) it is certain that what is read of a process is that process's.
 *
 * Return: 0; -EPERM without CAP_SYS_ADMIN; -ENOSYS on a kernel without fanotify; another negative
 * errno.
 */
int writers_open(const struct root *root, int dirfd, struct writers *ret)
{
	const unsigned int flags = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK;
	int fd = fanotify_init(flags | FAN_REPORT_PIDFD, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == EINVAL)
		fd = fanotify_init(flags, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret = (struct writers){ .fd = fd, .root = *root, .dirfd = dirfd };
	return 0;
}

static void drop_files(struct writers *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->files[i].key);
	free(w->files);
	w->files = NULL;
	w->n = 0;
}

/** writers_close() - ends it */
void writers_close(struct writers *w)
{
	w->fd = close_fd(w->fd);
	drop_files(w);
}

static int mark(struct writers *w, struct writers_file *f)
{
	struct stat st;

	if (fanotify_mark(w->fd, FAN_MARK_ADD, FAN_MODIFY, w->dirfd, f->key) < 0 ||
	    fstatat(w->dirfd, f->key, &st, 0) < 0)
		return -errno;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->marked = true;
	f->again_ns = 0;
	return 0;
}

/**
 * writers_set() - which files are listened to from now on, in place of others
 * @w: the listener
 * @keys: paths below the directory of writers_open(); one that this kernel has not got is left out
 * @n: how many
 *
 * Return: 0; negative errno, and then there are none.
 */
int writers_set(struct writers *w, const char *const *keys, size_t n)
{
	int r = 0;

	(void)fanotify_mark(w->fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
	drop_files(w);
	w->files = calloc(n + 1, sizeof(*w->files));
	if (!w->files)
		return -ENOMEM;
	for (; w->n < n && r == 0; w->n++) {
		w->files[w->n].key = strdup(keys[w->n]);
		if (!w->files[w->n].key)
			r = -ENOMEM;
		else
			r = mark(w, &w->files[w->n]);
		if (r == -ENOENT)
			r = 0;
	}
	if (r < 0) {
		(void)fanotify_mark(w->fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
		drop_files(w);
	}
	return r;
}

/* Counts what is told of a file; stops listening to it for a while when that is too much. */
static void count(struct writers *w, struct writers_file *f, uint64_t now)
{
	if (f->told == 0 || now - f->since_ns >= BURST_NS) {
		f->since_ns = now;
		f->told = 0;
	}
	if (++f->told < BURST || !f->marked)
		return;
	(void)fanotify_mark(w->fd, FAN_MARK_REMOVE, FAN_MODIFY, w->dirfd, f->key);
	f->marked = false;
	f->again_ns = now + BURST_NS;
	f->told = 0;
}

/**
 * writers_timeout() - how long the descriptor may be polled
 * @w: the listener
 *
 * Return: milliseconds for poll(2), after which writers_next() is to be called in any case; -1: for
 * ever.
 */
int writers_timeout(const struct writers *w)
{
	uint64_t first = UINT64_MAX, now = monotonic_ns();

	for (size_t i = 0; i < w->n; i++)
		if (w->files[i].again_ns > 0 && w->files[i].again_ns < first)
			first = w->files[i].again_ns;
	if (first == UINT64_MAX)
		return -1;
	return first <= now ? 0 : (int)((first - now) / 1000000U + 1);
}

static void listen_again(struct writers *w)
{
	uint64_t now = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct writers_file *f = &w->files[i];

		if (f->again_ns == 0)
			continue;
		if (now == 0)
			now = monotonic_ns();
		if (f->again_ns <= now && mark(w, f) < 0)
			f->again_ns = 0;
	}
}

static void read_comm(const struct root *root, int dirfd, struct writer *x)
{
	_cleanup_close_ int fd = root_open_below(root, dirfd, "comm", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, x->comm, sizeof(x->comm));

	if (n > 0)
		x->comm[n - 1] = '\0'; /* was a line break */
}

static void read_exe(int dirfd, struct writer *x)
{
	static const char deleted[] = " (deleted)";
	ssize_t n = readlinkat(dirfd, "exe", x->exe, sizeof(x->exe) - 1);

	if (n > 0 && endswith(x->exe, deleted))
		x->exe[(size_t)n - strlen(deleted)] = '\0';
}

/*
 * The directory is opened before the pidfd is asked: if the process is still there then, even as a
 * zombie, its pid cannot have been given to another, and the directory is its own for ever. Of a
 * process that ends, the program goes first; its name and its unit stay until it is reaped.
 */
static void look_at(const struct root *root, int pidfd, struct writer *x)
{
	_cleanup_close_ int dirfd = -1;
	char path[sizeof(PATH_PROC) + 16];

	(void)snprintf(path, sizeof(path), PATH_PROC "/%d", x->pid);
	dirfd = root_open(root, path, O_PATH | O_DIRECTORY);
	if (dirfd < 0 ||
	    (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH))
		return;
	read_exe(dirfd, x);
	read_comm(root, dirfd, x);
	(void)unit_of_at(root, dirfd, x->unit, sizeof(x->unit));
}

static bool ignored(const struct writers *w, int32_t pid)
{
	for (size_t i = 0; i < w->n_ignore; i++)
		if (w->ignore[i] == pid)
			return true;
	return false;
}

static struct writers_file *file_of(struct writers *w, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	for (size_t i = 0; i < w->n; i++)
		if (w->files[i].key && w->files[i].ino == st.st_ino && w->files[i].dev == st.st_dev)
			return &w->files[i];
	return NULL;
}

/* Room for one event with a pidfd and for no two: so what is read is dealt with before the next. */
union one_event {
	struct fanotify_event_metadata meta;
	struct {
		struct fanotify_event_metadata meta;
		struct fanotify_event_info_pidfd pidfd;
	} with;
};

static bool tell(struct writers *w, const union one_event *e, int pidfd, uint64_t now,
		 struct writer *ret)
{
	struct writers_file *f;
	struct writer x = { .pid = e->meta.pid, .time_ns = now };

	if (e->meta.fd < 0 || ignored(w, e->meta.pid))
		return false;
	f = file_of(w, e->meta.fd);
	if (!f)
		return false;
	look_at(&w->root, pidfd, &x);
	x.key = (uint32_t)(f - w->files);
	count(w, f, now);
	*ret = x;
	return true;
}

/**
 * writers_next() - who has written
 * @w: the listener
 * @ret: who
 *
 * Does not wait. Reads what /proc says of the process at once, for it may end in a moment; what had
 * gone by then is left empty. Several writes of one process to one file that have not been read
 * yet are one event; of a process that writes without end only the first few are told, and a few
 * more every now and then.
 *
 * Return: 1; 0 when there is nothing more; negative errno.
 */
int writers_next(struct writers *w, struct writer *ret)
{
	listen_again(w);
	for (;;) {
		union one_event e = { 0 };
		int pidfd = -1;
		ssize_t n = read(w->fd, &e, sizeof(e));
		bool found;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n < (ssize_t)sizeof(e.meta) || e.meta.vers != FANOTIFY_METADATA_VERSION)
			return -EBADMSG;
		if (n == (ssize_t)sizeof(e.with) &&
		    e.with.pidfd.hdr.info_type == FAN_EVENT_INFO_TYPE_PIDFD)
			pidfd = e.with.pidfd.pidfd;
		found = tell(w, &e, pidfd, monotonic_ns(), ret);
		close_fd(pidfd);
		close_fd(e.meta.fd);
		if (found)
			return 1;
	}
}
