/* SPDX-License-Identifier: MIT */
#ifndef THPD_APP_STARTS_TEST_H
#define THPD_APP_STARTS_TEST_H

#include "app/starts.h"

#define STARTS_TEST_OPTION "--say-flag"

enum starts_gate starts_test(struct starts *s);
int starts_test_child(void);

#endif
