/* SPDX-License-Identifier: MIT */
/* Victims that make processes, wait for them, become another program, or are stopped. */
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void reaped(const char *what, pid_t pid, int code)
{
	int status = 0;
	pid_t r = waitpid(pid, &status, 0);

	if (r != pid)
		anomaly("%s: wait returned %d (%s)", what, r, strerror(errno));
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		anomaly("%s: the child ended with %x instead of %x", what, status, code << 8);
}

/* --- fork: a child with the parent's memory, and nothing more */

struct forker {
	uint32_t turn;
	uint32_t words[1024];
};

static void fork_round(void *state)
{
	struct forker *s = state;
	uint32_t turn = ++s->turn;
	pid_t pid, parent = getpid();

	for (unsigned int i = 0; i < 1024; i++)
		s->words[i] = turn + i;
	pid = fork();
	if (pid < 0) {
		anomaly("fork: %s", strerror(errno));
		return;
	}
	if (pid == 0) {
		int code = getppid() == parent && now_ns() > 0 ? (int)(turn % 100) : 101;

		for (unsigned int i = 0; i < 1024; i++)
			if (s->words[i] != turn + i)
				code = 102;
		_exit(code);
	}
	reaped("fork", pid, (int)(turn % 100));
}

/* --- wait4, blocked until a child ends */

static void wait_round(void *state)
{
	struct forker *s = state;
	uint32_t turn = ++s->turn;
	pid_t pid = fork();

	if (pid < 0)
		anomaly("fork: %s", strerror(errno));
	if (pid == 0) {
		nap((turn % 7 + 1) * MS);
		_exit((int)(turn % 100));
	}
	if (pid > 0)
		reaped("wait4", pid, (int)(turn % 100));
}

/* --- vfork and posix_spawn: children that use the parent's memory until they execute */

static int spawn_again(pid_t *pid)
{
	char *argv[] = { (char *)"victim", (char *)"--exit-42", NULL };

	return posix_spawn(pid, "/proc/self/exe", NULL, NULL, argv, environ);
}

static void vfork_round(void *state)
{
	struct forker *s = state;
	uint32_t turn = ++s->turn;
	pid_t pid;
	int r;

	for (unsigned int i = 0; i < 1024; i++)
		s->words[i] = turn ^ i;
	if (turn % 2) {
		r = spawn_again(&pid);
		if (r)
			anomaly("posix_spawn: %s", strerror(r));
		else
			reaped("posix_spawn", pid, 42);
	} else {
		pid = vfork();
		if (pid == 0) {
			execl("/proc/self/exe", "victim", "--exit-42", NULL);
			_exit(1);
		}
		if (pid < 0)
			anomaly("vfork: %s", strerror(errno));
		else
			reaped("vfork", pid, 42);
	}
	for (unsigned int i = 0; i < 1024; i++)
		if (s->words[i] != (turn ^ i)) {
			anomaly("word %u of the parent's memory is %x", i, s->words[i]);
			break;
		}
}

/*
 * --- vfork-child: what is injected into is a child that has not executed yet; the parent, whose
 * memory it uses and who stands still meanwhile, must never find itself changed.
 * PR_GET_THP_DISABLE by number, for libc's headers may be older.
 */
static void vfork_child_round(void *state)
{
	struct kernel_time second = { .s = 1 };
	pid_t pid;

	pid = vfork();
	if (pid == 0) {
		atomic_store(&shared->pid, (int)syscall(SYS_getpid));
		for (int i = 0; i < 100 && !atomic_load(&shared->stop); i++)
			(void)syscall(SYS_nanosleep, &second, NULL);
		_exit(3);
	}
	if (pid < 0)
		anomaly("vfork: %s", strerror(errno));
	else
		reaped("vfork", pid, 3);
	if (syscall(SYS_prctl, 42, 0, 0, 0, 0) != 0)
		anomaly("the flag of the parent has been set");
}

static void *vfork_child_progress(void *arg)
{
	for (;;) {
		nap(100 * MS);
		atomic_fetch_add(&shared->rounds[0], 1);
	}
	return NULL;
}

static void vfork_child_begin(void *state)
{
	must(syscall(SYS_prctl, 41, 0, 0, 0, 0), "prctl");
	thread(vfork_child_progress, NULL);
	atomic_store(&shared->pid, -1); /* the child will tell */
}

/* --- exec: becomes itself again and again; CELL_COUNT tells how often it must have happened */

static void exec_again(void)
{
	char fd[16];

	(void)snprintf(fd, sizeof(fd), "%d", shared_fd);
	execl("/proc/self/exe", "victim", "exec", "--again", fd, NULL);
	must(-1, "exec");
}

static void exec_begin(void *state)
{
	(void)setenv("VICTIM_EXEC", "0", 1);
}

static void exec_round(void *state)
{
	const char *text = getenv("VICTIM_EXEC");
	unsigned int turn = text ? (unsigned int)strtoul(text, NULL, 10) : 0;
	struct timespec ts = { .tv_nsec = MS };
	int64_t begin = now_ns();
	char next[16];

	if (turn != atomic_load(&shared->cells[CELL_COUNT]))
		anomaly("exec %u where %u was expected", turn,
			atomic_load(&shared->cells[CELL_COUNT]));
	if (nanosleep(&ts, NULL) < 0)
		anomaly("nanosleep: %s", strerror(errno));
	took("nanosleep", begin, MS, LATE);
	atomic_store(&shared->cells[CELL_COUNT], turn + 1);
	(void)snprintf(next, sizeof(next), "%u", turn + 1);
	(void)setenv("VICTIM_EXEC", next, 1);
	atomic_fetch_add(&shared->rounds[0], 1);
	exec_again();
}

/*
 * --- stopped: a child is stopped for most of the time, and is what is injected into. Its parent
 * must not be told of anything it has not caused, and the child may not run.
 */

struct stopper {
	pid_t child;
	atomic_uint *count; /* the child adds to it without pause */
};

static volatile sig_atomic_t children_signals;

static void on_child(int sig, siginfo_t *info, void *context)
{
	children_signals++;
}

static void count_run(void *arg)
{
	for (;;)
		atomic_fetch_add(((struct stopper *)arg)->count, 1);
}

static void stopped_begin(void *state)
{
	struct stopper *s = state;

	handle(SIGCHLD, on_child, SA_RESTART);
	s->count = &shared->cells[CELL_COUNT];
	s->child = peer(count_run, s);
	atomic_store(&shared->pid, s->child);
}

/* The child changes, as it was told to: once. */
static void expect(struct stopper *s, int options, int code, const char *what)
{
	siginfo_t info = { 0 };
	int64_t begin = now_ns();

	while (waitid(P_PID, (id_t)s->child, &info, options | WEXITED) < 0 && errno == EINTR)
		;
	if (info.si_pid != s->child || info.si_code != code)
		anomaly("%s: the child's state is %d of process %d", what, info.si_code,
			info.si_pid);
	took(what, begin, 0, LATE);
}

static void expect_nothing(struct stopper *s, const char *when)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)s->child, &info,
		   WSTOPPED | WCONTINUED | WEXITED | WNOHANG | WNOWAIT) < 0)
		anomaly("waitid %s: %s", when, strerror(errno));
	else if (info.si_pid)
		anomaly("%s the child's state became %d", when, info.si_code);
}

static void stopped_round(void *state)
{
	struct stopper *s = state;
	unsigned int count;
	int signals = children_signals;

	must(kill(s->child, SIGSTOP), "kill");
	expect(s, WSTOPPED, CLD_STOPPED, "SIGSTOP");
	count = atomic_load(s->count);
	/* That it is stopped is seen before it is told. */
	for (int i = 0; i < 500 && children_signals == signals; i++)
		nap(MS);
	signals++;
	for (int i = 0; i < 15; i++) {
		nap(20 * MS);
		expect_nothing(s, "while stopped");
	}
	if (children_signals != signals)
		anomaly("%d more SIGCHLD than one while the child was stopped",
			children_signals - signals);
	if (atomic_load(s->count) != count)
		anomaly("the child has run while it was stopped");
	must(kill(s->child, SIGCONT), "kill");
	expect(s, WCONTINUED, CLD_CONTINUED, "SIGCONT");
	count = atomic_load(s->count);
	for (int64_t begin = now_ns(); atomic_load(s->count) == count; nap(MS))
		if (now_ns() - begin > 3000 * MS) {
			anomaly("the child does not go on after SIGCONT");
			break;
		}
	expect_nothing(s, "after SIGCONT");
}

const struct kind kinds_process[] = {
	{ "fork", sizeof(struct forker), NULL, fork_round, NULL },
	{ "wait4", sizeof(struct forker), NULL, wait_round, NULL },
	{ "vfork", sizeof(struct forker), NULL, vfork_round, NULL },
	{ "vfork-child", 0, vfork_child_begin, vfork_child_round, NULL },
	{ "exec", 0, exec_begin, exec_round, NULL },
	{ "stopped", sizeof(struct stopper), stopped_begin, stopped_round, NULL },
	{ 0 },
};
