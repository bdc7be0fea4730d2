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
 * target_read() - reads a small file in /proc
 *
 * Only a live process can be traced: there is no other root than the running host's.
 *
 * Return: bytes read, the text terminated; negative errno.
 */
ssize_t target_read(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

/**
 * target_status() - a number out of /proc/PID/status
 * @pid: a process or thread
 * @field: with its colon: "TracerPid:"
 *
 * Return: the number; -ESRCH; -ENODATA when there is no such field.
 */
int target_status(int32_t pid, const char *field)
{
	char path[64], buf[4096];
	const char *at;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	n = target_read(path, buf, sizeof(buf));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	at = strstr(buf, field);
	return at ? (int)strtol(at + strlen(field), NULL, 10) : -ENODATA;
}

/* State, parent, threads and start time, proc_pid_stat(5). */
static int read_stat(int32_t pid, uint64_t start, struct target *t)
{
	char path[64], buf[1024];
	unsigned long long began = 0;
	int threads = 0, ppid = 0, cpu = 0;
	const char *at;
	char state = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (target_read(path, buf, sizeof(buf)) < 0)
		return INJECT_GONE;
	at = strrchr(buf, ')');
	if (!at ||
	    sscanf(at + 1,
		   " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d "
		   "%*s %llu %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d",
		   &state, &ppid, &threads, &began, &cpu) != 5)
		return -EBADMSG;
	if (began != start)
		return INJECT_GONE;
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
		struct target parent = { .pid = t->ppid };
		char path[64], buf[1024];

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", parent.pid);
		if (target_read(path, buf, sizeof(buf)) < 0 || !strrchr(buf, ')'))
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
	char path[96], buf[512];
	const char *at;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", t->pid, tid);
	if (target_read(path, buf, sizeof(buf)) < 0)
		return 0;
	at = strrchr(buf, ')');
	return at ? at[2] : 0;
}

/*
 * A process goes on when its first thread has ended, but its memory is then to be seen through
 * another one only. Returns 0 or INJECT_GONE.
 */
static int find_live(struct target *t)
{
	char path[64];
	const struct dirent *e;
	DIR *dir;

	if (t->state != 'Z' && t->state != 'X')
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	dir = t->threads > 1 ? opendir(path) : NULL;
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

/**
 * target_look() - looks at a process without touching it
 * @pid: the process
 * @start: when it started, in clock ticks after boot
 * @ret: what was found
 *
 * Return: 0; enum inject_result when it is to be left alone; negative errno.
 */
int target_look(int32_t pid, uint64_t start, struct target *ret)
{
	struct target t = { .pid = pid, .tid = pid };
	int r = read_stat(pid, start, &t);

	if (r == 0)
		r = find_live(&t);
	if (r == 0)
		r = target_find_tail(&t);
	if (r == 0)
		r = shares_memory(&t);
	if (r == 0)
		*ret = t;
	return r;
}

/**
 * target_call() - the system call that a thread is blocked in
 * @t: the process
 * @tid: the thread
 * @ret: the call; a negative number when it runs, or is blocked elsewhere
 *
 * Return: 0; negative errno.
 */
int target_call(const struct target *t, int32_t tid, struct in_call *ret)
{
	unsigned long long a[6] = { 0 }, sp = 0, pc = 0;
	struct in_call in = { .nr = -1 };
	char path[96], buf[256];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", t->pid, tid);
	n = target_read(path, buf, sizeof(buf));
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

/* How well the call that a thread is in takes to being interrupted. Returns a class, or < 0. */
static int classify_thread(const struct target *t, int32_t tid)
{
	struct in_call in;
	int r = target_call(t, tid, &in);

	if (r < 0)
		return r;
	return in.nr < 0 ? CALL_RUNNING : arch_classify(t->compat, in.nr, in.args);
}

/**
 * target_lock() - keeps two tracers from one process: they might use the same place for their
 * stubs, each on a thread of its own
 *
 * The lock is on its directory in /proc, and goes with the descriptor.
 *
 * Return: a descriptor; -EWOULDBLOCK when another one has it; -ENOENT; another negative errno.
 */
int target_lock(int32_t pid)
{
	char path[64];
	int fd, r;

	(void)snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	r = -errno;
	close_fd(fd);
	return r;
}

/** target_memory() - a descriptor of its memory; negative errno */
int target_memory(const struct target *t)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", t->tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Takes a thread into account. Returns true when no better one can be found. */
static bool consider(struct target *t, int32_t tid, int class, bool *have)
{
	char state;

	if (class < 0 || class == CALL_BAD || (*have && (enum call_class) class >= t->call))
		return false;
	state = tid == t->pid ? t->state : thread_state(t, tid);
	if (state == 'D' || state == 'Z' || state == 'X' || state == 0)
		return false;
	*have = true;
	t->tid = tid;
	t->call = (enum call_class) class;
	return class == CALL_GOOD;
}

/* Of the chosen thread: filters are a thread's own. */
static int read_status(struct target *t)
{
	char path[96], buf[4096];
	const char *at;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/status", t->pid, t->tid);
	n = target_read(path, buf, sizeof(buf));
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
	char path[64];
	const struct dirent *e;
	bool have = false;
	size_t seen = 0;
	DIR *dir;
	int class;

	class = classify_thread(t, t->pid);
	if (class == -EPERM || class == -EACCES)
		return INJECT_FORBIDDEN;
	if (consider(t, t->pid, class, &have))
		return read_status(t);
	(void)snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	dir = t->threads > 1 ? opendir(path) : NULL;
	while (dir && seen++ < THREADS_LOOKED_AT && (e = readdir(dir))) {
		uint64_t tid = 0;

		if (parse_uint(e->d_name, INT32_MAX, &tid) == 0 && (int32_t)tid != t->pid &&
		    consider(t, (int32_t)tid, classify_thread(t, (int32_t)tid), &have))
			break;
	}
	if (dir)
		(void)closedir(dir);
	if (have)
		return read_status(t);
	return class == -ENOENT || class == -ESRCH ? INJECT_GONE : INJECT_BUSY;
}

/** target_is_bad() - whether the chosen thread is in a call by now that must not be interrupted */
bool target_is_bad(const struct target *t)
{
	return classify_thread(t, t->tid) == CALL_BAD;
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
	char path[96], buf[256] = "";
	const char *at;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", t->pid, t->tid);
	if (target_read(path, buf, sizeof(buf)) < 0 || buf[0] == '-')
		return false;
	at = strrchr(buf, ' ');
	return at && strtoull(at, NULL, 16) == pc;
}
