/* SPDX-License-Identifier: MIT */
/* The file that says which flags thpd has set. */
#include "engine/records.h"
#include "sys/proc.h"

#define RECORDS_MAX ((size_t)64 * 1024 * 1024)

/**
 * records_load() - the flags set so far
 * @root: the host
 * @ret: the records, none when nothing was set; free with flags_free()
 *
 * Return: 0; -EBADMSG when the file is damaged; another negative errno.
 */
int records_load(const struct root *root, struct flag_records *ret)
{
	_cleanup_arena_ struct arena a = { 0 };
	char *text;
	size_t len;
	int r = root_read_file(root, FLAGS_FILE, &a, RECORDS_MAX, &text, &len, NULL);

	if (r == -ENOENT) {
		*ret = (struct flag_records){ 0 };
		return 0;
	}
	return r < 0 ? r : flags_parse(text, len, ret);
}

/** records_save() - writes them down; 0 or negative errno */
int records_save(const struct root *root, const struct flag_records *records)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (records->list.n == 0) {
		r = root_unlink(root, PATH_STATE, FLAGS_NAME);
		return r == -ENOENT ? 0 : r;
	}
	r = flags_format(records, &text);
	return r < 0 ? r : root_write_file(root, PATH_STATE, FLAGS_NAME, text, strlen(text), 0600);
}

/* Who cannot be looked at just now has not ended by that. */
static bool has_ended(const struct root *root, const struct flag_record *it)
{
	struct proc p;
	int r = proc_read(root, it->pid, &p);

	return r == -ESRCH || (r == 0 && p.start != it->start);
}

/**
 * records_drop_ended() - drops those of processes that have ended: their pids come again
 * @root: the host
 * @records: the records
 */
void records_drop_ended(const struct root *root, struct flag_records *records)
{
	const struct flag_record *it;
	size_t n = 0;

	array_foreach(it, &records->list)
		if (!has_ended(root, it))
			records->list.items[n++] = *it;
	records->list.n = records->sorted = n;
}

/**
 * records_started() - notes processes that were given their flag as they started
 * @root: the running host, locked
 * @list: they, with what they had before
 * @n: how many
 *
 * Return: 0; negative errno.
 */
int records_started(const struct root *root, const struct flag_record *list, size_t n)
{
	_cleanup_flags_ struct flag_records records = { 0 };
	int r = n ? records_load(root, &records) : 0;
	bool new = false;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (list[i].was == list[i].set || flags_find(&records, list[i].pid, list[i].start))
			continue;
		new = true;
		r = flags_add(&records, list[i].pid, list[i].start, list[i].unit, list[i].set,
			      list[i].was);
	}
	if (r < 0 || !new)
		return r;
	records_drop_ended(root, &records);
	return records_save(root, &records);
}
