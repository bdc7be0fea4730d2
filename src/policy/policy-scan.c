/* SPDX-License-Identifier: MIT */
/*
 * A strict first reading of a policy file, before libconfuse gets it.
 *
 * libconfuse 3.3 lets things through that a policy must not contain, and reports others late or with
 * the wrong line: it replaces ${VAR} from the environment, lets a repeated key silently win, drops
 * bytes that it cannot place (an unquoted `redis-*` becomes `redis-`), resolves `a|b` as a path,
 * counts a line too many for each block comment, stops at the first unknown key, keeps its lexer in
 * mid-string after an unterminated one, and recurses once for every open brace. So the same grammar
 * is read here first, iteratively and against the table of keys. What is wrong is reported; a
 * statement that is wrong in itself is blanked, so that the parser still finds the faults behind it.
 * Comments are blanked too. Newlines stay where they are: line numbers remain those of the file.
 */
#include "policy/policy-scan.h"

#include "policy/policy-keys.h"

#define STRING_MAX_BYTES 1024U
#define DEPTH_MAX 3U /* top level, host or role, leaf */

enum token {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_STRING,
	TOKEN_APPEND,
	TOKEN_BAD, /* reported already */
	TOKEN_OPEN = '{',
	TOKEN_CLOSE = '}',
	TOKEN_EQUAL = '=',
	TOKEN_COMMA = ',',
	TOKEN_PAREN = '(',
	TOKEN_PAREN_CLOSE = ')',
};

struct level {
	enum context context;
	uint32_t line;	    /* of the key that opened it */
	size_t blank_from;  /* where a section begins that is to be blanked, or SIZE_MAX */
	uint64_t seen;	    /* a bit for each key */
	uint32_t seen_line[POLICY_KEYS_MAX];
};

struct scanner {
	struct policy_scan *out;
	struct diags *diags;
	const char *file;
	char *text;
	size_t len, at;
	uint32_t line;
	/* The last token. */
	size_t start, end;
	uint32_t token_line;
	struct level levels[DEPTH_MAX];
	size_t depth;
};

static void fault(struct scanner *s, uint32_t line, const char *fmt, ...) _printf_(3, 4);
static void fault(struct scanner *s, uint32_t line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(s->diags, SEVERITY_ERROR, s->file, line, fmt, ap);
	va_end(ap);
}

/* A fault behind which nothing can be read reliably. */
#define fatal(s, line, ...)                        \
	({                                         \
		fault((s), (line), __VA_ARGS__);   \
		(s)->out->unparsable = true;       \
		TOKEN_BAD;                         \
	})

static void blank(struct scanner *s, size_t from, size_t to)
{
	while (from < to) {
		char *begin = s->text + from, *newline = memchr(begin, '\n', to - from);
		size_t n = newline ? (size_t)(newline - begin) : to - from;

		memset(begin, ' ', n);
		from += n + 1;
	}
}

static bool at_string(const struct scanner *s, const char *what)
{
	size_t n = strlen(what);

	return s->len - s->at >= n && memcmp(s->text + s->at, what, n) == 0;
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-.:@", c));
}

/* Blanks the comment that begins here. Returns 0, or -1 (reported) when it never ends. */
static int skip_comment(struct scanner *s)
{
	size_t from = s->at;
	uint32_t line = s->line;

	if (!at_string(s, "/*")) {
		const char *newline = memchr(s->text + s->at, '\n', s->len - s->at);

		s->at = newline ? (size_t)(newline - s->text) : s->len;
		blank(s, from, s->at);
		return 0;
	}
	for (s->at += 2; s->at < s->len; s->at++) {
		if (at_string(s, "*/")) {
			s->at += 2;
			blank(s, from, s->at);
			return 0;
		}
		if (s->text[s->at] == '\n')
			s->line++;
	}
	fatal(s, line, "comment is not closed; expected */");
	return -1;
}

/* How much of an escape to show: its digits, or one byte. */
static int escape_length(const struct scanner *s)
{
	size_t n = 1;

	while (n < 4 && s->at + n < s->len && is_word_byte(s->text[s->at + n]))
		n++;
	return (int)n;
}

static enum token scan_string(struct scanner *s)
{
	char quote = s->text[s->at];

	for (s->at++; s->at < s->len; s->at++) {
		char c = s->text[s->at];

		if (c == quote) {
			s->end = ++s->at;
			if (s->end - s->start > STRING_MAX_BYTES + 2)
				return fatal(s, s->token_line,
					     "string of %zu bytes; expected %u at most",
					     s->end - s->start - 2, STRING_MAX_BYTES);
			return TOKEN_STRING;
		}
		if (c == '\n')
			break;
		if (quote == '"' && at_string(s, "${"))
			return fatal(s, s->token_line,
				     "${...} would be read from the environment; expected a plain "
				     "value ('...' takes it literally)");
		if (c != '\\' || s->at + 1 >= s->len || s->text[s->at + 1] == '\n')
			continue;
		s->at++;
		if (quote == '"' && !strchr("\\\"", s->text[s->at]))
			return fatal(s, s->token_line,
				     "escape \\%.*s; expected \\\\ or \\\" ('...' takes a backslash "
				     "literally)", escape_length(s), s->text + s->at);
	}
	return fatal(s, s->token_line, "string is not closed; expected %c on the same line", quote);
}

static enum token scan_word(struct scanner *s)
{
	while (s->at < s->len) {
		char c = s->text[s->at];

		/* The lexer takes a slash into a word only before something that is none. */
		if (c == '/' && s->at + 1 < s->len && is_word_byte(s->text[s->at + 1]))
			s->at++;
		else if (!is_word_byte(c))
			break;
		s->at++;
	}
	s->end = s->at;
	if (s->end - s->start > STRING_MAX_BYTES)
		return fatal(s, s->line, "word of %zu bytes; expected %u at most",
			     s->end - s->start, STRING_MAX_BYTES);
	return TOKEN_WORD;
}

static enum token bad_byte(struct scanner *s)
{
	unsigned char c = (unsigned char)s->text[s->at];

	if (at_string(s, "${"))
		return fatal(s, s->line, "${...} would be read from the environment; expected a "
					 "plain value ('...' takes it literally)");
	if (c == ';')
		return fatal(s, s->line, "unexpected ';'; a statement ends with its value");
	if (c >= 0x80)
		return fatal(s, s->line, "unexpected byte 0x%02x; expected ASCII outside of quotes",
			     c);
	return fatal(s, s->line, "unexpected '%c'; a value with it must be quoted, as in '...'", c);
}

/* Reads the next token into s->start, s->end and s->token_line. */
static enum token next_token(struct scanner *s)
{
	while (s->at < s->len) {
		char c = s->text[s->at];

		s->start = s->at;
		s->token_line = s->line;
		if (c == '\n') {
			s->line++;
			s->at++;
		} else if (c == ' ' || c == '\t' || c == '\r') {
			s->at++;
		} else if (c == '#' || at_string(s, "//") || at_string(s, "/*")) {
			if (skip_comment(s) < 0)
				return TOKEN_BAD;
		} else if (c == '"' || c == '\'') {
			return scan_string(s);
		} else if (at_string(s, "+=")) {
			s->end = s->at += 2;
			return TOKEN_APPEND;
		} else if (strchr("{}=,()", c)) {
			s->end = ++s->at;
			return (enum token)c;
		} else if (is_word_byte(c) ||
			   (c == '/' && s->at + 1 < s->len && is_word_byte(s->text[s->at + 1]))) {
			return scan_word(s);
		} else {
			return bad_byte(s);
		}
	}
	s->start = s->end = s->at;
	s->token_line = s->line;
	return TOKEN_END;
}

/* The last token fits nowhere. With @name, the fault is that of a statement, and in its @line. */
static enum token unexpected(struct scanner *s, enum token t, const char *name, uint32_t line,
			     const char *expected)
{
	const char *colon = name ? ": " : "";
	size_t n = s->end - s->start;

	if (t == TOKEN_BAD)
		return t;
	if (!name) {
		name = "";
		line = s->token_line;
	}
	if (t == TOKEN_END && s->depth > 0)
		return fatal(s, line, "%s%sunexpected end of file; expected %s (the brace opened in "
				      "line %u is not closed)", name, colon, expected,
			     s->levels[s->depth].line);
	if (t == TOKEN_END)
		return fatal(s, line, "%s%sunexpected end of file; expected %s", name, colon,
			     expected);
	return fatal(s, line, "%s%sunexpected %.*s; expected %s", name, colon,
		     (int)(n < 64 ? n : 64), s->text + s->start, expected);
}

/* Reads a value, or a list of them. Sets *ret_list. Returns the last token, TOKEN_BAD on a fault. */
static enum token scan_value(struct scanner *s, const char *name, uint32_t line, bool *ret_list)
{
	enum token t = next_token(s);

	*ret_list = t == TOKEN_OPEN;
	if (t == TOKEN_WORD || t == TOKEN_STRING)
		return t;
	if (t != TOKEN_OPEN)
		return unexpected(s, t, name, line, "a value");
	for (;;) {
		t = next_token(s);
		if (t == TOKEN_CLOSE)
			return t;
		if (t != TOKEN_WORD && t != TOKEN_STRING)
			return unexpected(s, t, name, s->token_line,
					  "a value or } at the end of the list");
		t = next_token(s);
		if (t == TOKEN_CLOSE)
			return t;
		if (t != TOKEN_COMMA)
			return unexpected(s, t, name, s->token_line, ", or } in the list");
	}
}

static void unknown_key(struct scanner *s, enum context c, const char *name, uint32_t line)
{
	const struct policy_key *k = policy_key_elsewhere(name, strlen(name));
	const char *near = policy_key_suggest(c, name);

	if (k && k->kind == KEY_SECTION)
		fault(s, line, "%s { } cannot stand %s", name, context_to_string(c));
	else if (k)
		fault(s, line, "%s cannot stand %s; expected it %s", name, context_to_string(c),
		      context_to_string(k->contexts & -k->contexts));
	else if (near)
		fault(s, line, "unknown key %s %s; expected %s?", name, context_to_string(c), near);
	else
		fault(s, line, "unknown key %s %s; thpd.conf(5) lists the keys", name,
		      context_to_string(c));
}

/* Whether the key may stand here, and stands here for the first time. Reports if not. */
static const struct policy_key *check_key(struct scanner *s, const char *name, uint32_t line)
{
	struct level *l = &s->levels[s->depth];
	const struct policy_key *k = policy_key_find(l->context, name, strlen(name));
	size_t i;

	if (l->blank_from != SIZE_MAX)
		return NULL;
	if (!k) {
		unknown_key(s, l->context, name, line);
		return NULL;
	}
	if (k->kind == KEY_TITLED)
		return k;
	i = policy_key_index(k);
	if (l->seen & (UINT64_C(1) << i)) {
		fault(s, line, "%s is repeated; it is set in line %u already", name,
		      l->seen_line[i]);
		return NULL;
	}
	l->seen |= UINT64_C(1) << i;
	l->seen_line[i] = line;
	return k;
}

static enum token scan_assignment(struct scanner *s, const struct policy_key *k, const char *name,
				  uint32_t line, size_t from)
{
	bool list;
	enum token t = scan_value(s, name, line, &list);

	if (t == TOKEN_BAD)
		return t;
	if (k && (k->kind == KEY_SECTION || k->kind == KEY_TITLED))
		fault(s, line, "%s is a section; expected %s %s{ ... }", name, name,
		      k->kind == KEY_TITLED ? "'title' " : "");
	else if (k && list && k->kind != KEY_LIST)
		fault(s, line, "%s takes one value, not a list", name);
	else if (k)
		return t;
	blank(s, from, s->end);
	return t;
}

/* Opens a section; @k is NULL for one that is reported already and only to be skipped. */
static enum token open_section(struct scanner *s, const struct policy_key *k, bool titled,
			       const char *name, uint32_t line, size_t from)
{
	struct level *up = &s->levels[s->depth], *l;
	bool bad = !k;

	if (k && k->kind != KEY_SECTION && k->kind != KEY_TITLED) {
		fault(s, line, "%s is no section; expected %s = VALUE", name, name);
		bad = true;
	} else if (k && k->kind == KEY_SECTION && titled) {
		fault(s, line, "%s takes no title; expected %s { ... }", name, name);
		bad = true;
	} else if (k && k->kind == KEY_TITLED && !titled) {
		fault(s, line, "%s needs a title; expected %s '...' { ... }", name, name);
		bad = true;
	}
	if (s->depth + 1 >= DEPTH_MAX)
		return fatal(s, line, "sections nested deeper than %u; expected }", DEPTH_MAX - 1);
	l = &s->levels[++s->depth];
	l->context = bad ? CONTEXT_TOP : k->opens;
	l->line = line;
	l->seen = 0;
	l->blank_from = up->blank_from != SIZE_MAX ? up->blank_from : bad ? from : SIZE_MAX;
	return TOKEN_OPEN;
}

static enum token close_section(struct scanner *s)
{
	struct level *l = &s->levels[s->depth];
	uint32_t *line;

	if (s->depth == 0)
		return fatal(s, s->token_line, "unexpected }; no section is open");
	s->depth--;
	if (l->blank_from != SIZE_MAX) {
		if (s->levels[s->depth].blank_from == SIZE_MAX)
			blank(s, l->blank_from, s->end);
		return TOKEN_CLOSE;
	}
	line = array_add(&s->out->arena, &s->out->section_lines);
	if (!line) {
		s->diags->oom = true;
		return TOKEN_BAD;
	}
	*line = l->line;
	return TOKEN_CLOSE;
}

/* Reads one statement whose key is the last token. */
static enum token scan_statement(struct scanner *s)
{
	char name[64];
	size_t from = s->start, n = s->end - s->start;
	uint32_t line = s->token_line;
	const struct policy_key *k;
	bool titled = false;
	enum token t;

	if (n >= sizeof(name))
		return fatal(s, line, "unknown key %.60s...; thpd.conf(5) lists the keys",
			     s->text + from);
	memcpy(name, s->text + from, n);
	name[n] = '\0';

	t = next_token(s);
	if (t == TOKEN_PAREN && streq(name, "include"))
		return fatal(s, line, "include() is not supported; put the file into conf.d/");
	if (t == TOKEN_APPEND)
		return fatal(s, line, "+= is not supported; expected %s = ...", name);
	k = t == TOKEN_BAD ? NULL : check_key(s, name, line);
	if (t == TOKEN_EQUAL)
		return scan_assignment(s, k, name, line, from);
	if (t == TOKEN_WORD || t == TOKEN_STRING) {
		titled = true;
		t = next_token(s);
		if (t != TOKEN_OPEN && k && k->kind != KEY_SECTION && k->kind != KEY_TITLED)
			return unexpected(s, t, name, line, "= between key and value");
		if (t != TOKEN_OPEN)
			return unexpected(s, t, name, line, "{ behind the title");
	}
	if (t == TOKEN_OPEN)
		return open_section(s, k, titled, name, line, from);
	return unexpected(s, t, name, line, k && k->kind == KEY_TITLED ? "a title" :
					    k && k->kind == KEY_SECTION ? "{" : "=");
}

/* Bytes that no policy contains. Returns false (reported) where there is one. */
static bool check_bytes(struct scanner *s)
{
	uint32_t line = 1;

	if (s->len >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0) {
		fatal(s, 1, "byte order mark at the beginning; expected plain UTF-8 without one");
		return false;
	}
	for (size_t i = 0; i < s->len; i++) {
		unsigned char c = (unsigned char)s->text[i];

		if (c == '\n')
			line++;
		else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f) {
			fatal(s, line, "control byte 0x%02x; expected text", c);
			return false;
		}
	}
	return true;
}

/*
 * Cuts the blanks from both ends of every line, for libconfuse's lexer looks at each byte at length,
 * and most of an annotated policy is blank by now. Strings do not span lines, so none is cut.
 */
static size_t squeeze(char *text, size_t len)
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

/**
 * policy_scan() - finds what libconfuse would let through, and takes the comments out
 * @s: zero-initialised; free with policy_scan_free()
 * @file: name for messages
 * @text: the file's contents; comments and faulty statements are overwritten with blanks
 * @len: bytes of @text; updated, it gets shorter
 * @d: where faults go
 *
 * Return: 0, faults or not; -ENOMEM. With s->unparsable set, @text is not to be parsed.
 */
int policy_scan(struct policy_scan *s, const char *file, char *text, size_t *len, struct diags *d)
{
	struct scanner *sc _cleanup_free_ = calloc(1, sizeof(*sc));

	if (!sc)
		return -ENOMEM;
	*sc = (struct scanner){ .out = s, .diags = d, .file = file, .text = text, .len = *len,
				.line = 1 };
	sc->levels[0] = (struct level){ .context = CONTEXT_TOP, .blank_from = SIZE_MAX };
	if (!check_bytes(sc))
		return 0;
	for (;;) {
		enum token t = next_token(sc);

		if (t == TOKEN_END && sc->depth == 0) {
			*len = squeeze(text, *len);
			return 0;
		}
		if (t == TOKEN_WORD)
			t = scan_statement(sc);
		else if (t == TOKEN_CLOSE)
			t = close_section(sc);
		else if (t == TOKEN_STRING)
			t = fatal(sc, sc->token_line, "unexpected %.*s; expected a key, and keys are "
						      "not quoted",
				  (int)(sc->end - sc->start < 64 ? sc->end - sc->start : 64),
				  text + sc->start);
		else
			t = unexpected(sc, t, NULL, 0, sc->depth ? "a key or }" : "a key");
		if (t == TOKEN_BAD)
			return d->oom ? -ENOMEM : 0;
	}
}

/** policy_scan_free() - frees what a scan found */
void policy_scan_free(struct policy_scan *s)
{
	arena_free(&s->arena);
}
