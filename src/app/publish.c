/* SPDX-License-Identifier: MIT */
#include "app/publish.h"

#include "engine/daemon-seen.h"

/* A report as it is printed, in memory: a file gets all of it or stays as it is. */
static int print(int (*printer)(const struct report *, FILE *), const struct report *r, char **ret,
		 size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);
	int e;

	if (!f)
		return -errno;
	e = printer(r, f);
	if (fclose(f) != 0 && e == 0)
		e = -ENOMEM;
	if (e < 0) {
		free(text);
		return e;
	}
	*ret = text;
	return 0;
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
	_cleanup_free_ char *text = NULL;
	size_t len;
	int e = print(report_json, r, &text, &len);

	if (e < 0)
		return e;
	e = root_write_file(root, PATH_STATE, REPORT_NAME, text, len, 0644);
	if (e != -ENOENT)
		return e;
	/* Without systemd nobody has made the directory. */
	e = root_make_dir(root, PATH_STATE);
	return e < 0 ? e : root_write_file(root, PATH_STATE, REPORT_NAME, text, len, 0644);
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
	_cleanup_free_ char *text = NULL;
	size_t len;
	int e;

	if (!p->metrics_file)
		return 0;
	e = print(report_metrics, r, &text, &len);
	return e < 0 ? e : root_write_outside(root, p->metrics_file, text, len, 0644);
}
