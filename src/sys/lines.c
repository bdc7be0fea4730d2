/* SPDX-License-Identifier: MIT */
/* The kernel's larger text files, read with one buffer and as few read(2) as they allow. */
#include "sys/lines.h"

/**
 * lines_open() - opens a file to be read line by line
 * @root: the host
 * @dirfd: a directory that root_open() opened, or -1 when @path is absolute
 * @path: the file
 * @ret: the reader; close with lines_close(), also when this failed
 *
 * Return: 0; -EINVAL when it is no regular file, which in a tree might hold us for ever; another
 * negative errno.
 */
int lines_open(const struct root *root, int dirfd, const char *path, struct lines *ret)
{
	int flags = O_RDONLY | O_NOCTTY | O_NONBLOCK;
	struct stat st;

	ret->begin = ret->end = 0;
	ret->cut = false;
	ret->fd = dirfd < 0 ? root_open(root, path, flags) :
			      root_open_below(root, dirfd, path, flags);
	if (ret->fd < 0)
		return ret->fd;
	if (root->live || (fstat(ret->fd, &st) == 0 && S_ISREG(st.st_mode)))
		return 0;
	lines_close(ret);
	return -EINVAL;
}

/** lines_close() - closes the file */
void lines_close(struct lines *l)
{
	l->fd = close_fd(l->fd);
}

/* Takes the bytes up to @stop out of the buffer; false when they end a line already handed out. */
static bool take(struct lines *l, size_t stop, size_t next, char **ret)
{
	bool whole = !l->cut;

	l->buf[stop] = '\0';
	*ret = l->buf + l->begin;
	l->begin = next;
	l->cut = false;
	return whole;
}

/**
 * lines_next() - the next line, without its end
 * @l: the reader
 * @ret: the line; good until the next call, and may be written to
 *
 * Of a line that is longer than the buffer (`Groups:` in /proc/PID/status) only the head is handed
 * out.
 *
 * Return: 1; 0 at the end of the file; negative errno.
 */
int lines_next(struct lines *l, char **ret)
{
	for (;;) {
		char *nl = memchr(l->buf + l->begin, '\n', l->end - l->begin);
		ssize_t n;

		if (nl) {
			size_t stop = (size_t)(nl - l->buf);

			if (take(l, stop, stop + 1, ret))
				return 1;
			continue;
		}
		l->end -= l->begin;
		memmove(l->buf, l->buf + l->begin, l->end);
		l->begin = 0;
		if (l->end == sizeof(l->buf) - 1) {
			bool head = take(l, l->end, l->end, ret);

			l->cut = true;
			if (head)
				return 1;
			continue;
		}
		n = read(l->fd, l->buf + l->end, sizeof(l->buf) - 1 - l->end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return l->end > 0 && take(l, l->end, l->end, ret);
		l->end += (size_t)n;
	}
}

/** line_number() - whether @line begins with @key; if so, the number behind it in @ret */
bool line_number(const char *line, const char *key, int64_t *ret)
{
	const char *s = startswith(line, key);

	if (!s)
		return false;
	*ret = strtoll(s, NULL, 10);
	return true;
}
