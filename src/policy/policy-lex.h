/* SPDX-License-Identifier: MIT */
#ifndef THPD_POLICY_POLICY_LEX_H
#define THPD_POLICY_POLICY_LEX_H

#include "model/diag.h"

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

/* Reads a policy's text token by token, in place. */
struct lexer {
	struct diags *diags;
	const char *file;
	char *text;
	size_t len, at;
	uint32_t line;
	/* The last token. */
	size_t start, end;
	uint32_t token_line;
};

enum token lex_next(struct lexer *l);
void lex_fault(struct lexer *l, uint32_t line, const char *fmt, ...) _printf_(3, 4);
enum token lex_fatal(struct lexer *l, uint32_t line, const char *fmt, ...) _printf_(3, 4);
void lex_blank(struct lexer *l, size_t from, size_t to);
bool lex_check_bytes(struct lexer *l);
size_t lex_squeeze(char *text, size_t len);

#endif
