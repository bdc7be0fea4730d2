/* SPDX-License-Identifier: MIT */
#include "engine/status.h"

#include "base/parse.h"
#include "engine/originals.h"
#include "sys/knob.h"
#include "sys/paths.h"

/* "NAME:   123 kB" in /proc/meminfo; -1 when it is not there. */
static int64_t meminfo_value(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	if (!line || (line != text && line[-1] != '\n'))
		return -1;
	return strtoll(line + strlen(name), NULL, 10);
}

static int64_t counter(const struct root *root, int dirfd, const char *key)
{
	struct knob k;
	uint64_t v = 0;

	if (dirfd < 0 || knob_read(root, dirfd, key, &k) < 0 ||
	    parse_uint(k.value, INT64_MAX, &v) < 0)
		return -1;
	return (int64_t)v;
}

/**
 * status_collect() - the figures beside the settings
 * @root: the host
 * @dirfd: of knob_open(), or its error
 * @ret: the figures; what is not known is -1
 *
 * Return: 0; -EBADMSG when the saved settings are damaged; another negative errno.
 */
int status_collect(const struct root *root, int dirfd, struct host_status *ret)
{
	_cleanup_originals_ struct originals o = { 0 };
	char text[8192] = "";
	int r = originals_load(root, &o);

	if (r < 0)
		return r;
	(void)root_read(root, PATH_MEMINFO, text, sizeof(text));
	*ret = (struct host_status){
		.anon_huge_kb = meminfo_value(text, "AnonHugePages:"),
		.shmem_huge_kb = meminfo_value(text, "ShmemHugePages:"),
		.mem_total_kb = meminfo_value(text, "MemTotal:"),
		.pages_collapsed = counter(root, dirfd, "khugepaged/pages_collapsed"),
		.full_scans = counter(root, dirfd, "khugepaged/full_scans"),
		.originals = o.list.n ? (int64_t)o.list.n : -1,
	};
	return 0;
}
