/* SPDX-License-Identifier: MIT */
/* What thpd and thpd-helper say to each other. */
#include "helper.h"

#include <sys/socket.h>

#include "app/helper-client.h"
#include "app/helper-serve.h"

static int ours = -1, other = -1;

static void setup(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	ours = fds[0];
	other = fds[1];
}

static void teardown(void)
{
	ours = close_fd(ours);
	other = close_fd(other);
}

/* Sends one call of so many bytes, and then no more; the helper's result, and its answer. */
static int call(const struct helper_call *c, size_t size, struct helper_answer *ret, size_t *ret_n)
{
	ssize_t n;
	int r;

	ck_assert_int_eq(send(ours, c, size, 0), (ssize_t)size);
	ck_assert_int_eq(shutdown(ours, SHUT_WR), 0);
	r = helper_serve(other);
	other = close_fd(other);
	n = recv(ours, ret, sizeof(*ret), MSG_DONTWAIT);
	*ret_n = n < 0 ? 0 : (size_t)n;
	return r;
}

START_TEST(a_call_is_answered)
{
	static struct helper_call c = { .version = HELPER_WIRE_VERSION, .verb = HELPER_EXE };
	static struct helper_answer a;
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t n, rest = 0;

	ck_assert_int_gt(len, 0);
	self[len] = '\0';
	c.u.pid = getpid();
	ck_assert_int_eq(call(&c, HELPER_HEAD + sizeof(c.u.pid), &a, &n), 0);
	ck_assert_int_eq(helper_answered(&a, n, &rest), 0);
	ck_assert_int_eq(a.r, 0);
	ck_assert_uint_eq(rest, (size_t)len + 1);
	ck_assert_str_eq(a.u.path, self);
}
END_TEST

START_TEST(who_is_of_another_version_is_told_so)
{
	static const size_t sizes[] = { sizeof(uint32_t), HELPER_HEAD,
					HELPER_HEAD + sizeof(int32_t), sizeof(struct helper_call) };
	static const uint32_t versions[] = { HELPER_WIRE_VERSION - 1, HELPER_WIRE_VERSION + 1,
					     /* From before there were versions: the verb. */
					     HELPER_EXE };
	static struct helper_call c = { .verb = HELPER_EXE };
	static struct helper_answer a;
	size_t n, rest;

	for (size_t i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(versions); i++) {
		c.version = versions[i % ARRAY_SIZE(versions)];
		ck_assert_int_eq(call(&c, sizes[i / ARRAY_SIZE(versions)], &a, &n),
				 -EPROTONOSUPPORT);
		ck_assert_uint_eq(n, HELPER_ANSWER_HEAD);
		ck_assert_uint_eq(a.version, HELPER_WIRE_VERSION);
		ck_assert_int_eq(a.r, -EPROTONOSUPPORT);
		/* As he sees it, to whom our version is another one. */
		a.version = c.version;
		ck_assert_int_eq(helper_answered(&a, n, &rest), -EPROTONOSUPPORT);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(an_answer_is_checked)
{
	static struct helper_answer a = { .version = HELPER_WIRE_VERSION };
	size_t rest = 1;

	ck_assert_int_eq(helper_answered(&a, 0, &rest), -EPIPE);
	ck_assert_int_eq(helper_answered(&a, sizeof(a.version), &rest), -EBADMSG);
	ck_assert_int_eq(helper_answered(&a, HELPER_ANSWER_HEAD - 1, &rest), -EBADMSG);
	ck_assert_uint_eq(rest, 1);
	ck_assert_int_eq(helper_answered(&a, HELPER_ANSWER_HEAD, &rest), 0);
	ck_assert_uint_eq(rest, 0);
}
END_TEST

START_TEST(nonsense_is_not_answered)
{
	static struct helper_call c = { .version = HELPER_WIRE_VERSION, .verb = 77 };
	static struct helper_answer a;
	size_t n;

	ck_assert_int_eq(call(&c, HELPER_HEAD, &a, &n), -EBADMSG);
	ck_assert_uint_eq(n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("helper");
	TCase *c = new_case(s, "calls");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, a_call_is_answered);
	tcase_add_test(c, who_is_of_another_version_is_told_so);
	tcase_add_test(c, an_answer_is_checked);
	tcase_add_test(c, nonsense_is_not_answered);
	return run_suite(s);
}
