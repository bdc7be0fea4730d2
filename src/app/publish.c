/* SPDX-License-Identifier: MIT */
#include "app/publish.h"

#include "engine/daemon-seen.h"

/* Text in memory: a file gets all of it or stays as it is. */
struct text {
	FILE *f;
	char *bytes;
	size_t len;
};

static int text_begin(struct text *t)
{
	t->f = open_memstream(&t->bytes, &t->len);
	return t->f ? 0 : -errno;
}

static int text_end(struct text *t, int e)
{
	return fclose(t->f) != 0 && e == 0 ? -ENOMEM : e;
}

static void text_free(struct text *t)
{
	free(t->bytes);
}

#define _cleanup_text_ _cleanup_(text_free)

static int print(int (*printer)(const struct report *, FILE *), const struct report *r,
		 struct text *t)
{
	int e = text_begin(t);

	return e < 0 ? e : text_end(t, printer(r, t->f));
}

static int put_report(const struct root *root, const struct text *t)
{
	int e = root_write_file(root, PATH_STATE, REPORT_NAME, t->bytes, t->len, 0644);

	if (e != -ENOENT)
		return e;
	/* Without systemd nobody has made the directory. */
	e = root_make_dir(root, PATH_STATE);
	return e < 0 ? e : root_write_file(root, PATH_STATE, REPORT_NAME, t->bytes, t->len, 0644);
}

/**
 * publish_report() - /run/thpd/report.json
 * @root: the host
 * @r: the report, with the daemon's own part
 *
 * Return: 0 or negative errno; then the file is as it was.
 */
int publish_report(const struct root *root, const struct report *r)
{
	_cleanup_text_ struct text t = { 0 };
	int e = print(report_json, r, &t);

	return e < 0 ? e : put_report(root, &t);
}

/**
 * publish_report_again() - the same report, with another part of the daemon's own
 * @root: the host
 * @r: the report: all of it is printed if what is there cannot be used
 *
 * With many services, making the text takes more time than looking at them all.
 *
 * Return: 0 or negative errno; then the file is as it was.
 */
int publish_report_again(const struct root *root, const struct report *r)
{
	_cleanup_arena_ struct arena a = { 0 };
	_cleanup_text_ struct text t = { 0 };
	char *old = NULL;
	int e = root_read_file(root, REPORT_FILE, &a, REPORT_MAX, &old, NULL, NULL);

	if (e == 0)
		e = text_begin(&t);
	if (e == 0)
		e = text_end(&t, report_json_again(old, r->daemon, t.f));
	return e < 0 ? publish_report(root, r) : put_report(root, &t);
}

/**
 * publish_metrics() - the file for Prometheus, where the policy names one
 * @root: the host
 * @r: the report, with the daemon's own part
 * @p: the policy
 *
 * Return: 0 or negative errno, see root_write_outside(); then the file is as it was.
 */
int publish_metrics(const struct root *root, const struct report *r, const struct policy *p)
{
	_cleanup_text_ struct text t = { 0 };
	int e;

	if (!p->metrics_file)
		return 0;
	e = print(report_metrics, r, &t);
	return e < 0 ? e : root_write_outside(root, p->metrics_file, t.bytes, t.len, 0644);
}
