/* SPDX-License-Identifier: MIT */
/*
 * Whether nothing has happened since the last look: the same units, the same processes in them, and
 * each with THP disabled that had it so. It is read from the kernel each time, as a look is, but
 * by descriptors that stay open and without another thought: for a fifth of the time.
 */
#include "sys/steady.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "sys/paths.h"
#include "sys/proc.h"

/* Descriptors that are left for everything else. */
#define RESERVED 256U

static uint64_t hash_units(const struct unit_tree *t)
{
	uint64_t h = HASH_BEGIN;
	const struct unit *u;

	array_foreach(u, &t->units)
		h = hash_string(h, u->path);
	return h;
}

/* The processes of a group as they are listed. Returns 0 or negative errno. */
static int hash_pids(int fd, uint64_t *ret)
{
	uint64_t h = HASH_BEGIN;
	char buf[4096];
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		/* Of a threaded group (cgroups(7)) the processes are listed by the domain above. */
		if (n < 0 && errno != EOPNOTSUPP)
			return -errno;
		if (n <= 0)
			break;
		h = hash_bytes(h, buf, (size_t)n);
		at += n;
		if ((size_t)n < sizeof(buf) / 2)
			break;
	}
	*ret = h;
	return 0;
}

/* What is told by the process's own status; of one that has ended, or is a zombie, nothing is. */
static bool is_disabled(int fd)
{
	char buf[4096];
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	return strstr(buf, "\nTHP_enabled:\t0\n");
}

/**
 * steady_begin() - begins to note what is there
 * @s: empty, or what was noted before, which is forgotten
 * @t: the units of the host, as units_read() has just told
 */
void steady_begin(struct steady *s, const struct unit_tree *t)
{
	steady_forget(s);
	s->units = hash_units(t);
}

/* Where steady_add() collects. */
struct noting {
	struct steady *s;
	const struct root *root;
};

/** steady_fits() - whether so many descriptors may be kept open: two a group, and one a process */
bool steady_fits(size_t n)
{
	struct rlimit limit;
	size_t max = STEADY_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < STEADY_MAX + RESERVED)
		max = limit.rlim_cur > RESERVED ? (size_t)limit.rlim_cur - RESERVED : 0;
	return n <= max;
}

static bool is_full(const struct steady *s)
{
	return !steady_fits(2 * s->groups.n + s->procs.n + 2);
}

static int note_group(void *data, int dirfd)
{
	struct noting *to = data;
	struct steady_group *g;
	struct stat st = { 0 };
	int r;

	if (is_full(to->s))
		return -EMFILE;
	g = array_add(&to->s->arena, &to->s->groups);
	if (!g)
		return -ENOMEM;
	*g = (struct steady_group){ .dir = -1, .procs = -1 };
	g->procs = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	r = g->procs < 0 ? -errno : 0;
	g->dir = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	if (r == 0 && (g->dir < 0 || fstat(g->dir, &st) < 0))
		r = -errno;
	if (r < 0)
		return r;
	g->links = st.st_nlink;
	return hash_pids(g->procs, &g->pids);
}

static int note_process(const struct noting *to, const struct steady_proc *want)
{
	char path[64];
	struct proc p;
	int *fd, r;

	if (!want->disabled)
		return 0;
	if (is_full(to->s))
		return -EMFILE;
	fd = array_add(&to->s->arena, &to->s->procs);
	if (!fd)
		return -ENOMEM;
	(void)snprintf(path, sizeof(path), PATH_PROC "/%d/status", want->pid);
	*fd = root_open(to->root, path, O_RDONLY);
	if (*fd < 0)
		return *fd;
	/* In this order: what was opened is the process that is asked about now, or a dead one. */
	r = proc_read(to->root, want->pid, &p);
	return r < 0 ? r : p.start == want->start && is_disabled(*fd) ? 0 : -ESTALE;
}

/**
 * steady_add() - notes a unit
 * @s: of steady_begin()
 * @root: the running host
 * @t: the units that it was begun with
 * @unit: index of the unit
 * @procs: its processes, by pid, as the last look has found them
 * @n: how many
 *
 * Return: 0; -ESTALE when these are not its processes any more, or one has not what it is said to
 * have; -EMFILE when too many descriptors would have to be kept; another negative errno. After a
 * failure all is to be forgotten.
 */
int steady_add(struct steady *s, const struct root *root, const struct unit_tree *t, uint32_t unit,
	       const struct steady_proc *procs, size_t n)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct noting to = { .s = s, .root = root };
	pidlist pids = { 0 };
	int r = unit_walk(root, t, unit, note_group, &to);

	/* After the lists were noted: who comes from now on, is not in them. */
	if (r == 0)
		r = unit_pids(root, t, unit, &a, &pids);
	if (r == 0 && pids.n != n)
		r = -ESTALE;
	for (size_t i = 0; i < n && r == 0; i++)
		r = pids.items[i] == procs[i].pid ? note_process(&to, &procs[i]) : -ESTALE;
	return r;
}

/**
 * steady_holds() - whether all is as it was noted
 * @s: what was noted
 * @root: the running host
 *
 * All is read anew: which units there are, the processes of those that were noted, and each one's
 * own word.
 *
 * Return: true when nothing is different; false also when that cannot be told.
 */
bool steady_holds(const struct steady *s, const struct root *root)
{
	_cleanup_units_ struct unit_tree t = { 0 };
	const struct steady_group *g;
	const int *fd;

	if (units_read(root, &t) < 0 || hash_units(&t) != s->units)
		return false;
	array_foreach(g, &s->groups) {
		uint64_t pids = 0;
		struct stat st;

		if (fstat(g->dir, &st) < 0 || st.st_nlink != g->links ||
		    hash_pids(g->procs, &pids) < 0 || pids != g->pids)
			return false;
	}
	array_foreach(fd, &s->procs)
		if (!is_disabled(*fd))
			return false;
	return true;
}

/** steady_forget() - closes all that is open */
void steady_forget(struct steady *s)
{
	const struct steady_group *g;
	const int *fd;

	array_foreach(g, &s->groups) {
		(void)close_fd(g->dir);
		(void)close_fd(g->procs);
	}
	array_foreach(fd, &s->procs)
		(void)close_fd(*fd);
	arena_free(&s->arena);
	*s = (struct steady){ 0 };
}
