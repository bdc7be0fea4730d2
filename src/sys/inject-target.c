/* SPDX-License-Identifier: MIT */
/* Looking at a process before it is touched: is it the right one, and which thread may be asked? */
#include "sys/inject-target.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/parse.h"
#include "sys/inject.h"

#define THREADS_LOOKED_AT 256U

/**
 * target_open() - opens a file of a thread
 * @t: the process, its directory open
 * @tid: the thread
 * @name: the file's
 * @flags: as for open(2)
 *
 * Return: a descriptor, close-on-exec; -ENOENT or -ESRCH when the thread is gone; another negative
 * errno.
 */
int target_open(const struct target *t, int32_t tid, const char *name, int flags)
{
	char path[64];
	int fd;

	/*
	 * What the process's own directory has is its first thread's; each one deeper costs 5 us.
	 */
	if (tid != t->pid) {
		(void)snprintf(path, sizeof(path), "task/%d/%s", tid, name);
		name = path;
	}
	fd = openat(t->dir, name, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* From the beginning, as often as one likes. */
static ssize_t read_again(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

/**
 * target_read() - reads a small file of a thread
 *
 * Arguments as of target_open().
 *
 * Return: bytes read, the text terminated; negative errno.
 */
ssize_t target_read(const struct target *t, int32_t tid, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = target_open(t, tid, name, O_RDONLY);

	return fd < 0 ? fd : read_again(fd, buf, size);
}

/**
 * target_status() - a number out of the chosen thread's status
 * @t: of target_choose()
 * @field: with the line's end before it and its colon: "\nTHP_enabled:"
 *
 * Return: the number; -ESRCH; -ENODATA when there is no such field.
 */
int target_status(const struct target *t, const char *field)
{
	char buf[4096];
	ssize_t n = read_again(t->status, buf, sizeof(buf));
	const char *at;

	if (n < 0)
		return (int)n;
	at = strstr(buf, field);
	return at ? (int)strtol(at + strlen(field), NULL, 10) : -ENODATA;
}

/* State, parent, threads and start time, proc_pid_stat(5). */
static int read_stat(uint64_t start, struct target *t)
{
	char buf[1024];
	unsigned long long began = 0;
	int threads = 0, ppid = 0, cpu = 0;
	const char *at;
	char state = 0;

	if (target_read(t, t->pid, "stat", buf, sizeof(buf)) < 0)
		return INJECT_GONE;
	at = strrchr(buf, ')');
	if (!at ||
	    sscanf(at + 1,
		   " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d "
		   "%*s %llu %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d",
		   &state, &ppid, &threads, &began, &cpu) != 5)
		return -EBADMSG;
	if (start && began != start)
		return INJECT_GONE;
	t->start = began;
	t->state = state;
	t->ppid = ppid;
	t->threads = (uint32_t)threads;
	t->cpu = cpu;
	return 0;
}

/* Whether it shares its parent's memory, as between vfork(2) and exec. */
static int shares_memory(const struct target *t)
{
	long r;

	if (t->ppid == 0)
		return 0;
	r = syscall(SYS_kcmp, t->tid, t->ppid, KCMP_VM, 0UL, 0UL);
	if (r < 0 && errno == ENOSYS) {
		/* Without kcmp: a vfork(2) parent waits uninterruptibly for its child. */
		char path[64], buf[1024];
		_cleanup_close_ int fd = -1;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", t->ppid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read_again(fd, buf, sizeof(buf)) < 0 || !strrchr(buf, ')'))
			return 0;
		return strrchr(buf, ')')[2] == 'D' ? INJECT_SHARED : 0;
	}
	if (r < 0)
		return errno == EPERM ? INJECT_FORBIDDEN : 0;
	return r == 0 ? INJECT_SHARED : 0;
}

/* D, Z and X cannot be stopped. Returns 0 when the state cannot be read. */
static char thread_state(const struct target *t, int32_t tid)
{
	char buf[512];
	const char *at;

	if (target_read(t, tid, "stat", buf, sizeof(buf)) < 0)
		return 0;
	at = strrchr(buf, ')');
	return at ? at[2] : 0;
}

/**
 * target_threads() - the directory of a process's threads
 *
 * Return: to be closed with closedir(); NULL when it is gone.
 */
DIR *target_threads(const struct target *t)
{
	int fd = openat(t->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		close_fd(fd);
	return dir;
}

/*
 * A process goes on when its first thread has ended, but its memory is then to be seen through
 * another one only. Returns 0 or INJECT_GONE.
 */
static int find_live(struct target *t)
{
	const struct dirent *e;
	DIR *dir;

	if (t->state != 'Z' && t->state != 'X')
		return 0;
	dir = t->threads > 1 ? target_threads(t) : NULL;
	t->tid = 0;
	while (dir && t->tid == 0 && (e = readdir(dir))) {
		uint64_t tid = 0;
		char state;

		if (parse_uint(e->d_name, INT32_MAX, &tid) < 0)
			continue;
		state = thread_state(t, (int32_t)tid);
		if (state && state != 'Z' && state != 'X')
			t->tid = (int32_t)tid;
	}
	if (dir)
		(void)closedir(dir);
	return t->tid ? 0 : INJECT_GONE;
}

/*
 * Two tracers of one process might use the same place for their stubs, each on a thread of its own.
 * The lock goes with the descriptor.
 */
static int lock_dir(struct target *t)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d", t->pid);
	t->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir < 0)
		return errno == ENOENT ? INJECT_GONE : -errno;
	if (flock(t->dir, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? INJECT_BUSY : -errno;
}

/**
 * target_look() - looks at a process without touching it
 * @pid: the process
 * @start: when it started, in clock ticks after boot; 0 where it cannot be another one
 * @ret: what was found; to be closed with target_close(), whatever this returns
 *
 * Keeps other tracers from the same process until then.
 *
 * Return: 0; enum inject_result when it is to be left alone; negative errno.
 */
int target_look(int32_t pid, uint64_t start, struct target *ret)
{
	struct target t = TARGET_NONE;
	int r;

	t.pid = t.tid = pid;
	r = lock_dir(&t);
	if (r == 0)
		r = read_stat(start, &t);
	if (r == 0)
		r = find_live(&t);
	if (r == 0)
		r = target_find_tail(&t);
	if (r == 0)
		r = shares_memory(&t);
	*ret = t;
	return r;
}

/** target_close() - closes what is open of a process, and lets others at it */
void target_close(struct target *t)
{
	close_fd(t->status);
	close_fd(t->calls);
	close_fd(t->dir);
	t->dir = t->calls = t->status = -1;
}

static int read_call(int fd, struct in_call *ret)
{
	unsigned long long a[6] = { 0 }, sp = 0, pc = 0;
	struct in_call in = { .nr = -1 };
	char buf[256];
	ssize_t n = read_again(fd, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	if (!startswith(buf, "running") &&
	    sscanf(buf, "%ld %llx %llx %llx %llx %llx %llx %llx %llx", &in.nr, &a[0], &a[1], &a[2],
		   &a[3], &a[4], &a[5], &sp, &pc) != 9 &&
	    in.nr >= 0)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		in.args[i] = a[i];
	in.sp = sp;
	in.pc = pc;
	*ret = in;
	return 0;
}

/**
 * target_call() - the system call that the chosen thread is blocked in
 * @t: of target_choose()
 * @ret: the call; a negative number when it runs, or is blocked elsewhere
 *
 * Return: 0; negative errno.
 */
int target_call(const struct target *t, struct in_call *ret)
{
	return read_call(t->calls, ret);
}

/* How well the call that a thread is in takes to being interrupted. Returns a class, or < 0. */
static int classify(const struct target *t, int calls)
{
	struct in_call in;
	int r = read_call(calls, &in);

	if (r < 0)
		return r;
	return in.nr < 0 ? CALL_RUNNING : arch_classify(t->compat, in.nr, in.args);
}

/* Takes a thread into account. Returns how well it is suited, or negative errno. */
static int consider(struct target *t, int32_t tid)
{
	_cleanup_close_ int calls = target_open(t, tid, "syscall", O_RDONLY);
	int class = calls < 0 ? calls : classify(t, calls);
	char state;

	if (class < 0 || class == CALL_BAD || (t->calls >= 0 && (enum call_class) class >= t->call))
		return class;
	state = tid == t->pid ? t->state : thread_state(t, tid);
	if (state == 'D' || state == 'Z' || state == 'X' || state == 0)
		return CALL_BAD;
	close_fd(t->calls);
	t->calls = take_fd(&calls);
	t->tid = tid;
	t->call = (enum call_class) class;
	return class;
}

/* Of the chosen thread: filters are a thread's own. */
static int read_status(struct target *t)
{
	char buf[4096];
	const char *at;
	ssize_t n;

	t->status = target_open(t, t->tid, "status", O_RDONLY);
	n = t->status < 0 ? t->status : read_again(t->status, buf, sizeof(buf));
	if (n < 0)
		return n == -ENOENT || n == -ESRCH ? INJECT_GONE : (int)n;
	at = strstr(buf, "\nSeccomp:");
	t->seccomp = at && strtol(at + 9, NULL, 10) != 0;
	at = strstr(buf, "\nTHP_enabled:");
	t->thp_enabled = at ? (int)strtol(at + 13, NULL, 10) : -1;
	return 0;
}

/**
 * target_choose() - chooses the thread that will notice least
 * @t: of target_look(); gets the thread
 *
 * Return: 0; INJECT_BUSY when each is in a call that must not be interrupted; INJECT_GONE;
 * INJECT_FORBIDDEN.
 */
int target_choose(struct target *t)
{
	const struct dirent *e;
	size_t seen = 0;
	int class = consider(t, t->pid);
	DIR *dir;

	if (class == -EPERM || class == -EACCES)
		return INJECT_FORBIDDEN;
	dir = class != CALL_GOOD && t->threads > 1 ? target_threads(t) : NULL;
	while (dir && seen++ < THREADS_LOOKED_AT && (e = readdir(dir))) {
		uint64_t tid = 0;

		if (parse_uint(e->d_name, INT32_MAX, &tid) == 0 && (int32_t)tid != t->pid &&
		    consider(t, (int32_t)tid) == CALL_GOOD)
			break;
	}
	if (dir)
		(void)closedir(dir);
	if (t->calls >= 0)
		return read_status(t);
	return class == -ENOENT || class == -ESRCH ? INJECT_GONE : INJECT_BUSY;
}

/** target_is_bad() - whether the chosen thread is in a call by now that must not be interrupted */
bool target_is_bad(const struct target *t)
{
	return classify(t, t->calls) == CALL_BAD;
}

/**
 * target_in_call() - whether the chosen thread is blocked in a certain system call just now
 * @t: of target_choose()
 * @pc: where that call returns to
 *
 * Says so only of a thread that is off its CPU (task_current_syscall(), lib/syscall.c).
 */
bool target_in_call(const struct target *t, uint64_t pc)
{
	char buf[256];
	const char *at;

	if (read_again(t->calls, buf, sizeof(buf)) < 0 || buf[0] == '-')
		return false;
	at = strrchr(buf, ' ');
	return at && strtoull(at, NULL, 16) == pc;
}
