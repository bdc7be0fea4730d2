/* SPDX-License-Identifier: MIT */
/*
 * What a unit's processes are charged with: "Memory Interface Files" in
 * Documentation/admin-guide/cgroup-v2.rst, and cgroup-v1/memory.rst.
 */
#include <limits.h>

#include "sys/lines.h"
#include "sys/paths.h"
#include "sys/units.h"

static int file_name(char full[PATH_MAX], const char *base, const char *path, const char *name)
{
	return snprintf(full, PATH_MAX, "%s/%s/%s", base, path, name) < PATH_MAX ? 0 :
										   -ENAMETOOLONG;
}

/* Bytes, or -1 where there is no such file. */
static int64_t read_bytes(const struct root *root, const struct unit_tree *t, const char *path,
			  const char *name)
{
	char full[PATH_MAX], text[32];

	if (file_name(full, t->memory, path, name) < 0 ||
	    root_read(root, full, text, sizeof(text)) <= 0)
		return -1;
	return strtoll(text, NULL, 10);
}

/* memory.stat, in bytes; -1: the kernel does not tell. */
struct stat_bytes {
	int64_t anon, file, kernel;
	int64_t stacks, tables, percpu, slab; /* of the kernel's, for those that tell no sum */
	int64_t sock, hugetlb;
};

static int read_stat(const struct root *root, const struct unit_tree *t, const char *path,
		     struct stat_bytes *ret)
{
	static const struct {
		const char *key;
		size_t field;
	} unified[] = {
		{ "anon ", offsetof(struct stat_bytes, anon) },
		{ "file ", offsetof(struct stat_bytes, file) },
		{ "kernel ", offsetof(struct stat_bytes, kernel) },
		{ "kernel_stack ", offsetof(struct stat_bytes, stacks) },
		{ "pagetables ", offsetof(struct stat_bytes, tables) },
		{ "percpu ", offsetof(struct stat_bytes, percpu) },
		{ "slab ", offsetof(struct stat_bytes, slab) },
		{ "sock ", offsetof(struct stat_bytes, sock) },
		{ "hugetlb ", offsetof(struct stat_bytes, hugetlb) },
	}, legacy[] = {
		{ "total_rss ", offsetof(struct stat_bytes, anon) },
		{ "total_cache ", offsetof(struct stat_bytes, file) },
	};
	bool v2 = t->layout == CGROUP_UNIFIED;
	_cleanup_lines_ struct lines lines = { .fd = -1 };
	char full[PATH_MAX], *line;
	int r;

	r = file_name(full, t->memory, path, "memory.stat");
	if (r == 0)
		r = lines_open(root, -1, full, &lines);
	if (r < 0)
		return r;
	while ((r = lines_next(&lines, &line)) > 0)
		for (size_t i = 0; i < (v2 ? ARRAY_SIZE(unified) : ARRAY_SIZE(legacy)); i++) {
			size_t field = v2 ? unified[i].field : legacy[i].field;

			if (line_number(line, v2 ? unified[i].key : legacy[i].key,
					(int64_t *)((char *)ret + field)))
				break;
		}
	return r;
}

static int64_t known(int64_t bytes)
{
	return bytes > 0 ? bytes : 0;
}

static int64_t to_kb(int64_t bytes)
{
	return bytes < 0 ? -1 : bytes / 1024;
}

/**
 * unit_memory() - what a unit is charged with
 * @root: the host
 * @t: its units
 * @unit: index of the unit
 * @ret: in kB; -1 where it is not known, as without a memory controller for the unit
 *
 * Hidden memory is what is charged and is neither mapped anonymous memory, nor cache, nor the
 * kernel's. `anon` (v1: `rss`) counts mapped pages one by one (NR_ANON_MAPPED, mm/rmap.c), the
 * charge lasts as long as the whole huge page: what is unmapped of one that is not split yet shows
 * as the difference. Measured on Linux 6.18: 1 GiB in huge pages of which all but 4 kB each were
 * given back with MADV_DONTNEED: charged 1,052,288 kB, rss 2,464, cache 80, kernel 2,988, so hidden
 * 1,046,756 (1,046,528 were given back); rss_huge was 0. After the huge pages were split: charged
 * 5,080, hidden 0.
 *
 * The kernel charges and counts in batches per CPU (MEMCG_CHARGE_BATCH, 64 pages, mm/memcontrol.c):
 * some hundred kB per CPU are noise.
 *
 * Return: 0 or negative errno.
 */
int unit_memory(const struct root *root, const struct unit_tree *t, uint32_t unit,
		struct unit_memory *ret)
{
	const char *path = t->units.items[unit].path;
	struct unit_memory m = { -1, -1, -1, -1, -1 };
	struct stat_bytes st = { -1, -1, -1, -1, -1, -1, -1, -1, -1 };
	bool v2 = t->layout == CGROUP_UNIFIED;
	int64_t current, hidden;
	int r;

	*ret = m;
	if (!t->memory)
		return 0;
	current = read_bytes(root, t, path, v2 ? "memory.current" : "memory.usage_in_bytes");
	if (current < 0)
		return 0;
	r = read_stat(root, t, path, &st);
	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	if (!v2)
		st.kernel = read_bytes(root, t, path, "memory.kmem.usage_in_bytes");
	else if (st.kernel < 0) /* before Linux 5.18 */
		st.kernel = known(st.stacks) + known(st.tables) + known(st.percpu) + known(st.slab);
	m.current_kb = to_kb(current);
	m.anon_kb = to_kb(st.anon);
	m.file_kb = to_kb(st.file);
	m.kernel_kb = to_kb(st.kernel);
	if (st.anon >= 0 && st.file >= 0) {
		hidden = current - st.anon - st.file - known(st.kernel) - known(st.sock) -
			 known(st.hugetlb);
		m.hidden_kb = to_kb(known(hidden));
	}
	*ret = m;
	return 0;
}
