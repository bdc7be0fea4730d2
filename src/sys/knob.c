/* SPDX-License-Identifier: MIT */
#include "sys/knob.h"

#include <fcntl.h>

#include "base/parse.h"
#include "sys/paths.h"

/** knob_open() - the directory of the host's THP settings; -ENOENT on a kernel without THP */
int knob_open(const struct root *root)
{
	return root_open(root, PATH_THP, O_PATH | O_DIRECTORY);
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
	_cleanup_close_ int fd = root_open_below(root, dirfd, key, O_RDONLY | O_NOCTTY);
	char text[KNOB_TEXT_MAX + 1];
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
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

	if (!root->live && knob_read(root, dirfd, key, &k) == 0 && k.words[0]) {
		char *word, *save = NULL, *to = text;

		for (word = strtok_r(k.words, " ", &save); word; word = strtok_r(NULL, " ", &save))
			to += sprintf(to, streq(word, value) ? "%s[%s]" : "%s%s",
				      to == text ? "" : " ", word);
		if (!strchr(text, '['))
			return -EINVAL;
		value = strcpy(to, "\n") - (to - text);
		len = strlen(value);
	} else if (!root->live) {
		len = (size_t)snprintf(text, sizeof(text), "%s\n", value);
		value = text;
	}
	fd = root_open_below(root, dirfd, key, O_WRONLY | O_NOCTTY | (root->live ? 0 : O_TRUNC));
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
