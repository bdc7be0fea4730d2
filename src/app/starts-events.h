/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_STARTS_EVENTS_H
#define THPD_APP_STARTS_EVENTS_H

#include "app/starts.h"

int starts_events_begin(struct starts *s);
void starts_events_publish(struct starts *s, struct starts_table *table);

#endif
