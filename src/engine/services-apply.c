/* SPDX-License-Identifier: MIT */
/* Asking running processes for their flag, and setting it. */
#include "base/parse.h"
#include "engine/services.h"
#include "sys/knob.h"
#include "sys/paths.h"
#include "sys/proc.h"

_Static_assert((int)THP_WANT_CLEAR == (int)THP_FLAG_CLEAR &&
		       (int)THP_WANT_DISABLE == (int)THP_FLAG_DISABLE &&
		       (int)THP_WANT_EXCEPT_ADVISED == (int)THP_FLAG_EXCEPT_ADVISED,
	       "one numbering");

static const char *comm_of(const struct root *root, int32_t pid, struct arena *a)
{
	struct proc p;

	return proc_read(root, pid, &p) < 0 ? "?" : arena_strdup(a, p.comm);
}

/* Why ptrace(2) is refused, as far as it can be told. */
static const char *why_forbidden(const struct root *root)
{
	char buf[128];

	if (root_read(root, PATH_YAMA, buf, sizeof(buf)) >= 0 && streq(strip(buf), "3"))
		return "Yama forbids ptrace until the next boot (kernel.yama.ptrace_scope = 3)";
	return geteuid() == 0 ?
		       "ptrace is refused: CAP_SYS_PTRACE, a security module, or lockdown" :
		       "ptrace needs root";
}

/* What an answer that is no success comes to. */
static void judge(const struct root *root, struct plan *plan, struct plan_proc *pp,
		  const struct inject_answer *answer)
{
	static const struct {
		enum outcome outcome;
		const char *note;
	} known[INJECT_RESULTS] = {
		[INJECT_GONE] = { OUTCOME_GONE, NULL },
		[INJECT_FORBIDDEN] = { OUTCOME_DENIED, NULL },
		[INJECT_SECCOMP] = { OUTCOME_DENIED,
				     "its seccomp filter may be suspended only with CAP_SYS_ADMIN, "
				     "and by a process that has none itself" },
		[INJECT_BUSY] = { OUTCOME_FAILED,
				  "in a system call that may not be interrupted, all the while" },
		[INJECT_SHARED] = { OUTCOME_FAILED, "shares its parent's memory, as before exec" },
		[INJECT_UNSUPPORTED] = { OUTCOME_UNSUPPORTED,
					 "not on this architecture, or not without a vdso" },
		[INJECT_REJECTED] = { OUTCOME_REJECTED, "the kernel refuses it" },
		[INJECT_DIFFERS] = { OUTCOME_REJECTED,
				     "the kernel took the flag, but reads back another one" },
		[INJECT_FULL] = { OUTCOME_FAILED,
				  "tracers were killed in it too often: restart it" },
		[INJECT_UNFINISHED] = { OUTCOME_FAILED, "the tracing process was ended" },
	};

	pp->error = answer->error;
	if (answer->result < 0) {
		pp->outcome = OUTCOME_FAILED;
		pp->error = -answer->result;
		pp->note = arena_strdup(&plan->arena, strerror(-answer->result));
		return;
	}
	if (answer->result == INJECT_TRACED) {
		pp->outcome = OUTCOME_DENIED;
		pp->note = arena_printf(&plan->arena, "traced by %s, process %d",
					comm_of(root, answer->other, &plan->arena), answer->other);
		return;
	}
	pp->outcome = known[answer->result].outcome;
	pp->note = answer->result == INJECT_FORBIDDEN ? why_forbidden(root) :
							known[answer->result].note;
}

/* The processes of a plan that one call is about. */
struct batch {
	struct plan_proc **procs;
	struct inject_request *requests;
	struct inject_answer *answers;
	size_t n;
};

static int batch_make(struct plan *plan, struct batch *ret)
{
	size_t n = plan->procs.n + 1;

	*ret = (struct batch){
		.procs = arena_alloc(&plan->arena, n * sizeof(*ret->procs)),
		.requests = arena_alloc(&plan->arena, n * sizeof(*ret->requests)),
		.answers = arena_alloc(&plan->arena, n * sizeof(*ret->answers)),
	};
	return ret->procs && ret->requests && ret->answers ? 0 : -ENOMEM;
}

static void batch_add(struct batch *b, struct plan_proc *pp, enum inject_op op)
{
	b->procs[b->n] = pp;
	b->requests[b->n++] = (struct inject_request){ .pid = pp->fact->pid,
						       .start = pp->fact->start,
						       .op = (int32_t)op,
						       .flag = thp_mode_flag(pp->mode) };
}

/* `restore` goes by what was there, not by a rule. */
static bool has_rule(const struct plan *plan, const struct plan_proc *pp)
{
	return pp->rule < plan->rules.n;
}

static enum apply_mode apply_of(const struct plan *plan, const struct plan_proc *pp)
{
	return has_rule(plan, pp) ? plan->rules.items[pp->rule].rule->apply : APPLY_ALL;
}

/**
 * services_all_get() - whether the host gives PMD-sized huge pages to all who do not refuse
 * @root: the host
 * @dirfd: of knob_open()
 * @ret_pmd: their size in bytes; may be NULL
 */
bool services_all_get(const struct root *root, int dirfd, uint64_t *ret_pmd)
{
	struct knob top, size, k;
	uint64_t pmd = 0;
	char key[64];

	if (dirfd < 0 || knob_read(root, dirfd, "enabled", &top) < 0 ||
	    knob_read(root, dirfd, "hpage_pmd_size", &k) < 0 ||
	    parse_uint(k.value, UINT64_MAX, &pmd) < 0)
		return false;
	if (ret_pmd)
		*ret_pmd = pmd;
	/* From Linux 6.8 on, the size has a word of its own. */
	(void)snprintf(key, sizeof(key), "hugepages-%llukB/enabled",
		       (unsigned long long)pmd / 1024);
	if (knob_read(root, dirfd, key, &size) == 0 && !streq(size.value, "inherit"))
		return streq(size.value, "always");
	return streq(top.value, "always");
}

/*
 * Whom nobody may ask, his memory may tell: under `always`, a large region that nobody advised is
 * not eligible for huge pages because of the flag alone.
 */
static void look_at_memory(const struct root *root, uint64_t pmd, struct plan_proc *pp)
{
	int r = proc_thp_eligible(root, pp->fact->pid, pmd);

	if (r < 0)
		return;
	pp->found = r ? THP_WANT_CLEAR : THP_WANT_EXCEPT_ADVISED;
	pp->note = NULL;
}

/*
 * Whether the flag has to be asked for: from outside, clear and except_advised look the same. For a
 * rule's `disable` that matters only when it is going to be set, and may have to be put back; for
 * `restore` always, which leaves alone what is not from thpd any more.
 */
static bool is_open(const struct plan *plan, const struct plan_proc *pp, bool before_set)
{
	int wanted = thp_mode_flag(pp->mode);

	if (pp->fact->error || pp->found >= 0 || wanted < 0)
		return false;
	if (before_set)
		return pp->outcome == OUTCOME_DRIFTED && pp->now < 0;
	return wanted != THP_WANT_DISABLE || pp->fact->thp_enabled < 0 || !has_rule(plan, pp);
}

/* Asks the processes for which is_open() says so. */
static int ask(const struct root *root, int dirfd, const struct privileged *by, struct facts *f,
	       struct plan *plan, bool before_set)
{
	uint64_t pmd = 0;
	bool always = services_all_get(root, dirfd, &pmd);
	struct plan_proc *pp;
	struct batch b;
	int r = batch_make(plan, &b);

	if (r < 0)
		return r;
	array_foreach(pp, &plan->procs) {
		enum apply_mode apply = apply_of(plan, pp);

		if (!is_open(plan, pp, before_set))
			continue;
		if (root->live && apply != APPLY_VERIFY)
			batch_add(&b, pp, INJECT_GET);
		else if (always)
			look_at_memory(root, pmd, pp);
		if (pp->found < 0 && apply == APPLY_VERIFY && !before_set)
			pp->note = "does not show from outside, and apply = verify does not ask";
	}
	if (b.n > 0)
		r = by->inject(by->data, b.requests, b.n, b.answers);
	for (size_t i = 0; i < b.n && r == 0; i++) {
		pp = b.procs[i];
		if (b.answers[i].result == INJECT_OK) {
			pp->found = b.answers[i].now;
			continue;
		}
		/* Why, will be said when it is set. */
		if (before_set)
			continue;
		judge(root, plan, pp, &b.answers[i]);
		pp->outcome = OUTCOME_UNKNOWN;
		if (b.answers[i].result == INJECT_GONE)
			f->procs.items[pp->fact - f->procs.items].error = -ESRCH;
		else if (always)
			look_at_memory(root, pmd, pp);
	}
	return r;
}

/**
 * services_ask() - finds out the flag of processes for which it does not show from outside
 * @root: the host; of a tree nobody can be asked
 * @dirfd: of knob_open()
 * @by: who asks
 * @f: the facts
 * @plan: of match_procs(); gets `found`, or why it is not known
 *
 * A process is asked by a call of its own, which stops it for some 50 us; where the rule says
 * `apply = verify` it is not touched, and only its memory is looked at.
 *
 * Return: 0; -ENOMEM or another negative errno when nothing could be asked.
 */
int services_ask(const struct root *root, int dirfd, const struct privileged *by, struct facts *f,
		 struct plan *plan)
{
	return ask(root, dirfd, by, f, plan, false);
}

/**
 * services_ask_before() - finds out what is about to be changed, where it does not show from
 * outside
 *
 * As services_ask(), for those that services_apply() will set: what they have now is what `restore`
 * will put back. Who cannot be asked, cannot be set either.
 */
int services_ask_before(const struct root *root, int dirfd, const struct privileged *by,
			struct facts *f, struct plan *plan)
{
	return ask(root, dirfd, by, f, plan, true);
}

/**
 * services_apply() - sets the flag of running processes that have not what they should
 * @root: the running host
 * @by: who sets it
 * @plan: of resolve_procs(); outcomes, and what was found and read back, are updated
 *
 * Left alone are those whose rule says `apply = start` or `verify`: they stay `drifted`.
 *
 * Return: how many were set; negative errno when nothing could be done.
 */
int services_apply(const struct root *root, const struct privileged *by, struct plan *plan)
{
	struct plan_proc *pp;
	struct batch b;
	int changed = 0, r = batch_make(plan, &b);

	if (r < 0)
		return r;
	array_foreach(pp, &plan->procs) {
		enum apply_mode apply = apply_of(plan, pp);

		if (pp->outcome != OUTCOME_DRIFTED || pp->now >= 0)
			continue;
		if (apply == APPLY_START)
			pp->note = "apply = start: gets it when it starts again";
		else if (apply == APPLY_VERIFY)
			pp->note = "apply = verify: is left alone";
		else
			batch_add(&b, pp, INJECT_SET);
	}
	if (b.n > 0)
		r = by->inject(by->data, b.requests, b.n, b.answers);
	if (r < 0)
		return r;
	for (size_t i = 0; i < b.n; i++) {
		const struct inject_answer *answer = &b.answers[i];

		pp = b.procs[i];
		if (answer->before >= 0)
			pp->found = answer->before;
		pp->now = answer->now;
		if (answer->result != INJECT_OK) {
			judge(root, plan, pp, answer);
			continue;
		}
		/* It may have got it meanwhile, by itself or from its parent. */
		pp->outcome = answer->before == answer->now ? OUTCOME_OK : OUTCOME_CHANGED;
		pp->note = NULL;
		changed += pp->outcome == OUTCOME_CHANGED;
	}
	return changed;
}
