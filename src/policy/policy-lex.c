/* SPDX-License-Identifier: MIT */
/* The tokens of a policy, as libconfuse's lexer sees them, and nothing that it would pass over. */
#include "policy/policy-lex.h"

#define STRING_MAX_BYTES 1024U

/** lex_fault() - reports a fault in @line */
void lex_fault(struct lexer *l, uint32_t line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(l->diags, SEVERITY_ERROR, l->file, line, fmt, ap);
	va_end(ap);
}

/** lex_fatal() - reports a fault behind which nothing can be read reliably; returns TOKEN_BAD */
enum token lex_fatal(struct lexer *l, uint32_t line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(l->diags, SEVERITY_ERROR, l->file, line, fmt, ap);
	va_end(ap);
	return TOKEN_BAD;
}

/** lex_blank() - overwrites what stands from byte @from to byte @to, but no newline */
void lex_blank(struct lexer *l, size_t from, size_t to)
{
	while (from < to) {
		char *begin = l->text + from, *newline = memchr(begin, '\n', to - from);
		size_t n = newline ? (size_t)(newline - begin) : to - from;

		memset(begin, ' ', n);
		from += n + 1;
	}
}

static bool at_string(const struct lexer *l, const char *what)
{
	size_t n = strlen(what);

	return l->len - l->at >= n && memcmp(l->text + l->at, what, n) == 0;
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-.:@", c));
}

/* Blanks the comment that begins here. Returns 0, or -1 (reported) when it never ends. */
static int skip_comment(struct lexer *l)
{
	size_t from = l->at;
	uint32_t line = l->line;

	if (!at_string(l, "/*")) {
		const char *newline = memchr(l->text + l->at, '\n', l->len - l->at);

		l->at = newline ? (size_t)(newline - l->text) : l->len;
		lex_blank(l, from, l->at);
		return 0;
	}
	for (l->at += 2; l->at < l->len; l->at++) {
		if (at_string(l, "*/")) {
			l->at += 2;
			lex_blank(l, from, l->at);
			return 0;
		}
		if (l->text[l->at] == '\n')
			l->line++;
	}
	lex_fatal(l, line, "comment is not closed; expected */");
	return -1;
}

/* How much of an escape to show: its digits, or one byte. */
static int escape_length(const struct lexer *l)
{
	size_t n = 1;

	while (n < 4 && l->at + n < l->len && is_word_byte(l->text[l->at + n]))
		n++;
	return (int)n;
}

static enum token scan_string(struct lexer *l)
{
	char quote = l->text[l->at];

	for (l->at++; l->at < l->len; l->at++) {
		char c = l->text[l->at];

		if (c == quote) {
			l->end = ++l->at;
			if (l->end - l->start > STRING_MAX_BYTES + 2)
				return lex_fatal(l, l->token_line,
						 "string of %zu bytes; expected %u at most",
						 l->end - l->start - 2, STRING_MAX_BYTES);
			return TOKEN_STRING;
		}
		if (c == '\n')
			break;
		if (quote == '"' && at_string(l, "${"))
			return lex_fatal(
				l, l->token_line,
				"${...} would be read from the environment; expected a plain "
				"value ('...' takes it literally)");
		if (c != '\\' || l->at + 1 >= l->len || l->text[l->at + 1] == '\n')
			continue;
		l->at++;
		if (quote == '"' && !strchr("\\\"", l->text[l->at]))
			return lex_fatal(
				l, l->token_line,
				"escape \\%.*s; expected \\\\ or \\\" ('...' takes a backslash "
				"literally)",
				escape_length(l), l->text + l->at);
	}
	return lex_fatal(l, l->token_line, "string is not closed; expected %c on the same line",
			 quote);
}

static enum token scan_word(struct lexer *l)
{
	while (l->at < l->len) {
		char c = l->text[l->at];

		/* The lexer takes a slash into a word only before something that is none. */
		if (c == '/' && l->at + 1 < l->len && is_word_byte(l->text[l->at + 1]))
			l->at++;
		else if (!is_word_byte(c))
			break;
		l->at++;
	}
	l->end = l->at;
	if (at_string(l, "//") || at_string(l, "/*"))
		return lex_fatal(
			l, l->line,
			"a comment begins within a value; expected a blank before it, or the "
			"value in quotes");
	if (l->end - l->start > STRING_MAX_BYTES)
		return lex_fatal(l, l->line, "word of %zu bytes; expected %u at most",
				 l->end - l->start, STRING_MAX_BYTES);
	return TOKEN_WORD;
}

static enum token bad_byte(struct lexer *l)
{
	unsigned char c = (unsigned char)l->text[l->at];

	if (at_string(l, "${"))
		return lex_fatal(l, l->line,
				 "${...} would be read from the environment; expected a "
				 "plain value ('...' takes it literally)");
	if (c == ';')
		return lex_fatal(l, l->line, "unexpected ';'; a statement ends with its value");
	if (c >= 0x80)
		return lex_fatal(l, l->line,
				 "unexpected byte 0x%02x; expected ASCII outside of quotes", c);
	return lex_fatal(l, l->line, "unexpected '%c'; a value with it must be quoted, as in '...'",
			 c);
}

/**
 * lex_next() - reads the next token into l->start, l->end and l->token_line
 * @l: the lexer
 *
 * Return: what it is; TOKEN_BAD, reported, when it is nothing that a policy may contain.
 */
enum token lex_next(struct lexer *l)
{
	while (l->at < l->len) {
		char c = l->text[l->at];

		l->start = l->at;
		l->token_line = l->line;
		if (c == '\n') {
			l->line++;
			l->at++;
		} else if (c == ' ' || c == '\t' || c == '\r') {
			l->at++;
		} else if (c == '#' || at_string(l, "//") || at_string(l, "/*")) {
			if (skip_comment(l) < 0)
				return TOKEN_BAD;
		} else if (c == '"' || c == '\'') {
			return scan_string(l);
		} else if (at_string(l, "+=")) {
			l->end = l->at += 2;
			return TOKEN_APPEND;
		} else if (strchr("{}=,()", c)) {
			l->end = ++l->at;
			return (enum token)c;
		} else if (is_word_byte(c) ||
			   (c == '/' && l->at + 1 < l->len && is_word_byte(l->text[l->at + 1]))) {
			return scan_word(l);
		} else {
			return bad_byte(l);
		}
	}
	l->start = l->end = l->at;
	l->token_line = l->line;
	return TOKEN_END;
}

/** lex_check_bytes() - whether the text is free of bytes that no policy contains; reports if not */
bool lex_check_bytes(struct lexer *l)
{
	uint32_t line = 1;

	if (l->len >= 3 && memcmp(l->text, "\xef\xbb\xbf", 3) == 0) {
		lex_fatal(l, 1,
			  "byte order mark at the beginning; expected plain UTF-8 without one");
		return false;
	}
	for (size_t i = 0; i < l->len; i++) {
		unsigned char c = (unsigned char)l->text[i];

		if (c == '\n')
			line++;
		else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f) {
			lex_fatal(l, line, "%s byte 0x%02x; expected text", c ? "control" : "NUL",
				  c);
			return false;
		}
	}
	return true;
}

/**
 * lex_squeeze() - cuts the blanks from both ends of every line
 * @text: the text, with its comments blanked
 * @len: its length
 *
 * libconfuse's lexer looks at each byte at length, and most of an annotated policy is blank by now.
 * Strings do not span lines, so none is cut.
 *
 * Return: the new length.
 */
size_t lex_squeeze(char *text, size_t len)
{
	char *to = text, *const end = text + len;

	for (char *line = text; line < end;) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		char *stop = newline ? newline : end, *next = newline ? newline + 1 : end;

		while (line < stop && (*line == ' ' || *line == '\t' || *line == '\r'))
			line++;
		while (stop > line && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
			stop--;
		memmove(to, line, (size_t)(stop - line));
		to += stop - line;
		if (newline)
			*to++ = '\n';
		line = next;
	}
	return (size_t)(to - text);
}
