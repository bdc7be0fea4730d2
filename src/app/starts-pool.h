/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_STARTS_POOL_H
#define THPD_APP_STARTS_POOL_H

#include "app/starts.h"

void starts_pool_init(struct starts *s);
void starts_pool_fill(struct starts *s);
struct slot *starts_pool_take(struct starts *s);
void starts_pool_give(struct slot *slot);
bool starts_pool_busy(struct starts *s);
void starts_pool_expire(struct starts *s);
struct slot *starts_pool_ended(struct starts *s);
bool starts_pool_release(struct slot *slot);
void starts_pool_seized(struct inject_catch *job);
bool starts_slot_answer(struct slot *slot);

#endif
