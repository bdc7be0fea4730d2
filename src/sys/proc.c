/* SPDX-License-Identifier: MIT */
/* What /proc says of one process: Documentation/filesystems/proc.rst, proc_pid_stat(5). */
#include "sys/proc.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>

#include "sys/lines.h"
#include "sys/paths.h"

#define PF_KTHREAD 0x00200000U /* include/linux/sched.h */

/*
 * Where /proc hides processes (hidepid=, gid=), who may not trace one is told that there is none,
 * as its directory is opened or a file in it: proc_pid_lookup(), proc_pid_permission(),
 * fs/proc/base.c. A signal is another matter: kill(2).
 */
static int no_entry(const struct root *root, int32_t pid)
{
	bool there = root->live && pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);

	return there ? -EACCES : -ESRCH;
}

/*
 * The directory stands for one process: once that has ended, nothing more can be opened in it, even
 * if its pid is another's by then.
 */
static int open_process(const struct root *root, int32_t pid)
{
	char path[sizeof(PATH_PROC) + 16];
	int fd;

	(void)snprintf(path, sizeof(path), PATH_PROC "/%d", (int)pid);
	fd = root_open(root, path, O_PATH | O_DIRECTORY);
	return fd == -ENOENT ? no_entry(root, pid) : fd;
}

/*
 * When a program's first thread has ended and others have not, what is said of the memory is said
 * in the directories of the others: here is one of them. -ESRCH when there is none, as for a
 * zombie and a kernel thread.
 */
static int open_other_thread(const struct root *root, int dirfd)
{
	int fd = root_open_below(root, dirfd, "task", O_RDONLY | O_DIRECTORY), found = -ESRCH;
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return -ESRCH;
	d = fdopendir(fd);
	if (!d) {
		close_fd(fd);
		return -ENOMEM;
	}
	while (found < 0 && (e = readdir(d))) {
		char target;

		if (e->d_name[0] == '.')
			continue;
		found = root_open_below(root, fd, e->d_name, O_PATH | O_DIRECTORY);
		if (found >= 0 && readlinkat(found, "exe", &target, 1) < 0 && errno == ENOENT)
			found = close_fd(found);
	}
	(void)closedir(d);
	return found < 0 ? -ESRCH : found;
}

/*
 * /proc/PID/stat is one line; the name in it may hold anything, also blanks, parentheses and line
 * breaks, but behind its end no parenthesis follows.
 */
static int parse_stat(char *text, struct proc *p)
{
	char *name = strchr(text, '('), *s = strrchr(text, ')');
	uint64_t field[40] = { 0 };

	if (!name || !s || s < name || s[1] != ' ' || !s[2])
		return -EBADMSG;
	*s = '\0';
	(void)snprintf(p->comm, sizeof(p->comm), "%s", name + 1);
	p->state = s[2];
	s += 3;
	for (size_t i = 4; i < ARRAY_SIZE(field); i++) {
		char *end;

		field[i] = strtoull(s, &end, 10);
		if (end == s)
			return -EBADMSG;
		s = end;
	}
	p->ppid = (int32_t)field[4];
	p->kernel = field[9] & PF_KTHREAD;
	p->threads = (uint32_t)field[20];
	p->start = field[22];
	p->cpu = (int32_t)field[39];
	return 0;
}

static int read_stat(const struct root *root, int dirfd, struct proc *p)
{
	_cleanup_close_ int fd = root_open_below(root, dirfd, "stat", O_RDONLY | O_NONBLOCK);
	char text[2048];
	ssize_t n;

	if (fd < 0)
		return fd == -ENOENT ? no_entry(root, p->pid) : fd;
	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return parse_stat(text, p);
}

/* `Seccomp:` is the last of those that are asked for, proc_pid_status() in fs/proc/array.c. */
static int read_status(const struct root *root, int dirfd, struct proc *p)
{
	_cleanup_lines_ struct lines lines;
	int r = lines_open(root, dirfd, "status", &lines);
	int64_t n;
	char *line;

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	while ((r = lines_next(&lines, &line)) > 0) {
		const char *uids = startswith(line, "Uid:");

		if (uids) {
			char *effective;

			(void)strtoul(uids, &effective, 10);
			p->uid = (uint32_t)strtoul(effective, NULL, 10);
		} else if (line_number(line, "TracerPid:", &n)) {
			p->tracer = (int32_t)n;
		} else if (line_number(line, "THP_enabled:", &n)) {
			p->thp_enabled = n != 0;
		} else if (line_number(line, "Seccomp:", &n)) {
			p->seccomp = n != 0;
			return 0;
		} else if (!line_number(line, "VmRSS:", &p->rss_kb) &&
			   !line_number(line, "RssAnon:", &p->anon_kb)) {
			(void)line_number(line, "VmSwap:", &p->swap_kb);
		}
	}
	return r;
}

/**
 * proc_read() - what the kernel says of a process
 * @root: the host
 * @pid: which
 * @ret: what it says, all of one and the same process; for one whose first thread has ended before
 * the others, what is in `status` is another thread's
 *
 * Return: 0; -ESRCH when there is no such process, or it ended meanwhile; -EACCES when it is hidden
 * from us (hidepid=); -EBADMSG when the file is not understood; another negative errno.
 */
int proc_read(const struct root *root, int32_t pid, struct proc *ret)
{
	_cleanup_close_ int dirfd = open_process(root, pid), other = -1;
	struct proc p = {
		.pid = pid, .thp_enabled = -1, .rss_kb = -1, .anon_kb = -1, .swap_kb = -1
	};
	int r;

	if (dirfd < 0)
		return dirfd;
	r = read_stat(root, dirfd, &p);
	if (r == 0 && p.state == 'Z' && p.threads > 1)
		other = open_other_thread(root, dirfd);
	if (r == 0)
		r = read_status(root, other < 0 ? dirfd : other, &p);
	if (r < 0)
		return r;
	*ret = p;
	return 0;
}

/**
 * proc_exe() - the program that a process runs
 * @root: the host
 * @pid: which
 * @a: where the path will live
 * @ret: as the process's own mount namespace names it; without " (deleted)" when it was replaced
 *
 * Return: 0; -ENOENT for a kernel thread; -ESRCH when there is no such process; -EACCES; another
 * negative errno.
 */
int proc_exe(const struct root *root, int32_t pid, struct arena *a, const char **ret)
{
	static const char deleted[] = " (deleted)";
	_cleanup_close_ int dirfd = open_process(root, pid), other = -1;
	char path[PATH_MAX + sizeof(deleted)];
	ssize_t n;
	char *copy;

	if (dirfd < 0)
		return dirfd;
	n = readlinkat(dirfd, "exe", path, sizeof(path) - 1);
	if (n < 0 && errno == ENOENT) {
		other = open_other_thread(root, dirfd);
		if (other < 0)
			return -ENOENT;
		n = readlinkat(other, "exe", path, sizeof(path) - 1);
	}
	if (n < 0)
		return -errno;
	path[n] = '\0';
	if (endswith(path, deleted))
		n -= (ssize_t)strlen(deleted);
	copy = arena_strndup(a, path, (size_t)n);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

static int read_rollup(const struct root *root, int dirfd, struct proc_memory *ret)
{
	_cleanup_lines_ struct lines lines;
	int r = lines_open(root, dirfd, "smaps_rollup", &lines);
	struct proc_memory m = { 0 };
	char *line;

	if (r < 0)
		return r;
	while ((r = lines_next(&lines, &line)) > 0)
		if (!line_number(line, "Rss:", &m.rss_kb) &&
		    !line_number(line, "Pss:", &m.pss_kb) &&
		    !line_number(line, "AnonHugePages:", &m.anon_huge_kb) &&
		    !line_number(line, "ShmemPmdMapped:", &m.shmem_huge_kb))
			(void)line_number(line, "FilePmdMapped:", &m.file_huge_kb);
	if (r == 0)
		*ret = m;
	return r;
}

/**
 * proc_memory() - what a process has mapped
 * @root: the host
 * @pid: which
 * @ret: in kB, of /proc/PID/smaps_rollup (Linux 4.14)
 *
 * The kernel walks all page tables for it: 0.1 ms for a GiB in huge pages, 9 ms in small ones.
 *
 * Return: 0; -ESRCH when there is no such process, or it has no memory of its own; -EACCES; -ENOENT
 * on older kernels; another negative errno.
 */
int proc_memory(const struct root *root, int32_t pid, struct proc_memory *ret)
{
	_cleanup_close_ int dirfd = open_process(root, pid), other = -1;
	int r;

	if (dirfd < 0)
		return dirfd;
	r = read_rollup(root, dirfd, ret);
	if (r == -ESRCH) {
		other = open_other_thread(root, dirfd);
		r = other < 0 ? other : read_rollup(root, other, ret);
	}
	return r;
}

/* How smaps begins to tell of a region: is it anonymous, which its name says, and large enough? */
static bool could_be_huge(const char *line, uint64_t pmd_bytes)
{
	unsigned long long start, end;
	int name = 0;

	if (sscanf(line, "%llx-%llx %*s %*x %*s %*u %n", &start, &end, &name) < 2)
		return false;
	line += name;
	if (*line && !streq(line, "[heap]") && !streq(line, "[stack]") &&
	    !startswith(line, "[anon:"))
		return false;
	start = (start + pmd_bytes - 1) / pmd_bytes;
	return name > 0 && end / pmd_bytes >= start + 2;
}

/*
 * What a region was advised, or what it is, that decides whatever the process's flag says:
 * madvise(2), and VM_NO_KHUGEPAGED in include/linux/mm.h. All words have two letters.
 */
static bool decided_by_flags(const char *flags)
{
	static const char *const words[] = { "hg", "nh", "ht", "io", "de", "pf", "mm" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(flags, words[i]))
			return true;
	return false;
}

static int read_eligible(const struct root *root, int dirfd, uint64_t pmd_bytes)
{
	_cleanup_lines_ struct lines lines;
	int r = lines_open(root, dirfd, "smaps", &lines);
	bool candidate = false, empty = true;
	int64_t eligible = -1;
	char *line;

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	while ((r = lines_next(&lines, &line)) > 0) {
		const char *flags;

		empty = false;
		if (line[0] < 'A' || line[0] > 'Z') { /* the line that begins a region */
			candidate = could_be_huge(line, pmd_bytes);
		} else if (candidate && !line_number(line, "THPeligible:", &eligible)) {
			flags = startswith(line, "VmFlags:");
			if (flags && eligible >= 0 && !decided_by_flags(flags))
				return eligible != 0;
		}
	}
	if (r < 0)
		return r;
	return empty ? -ESRCH : -ENODATA;
}

/**
 * proc_thp_eligible() - whether memory that did not ask for huge pages may get them
 * @root: the host
 * @pid: which process
 * @pmd_bytes: size of a PMD-sized huge page
 *
 * While the host says `always`, a 0 means that the process has PR_SET_THP_DISABLE, completely or
 * but for what is advised: THPeligible in /proc/PID/smaps is thp_vma_allowable_orders(),
 * mm/huge_memory.c, which asks vma_thp_disabled(). Looks at the first private anonymous region with
 * room for two huge pages and no advice, and reads no further.
 *
 * Return: 1 or 0; -ENODATA when the process has no such region, or the kernel does not say (before
 * Linux 5.0); -ESRCH when there is no such process, or it has no memory of its own; -EACCES;
 * another negative errno.
 */
int proc_thp_eligible(const struct root *root, int32_t pid, uint64_t pmd_bytes)
{
	_cleanup_close_ int dirfd = open_process(root, pid), other = -1;
	int r;

	if (dirfd < 0)
		return dirfd;
	if (pmd_bytes == 0)
		return -ENODATA;
	r = read_eligible(root, dirfd, pmd_bytes);
	if (r == -ESRCH) {
		other = open_other_thread(root, dirfd);
		r = other < 0 ? other : read_eligible(root, other, pmd_bytes);
	}
	return r;
}
