/* SPDX-License-Identifier: MIT */
/* What the files of the JSON report share; nobody else includes it. */
#ifndef THPD_MODEL_REPORT_JSON_H
#define THPD_MODEL_REPORT_JSON_H

#include <jansson.h>

#include "model/report-parts.h"

int js_set(json_t *o, const char *key, json_t *value);
int js_set_pos(json_t *o, struct pos pos);
int js_set_why(json_t *o, enum outcome outcome, int error, const char *note);
json_t *js_done(json_t *o, int failed);
json_t *js_text(const char *s);
json_t *js_text_or_null(const char *s);
json_t *js_strings(const strlist *l);
json_t *js_kb(int64_t kb);

int js_set_services(json_t *top, const struct report *r);
json_t *js_reclaim(const struct reclaim_report *r);
json_t *js_carried(const carried_flags *l);
json_t *js_daemon(const struct daemon_view *v);

#endif
