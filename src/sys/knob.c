/* SPDX-License-Identifier: MIT */
#include "sys/knob.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/parse.h"
#include "sys/paths.h"

/**
 * knob_open() - the directory of the host's THP settings
 * @root: the host
 *
 * That it is not there says something about the kernel only where the one above it is.
 *
 * Return: a descriptor; -ENOENT on a kernel without THP; -ENODEV where no sysfs is mounted; another
 * negative errno.
 */
int knob_open(const struct root *root)
{
	int fd = root_open(root, PATH_THP, O_PATH | O_DIRECTORY), up;

	if (fd != -ENOENT)
		return fd;
	up = root_open(root, PATH_MM, O_PATH | O_DIRECTORY);
	close_fd(up);
	return up < 0 ? -ENODEV : -ENOENT;
}

/**
 * knob_parse() - reads the kernel's own notation
 * @text: "always [madvise] never", or a number; ends may be blank
 * @ret: what it says
 *
 * Return: 0; -EBADMSG when it is neither.
 */
int knob_parse(const char *text, struct knob *ret)
{
	char copy[KNOB_TEXT_MAX], *s, *word, *save = NULL;
	struct knob k = { 0 };
	size_t n = strlen(text), selected = 0;

	if (n >= sizeof(copy))
		return -EBADMSG;
	s = strip(memcpy(copy, text, n + 1));
	if (!strchr(s, '[')) {
		uint64_t number;

		if (parse_uint(s, UINT64_MAX, &number) < 0)
			return -EBADMSG;
		strcpy(k.value, s);
		*ret = k;
		return 0;
	}
	for (word = strtok_r(s, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		n = strlen(word);
		if (word[0] == '[' && n > 2 && word[n - 1] == ']') {
			word[n - 1] = '\0';
			strcpy(k.value, ++word);
			selected++;
		}
		if (k.words[0])
			strcat(k.words, " ");
		strcat(k.words, word);
	}
	if (selected != 1)
		return -EBADMSG;
	*ret = k;
	return 0;
}

/* In a tree, anything may stand in place of a setting; it must not hold us. */
static int open_knob(const struct root *root, int dirfd, const char *key, int flags)
{
	int fd = root_open_below(root, dirfd, key, flags | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || root->live)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close_fd(fd);
	return -EBADMSG;
}

/*
 * Whether the kernel itself stands behind the files; also of a container's root that we look into.
 */
static bool is_sysfs(const struct root *root, int dirfd)
{
	struct statfs fs;

	return root->live || (fstatfs(dirfd, &fs) == 0 && fs.f_type == SYSFS_MAGIC);
}

/**
 * knob_read() - reads a setting
 * @root: the host
 * @dirfd: of knob_open()
 * @key: path below it
 * @ret: what it says
 *
 * Return: 0; -ENOENT when this kernel has no such file; -EBADMSG when it is not understood; another
 * negative errno.
 */
int knob_read(const struct root *root, int dirfd, const char *key, struct knob *ret)
{
	_cleanup_close_ int fd = open_knob(root, dirfd, key, O_RDONLY);
	char text[KNOB_TEXT_MAX + 1];
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = read(fd, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return knob_parse(text, ret);
}

/**
 * knob_write() - writes a setting, in one write(2) as sysfs wants it
 * @root: the host
 * @dirfd: of knob_open()
 * @key: path below it
 * @value: a word or a number
 *
 * That the kernel took the write does not mean that it took the value (before Linux 4.x a prefix
 * was enough): the caller reads back.
 *
 * For a tree that is no running host the file takes the kernel's part: the word is selected in
 * place.
 *
 * Return: 0; -EINVAL when the kernel refuses the value; another negative errno.
 */
int knob_write(const struct root *root, int dirfd, const char *key, const char *value)
{
	_cleanup_close_ int fd = -1;
	char text[2 * KNOB_TEXT_MAX] = "";
	size_t len = strlen(value);
	struct knob k = { 0 };
	bool kernel = is_sysfs(root, dirfd);

	if (!kernel && knob_read(root, dirfd, key, &k) == 0 && k.words[0]) {
		char *word, *save = NULL, *to = text;

		for (word = strtok_r(k.words, " ", &save); word; word = strtok_r(NULL, " ", &save))
			to += sprintf(to, streq(word, value) ? "%s[%s]" : "%s%s",
				      to == text ? "" : " ", word);
		if (!strchr(text, '['))
			return -EINVAL;
		value = strcpy(to, "\n") - (to - text);
		len = strlen(value);
	} else if (!kernel) {
		len = (size_t)snprintf(text, sizeof(text), "%s\n", value);
		value = text;
	}
	fd = open_knob(root, dirfd, key, O_WRONLY | (kernel ? 0 : O_TRUNC));
	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = write(fd, value, len);

		if (n == (ssize_t)len)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		return n < 0 ? -errno : -EIO;
	}
}
