/* SPDX-License-Identifier: MIT */
/*
 * A strict first reading of a policy file, before libconfuse gets it.
 *
 * libconfuse 3.3 lets things through that a policy must not contain, and reports others late or
 * with the wrong line: it replaces ${VAR} from the environment, lets a repeated key silently win,
 * drops bytes that it cannot place (an unquoted `redis-*` becomes `redis-`), resolves `a|b` as a
 * path, counts a line too many for each block comment, stops at the first unknown key, keeps its
 * lexer in mid-string after an unterminated one, and recurses once for every open brace. So the
 * same grammar is read here first, iteratively and against the table of keys. What is wrong is
 * reported; a statement that is wrong in itself is blanked, so that the parser still finds the
 * faults behind it. Comments are blanked too. Newlines stay where they are: line numbers remain
 * those of the file.
 */
#include "policy/policy-scan.h"

#include "policy/policy-keys.h"
#include "policy/policy-lex.h"

#define DEPTH_MAX 3U /* top level, host or role, leaf */

struct level {
	enum context context;
	uint32_t line;	   /* of the key that opened it */
	size_t blank_from; /* where a section begins that is to be blanked, or SIZE_MAX */
	uint64_t seen;	   /* a bit for each key */
	uint32_t seen_line[POLICY_KEYS_MAX];
};

struct scanner {
	struct lexer lex;
	struct policy_scan *out;
	struct level levels[DEPTH_MAX];
	size_t depth;
};

/* The last token fits nowhere. With @name, the fault is that of a statement, and in its @line. */
static enum token unexpected(struct scanner *s, enum token t, const char *name, uint32_t line,
			     const char *expected)
{
	const char *colon = name ? ": " : "";
	size_t n = s->lex.end - s->lex.start;

	if (t == TOKEN_BAD)
		return t;
	if (!name) {
		name = "";
		line = s->lex.token_line;
	}
	if (t == TOKEN_END && s->depth > 0)
		return lex_fatal(&s->lex, line,
				 "%s%sunexpected end of file; expected %s (the brace opened in "
				 "line %u is not closed)",
				 name, colon, expected, s->levels[s->depth].line);
	if (t == TOKEN_END)
		return lex_fatal(&s->lex, line, "%s%sunexpected end of file; expected %s", name,
				 colon, expected);
	return lex_fatal(&s->lex, line, "%s%sunexpected %.*s; expected %s", name, colon,
			 (int)(n < 64 ? n : 64), s->lex.text + s->lex.start, expected);
}

/*
 * Reads a value, or a list of them. Sets *ret_list. Returns the last token, TOKEN_BAD on a fault.
 */
static enum token scan_value(struct scanner *s, const char *name, uint32_t line, bool *ret_list)
{
	enum token t = lex_next(&s->lex);

	*ret_list = t == TOKEN_OPEN;
	if (t == TOKEN_WORD || t == TOKEN_STRING)
		return t;
	if (t != TOKEN_OPEN)
		return unexpected(s, t, name, line, "a value");
	for (size_t n = 0;; n++) {
		t = lex_next(&s->lex);
		if (t == TOKEN_CLOSE && n == 0)
			lex_fault(&s->lex, line, "%s: empty list; expected a pattern", name);
		if (t == TOKEN_CLOSE)
			return t;
		if (t != TOKEN_WORD && t != TOKEN_STRING)
			return unexpected(s, t, name, s->lex.token_line,
					  "a value or } at the end of the list");
		t = lex_next(&s->lex);
		if (t == TOKEN_CLOSE)
			return t;
		if (t != TOKEN_COMMA)
			return unexpected(s, t, name, s->lex.token_line, ", or } in the list");
	}
}

static void unknown_key(struct scanner *s, enum context c, const char *name, uint32_t line)
{
	const struct policy_key *k = policy_key_elsewhere(name, strlen(name));
	const char *near = policy_key_suggest(c, name);

	if (k && k->kind == KEY_SECTION)
		lex_fault(&s->lex, line, "%s { } cannot stand %s", name, context_to_string(c));
	else if (k)
		lex_fault(&s->lex, line, "%s cannot stand %s; expected it %s", name,
			  context_to_string(c), context_to_string(k->contexts & -k->contexts));
	else if (near)
		lex_fault(&s->lex, line, "unknown key %s %s; expected %s?", name,
			  context_to_string(c), near);
	else
		lex_fault(&s->lex, line, "unknown key %s %s; thpd.conf(5) lists the keys", name,
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
		lex_fault(&s->lex, line, "%s is repeated; it is set in line %u already", name,
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
		lex_fault(&s->lex, line, "%s is a section; expected %s %s{ ... }", name, name,
			  k->kind == KEY_TITLED ? "'title' " : "");
	else if (k && list && k->kind != KEY_LIST)
		lex_fault(&s->lex, line, "%s takes one value, not a list", name);
	else if (k)
		return t;
	lex_blank(&s->lex, from, s->lex.end);
	return t;
}

/* Opens a section; @k is NULL for one that is reported already and only to be skipped. */
static enum token open_section(struct scanner *s, const struct policy_key *k, bool titled,
			       const char *name, uint32_t line, size_t from)
{
	struct level *up = &s->levels[s->depth], *l;
	bool bad = !k;

	if (k && k->kind != KEY_SECTION && k->kind != KEY_TITLED) {
		lex_fault(&s->lex, line, "%s is no section; expected %s = VALUE", name, name);
		bad = true;
	} else if (k && k->kind == KEY_SECTION && titled) {
		lex_fault(&s->lex, line, "%s takes no title; expected %s { ... }", name, name);
		bad = true;
	} else if (k && k->kind == KEY_TITLED && !titled) {
		lex_fault(&s->lex, line, "%s needs a title; expected %s '...' { ... }", name, name);
		bad = true;
	}
	if (s->depth + 1 >= DEPTH_MAX)
		return lex_fatal(&s->lex, line, "sections nested deeper than %u; expected }",
				 DEPTH_MAX - 1);
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
		return lex_fatal(&s->lex, s->lex.token_line,
				 "unexpected closing brace }; no section is open");
	s->depth--;
	if (l->blank_from != SIZE_MAX) {
		if (s->levels[s->depth].blank_from == SIZE_MAX)
			lex_blank(&s->lex, l->blank_from, s->lex.end);
		return TOKEN_CLOSE;
	}
	line = array_add(&s->out->arena, &s->out->section_lines);
	if (!line) {
		s->lex.diags->oom = true;
		return TOKEN_BAD;
	}
	*line = l->line;
	return TOKEN_CLOSE;
}

/* Reads one statement whose key is the last token. */
static enum token scan_statement(struct scanner *s)
{
	char name[64];
	size_t from = s->lex.start, n = s->lex.end - s->lex.start;
	uint32_t line = s->lex.token_line;
	const struct policy_key *k;
	bool titled = false;
	enum token t;

	if (n >= sizeof(name))
		return lex_fatal(&s->lex, line, "unknown key %.60s...; thpd.conf(5) lists the keys",
				 s->lex.text + from);
	memcpy(name, s->lex.text + from, n);
	name[n] = '\0';

	t = lex_next(&s->lex);
	if (t == TOKEN_PAREN && streq(name, "include"))
		return lex_fatal(&s->lex, line,
				 "include() is not supported; put the file into conf.d/");
	if (t == TOKEN_APPEND)
		return lex_fatal(&s->lex, line, "+= is not supported; expected %s = ...", name);
	k = t == TOKEN_BAD ? NULL : check_key(s, name, line);
	if (t == TOKEN_EQUAL)
		return scan_assignment(s, k, name, line, from);
	if (t == TOKEN_WORD || t == TOKEN_STRING) {
		titled = true;
		t = lex_next(&s->lex);
		if (t != TOKEN_OPEN && k && k->kind != KEY_SECTION && k->kind != KEY_TITLED)
			return unexpected(s, t, name, line, "= between key and value");
		if (t != TOKEN_OPEN)
			return unexpected(s, t, name, line, "{ behind the title");
	}
	if (t == TOKEN_OPEN)
		return open_section(s, k, titled, name, line, from);
	return unexpected(s, t, name, line,
			  k && k->kind == KEY_TITLED  ? "a title" :
			  k && k->kind == KEY_SECTION ? "{" :
							"=");
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
	sc->out = s;
	sc->lex = (struct lexer){ .diags = d, .file = file, .text = text, .len = *len, .line = 1 };
	sc->levels[0] = (struct level){ .context = CONTEXT_TOP, .blank_from = SIZE_MAX };
	s->unparsable = true;
	if (!lex_check_bytes(&sc->lex))
		return 0;
	for (;;) {
		enum token t = lex_next(&sc->lex);

		if (t == TOKEN_END && sc->depth == 0)
			break;
		if (t == TOKEN_WORD)
			t = scan_statement(sc);
		else if (t == TOKEN_CLOSE)
			t = close_section(sc);
		else
			t = unexpected(sc, t, NULL, 0,
				       t == TOKEN_STRING ? "a key, and keys are not quoted" :
				       sc->depth	 ? "a key or }" :
							   "a key");
		if (t == TOKEN_BAD)
			return d->oom ? -ENOMEM : 0;
	}
	s->unparsable = false;
	*len = lex_squeeze(text, *len);
	return 0;
}

/** policy_scan_free() - frees what a scan found */
void policy_scan_free(struct policy_scan *s)
{
	arena_free(&s->arena);
}
