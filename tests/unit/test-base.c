/* SPDX-License-Identifier: MIT */
#include "helper.h"

#include "base/parse.h"
#include "base/strmap.h"

static struct arena arena;

static void free_arena(void)
{
	arena_free(&arena);
}

/* One assertion for all bytes: each one costs libcheck a message. */
static bool all_bytes(const unsigned char *p, size_t n, unsigned char value)
{
	while (n > 0 && p[n - 1] == value)
		n--;
	return n == 0;
}

START_TEST(arena_memory_is_zeroed_aligned_and_apart)
{
	static const size_t sizes[] = { 1, 7, 16, 100, 2048, 2049, 9000, 8192, 3, 65536, 24 };
	unsigned char *items[500];

	/* Twice: what malloc() hands out again is not zero by itself. */
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
			size_t size = sizes[i % ARRAY_SIZE(sizes)];

			items[i] = arena_alloc(&arena, size);
			ck_assert_ptr_nonnull(items[i]);
			ck_assert_uint_eq((uintptr_t)items[i] % _Alignof(max_align_t), 0);
			ck_assert(all_bytes(items[i], size, 0));
			memset(items[i], (int)(i % 255) + 1, size);
		}
		for (size_t i = 0; i < ARRAY_SIZE(items); i++)
			ck_assert(all_bytes(items[i], sizes[i % ARRAY_SIZE(sizes)],
					    (unsigned char)(i % 255 + 1)));
		arena_free(&arena);
		ck_assert_ptr_null(arena.head);
	}
}
END_TEST

START_TEST(arena_refuses_what_cannot_be)
{
	char *before = arena_strdup(&arena, "before");

	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 15));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 0));
	ck_assert_str_eq(before, "before");
	ck_assert_str_eq(arena_strdup(&arena, "after"), "after");
}
END_TEST

START_TEST(arena_strings_are_copies)
{
	char buf[] = "madvise";
	char *whole = arena_strdup(&arena, buf), *part = arena_strndup(&arena, buf, 3);
	char *none = arena_strndup(&arena, buf, 0);

	memset(buf, 'x', sizeof(buf) - 1);
	ck_assert_str_eq(whole, "madvise");
	ck_assert_str_eq(part, "mad");
	ck_assert_str_eq(none, "");
}
END_TEST

START_TEST(arena_printf_takes_any_length)
{
	char big[20001];
	char *s;

	memset(big, 'z', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	s = arena_printf(&arena, "<%s|%d|%s>", big, -7, "");
	ck_assert_uint_eq(strlen(s), sizeof(big) - 1 + 6);
	ck_assert(startswith(s, "<zzz") && endswith(s, "zzz|-7|>"));
	ck_assert_str_eq(arena_printf(&arena, "%s", ""), "");
}
END_TEST

START_TEST(array_keeps_items_when_it_grows)
{
	ARRAY(struct {
		uint32_t a;
		char *s;
	})
	xs = { 0 };

	for (uint32_t i = 0; i < 5000; i++) {
		__auto_type x = array_add(&arena, &xs);

		ck_assert_ptr_nonnull(x);
		ck_assert(x->a == 0 && !x->s);
		x->a = i;
		x->s = arena_printf(&arena, "%u", i);
	}
	ck_assert_uint_eq(xs.n, 5000);
	for (uint32_t i = 0; i < xs.n; i++) {
		ck_assert_uint_eq(xs.items[i].a, i);
		ck_assert_uint_eq(strtoul(xs.items[i].s, NULL, 10), i);
	}
}
END_TEST

START_TEST(array_items_are_zeroed_again)
{
	ARRAY(int) xs = { 0 };
	const int *it;
	int sum = 0, rounds = 0;

	for (int i = 0; i < 4; i++)
		*(int *)array_add(&arena, &xs) = 99;
	xs.n = 0;
	ck_assert_int_eq(*(int *)array_add(&arena, &xs), 0);
	xs.items[0] = 5;
	array_foreach(it, &xs) {
		sum += *it;
		rounds++;
	}
	ck_assert_int_eq(sum, 5);
	ck_assert_int_eq(rounds, 1);
}
END_TEST

START_TEST(strmap_empty_has_nothing)
{
	struct strmap m = { 0 };
	uint32_t v = 42;

	ck_assert(!strmap_get(&m, "a", &v));
	ck_assert(!strmap_get(&m, "", NULL));
	ck_assert_uint_eq(v, 42);
}
END_TEST

START_TEST(strmap_keeps_the_first_value)
{
	struct strmap m = { 0 };
	uint32_t v = 0;

	ck_assert_int_eq(strmap_put(&m, &arena, "enabled", UINT32_MAX), 0);
	ck_assert_int_eq(strmap_put(&m, &arena, "", 0), 0);
	ck_assert_int_eq(strmap_put(&m, &arena, "enabled", 2), -EEXIST);
	ck_assert_uint_eq(m.used, 2);
	ck_assert(strmap_get(&m, "enabled", &v));
	ck_assert_uint_eq(v, UINT32_MAX);
	ck_assert(strmap_get(&m, "", &v));
	ck_assert_uint_eq(v, 0);
	ck_assert(strmap_get(&m, "enabled", NULL));
	ck_assert(!strmap_get(&m, "enable", NULL));
	ck_assert(!strmap_get(&m, "enabledd", NULL));
}
END_TEST

START_TEST(strmap_compares_text_not_pointers)
{
	struct strmap m = { 0 };
	char one[] = "khugepaged/defrag", two[] = "khugepaged/defrag";

	ck_assert_int_eq(strmap_put(&m, &arena, one, 1), 0);
	ck_assert(strmap_get(&m, two, NULL));
	ck_assert_int_eq(strmap_put(&m, &arena, two, 2), -EEXIST);
}
END_TEST

START_TEST(strmap_grows)
{
	enum { N = 20000 };
	struct strmap m = { 0 };
	uint32_t v = 0;

	for (uint32_t i = 0; i < N; i++)
		ck_assert_int_eq(strmap_put(&m, &arena, arena_printf(&arena, "key%u", i), i), 0);
	ck_assert_uint_eq(m.used, N);
	ck_assert_uint_gt(m.size, m.used);
	for (uint32_t i = 0; i < 2 * N; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "key%u", i);
		ck_assert_int_eq(strmap_get(&m, key, &v), i < N);
		if (i < N)
			ck_assert_uint_eq(v, i);
	}
}
END_TEST

/* Pairs of words with the same 32-bit FNV-1a hash. */
START_TEST(strmap_tells_colliding_keys_apart)
{
	static const char *const pairs[][2] = { { "costarring", "liquid" },
						{ "declinate", "macallums" },
						{ "altarage", "zinke" } };
	struct strmap m = { 0 };
	uint32_t v = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		ck_assert_int_eq(strmap_put(&m, &arena, pairs[i][0], i), 0);
		ck_assert_msg(!strmap_get(&m, pairs[i][1], NULL), "%s is taken for %s", pairs[i][1],
			      pairs[i][0]);
		ck_assert_int_eq(strmap_put(&m, &arena, pairs[i][1], 100 + i), 0);
	}
	/* They stay apart when the table is built anew. */
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_int_eq(strmap_put(&m, &arena, arena_printf(&arena, "%u", i), 1000), 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		ck_assert(strmap_get(&m, pairs[i][0], &v));
		ck_assert_uint_eq(v, i);
		ck_assert(strmap_get(&m, pairs[i][1], &v));
		ck_assert_uint_eq(v, 100 + i);
	}
}
END_TEST

START_TEST(parse_uint_takes_decimal_numbers)
{
	static const struct {
		const char *s;
		uint64_t max, v;
	} cases[] = {
		{ "0", 0, 0 },
		{ "1", 1, 1 },
		{ "511", 511, 511 },
		{ "10", UINT64_MAX, 10 },
		{ "4294967295", UINT32_MAX, UINT32_MAX },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 77;

		ck_assert_msg(parse_uint(cases[i].s, cases[i].max, &v) == 0, "%s", cases[i].s);
		ck_assert_uint_eq(v, cases[i].v);
	}
}
END_TEST

START_TEST(parse_uint_refuses_the_rest)
{
	static const char *const bad[] = { "",	  " ",	"-1", "+1",   " 1",  "1 ",
					   "1\n", "01", "00", "0x10", "1e3", "1k",
					   "1.0", "１", "-",  "one",  "4 2" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t v = 77;

		ck_assert_msg(parse_uint(bad[i], UINT64_MAX, &v) == -EINVAL, "'%s'", bad[i]);
		ck_assert_uint_eq(v, 77);
	}
}
END_TEST

START_TEST(parse_uint_knows_the_limit)
{
	static const struct {
		const char *s;
		uint64_t max;
	} cases[] = {
		{ "1", 0 },
		{ "512", 511 },
		{ "4294967296", UINT32_MAX },
		{ "18446744073709551615", UINT64_MAX - 1 },
		{ "18446744073709551616", UINT64_MAX },
		{ "18446744073709551620", UINT64_MAX },
		{ "99999999999999999999999999999999", UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 77;

		ck_assert_msg(parse_uint(cases[i].s, cases[i].max, &v) == -ERANGE, "%s",
			      cases[i].s);
		ck_assert_uint_eq(v, 77);
	}
}
END_TEST

START_TEST(strip_cuts_both_ends)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "a", "a" },
		{ " \t\r\n\v\f", "" },
		{ "  a b\t c \n", "a b\t c" },
		{ "never\n", "never" },
		{ "\n\nx", "x" },
		{ "\xc3\xa9 ", "\xc3\xa9" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[32];

		ck_assert_str_eq(strip(strcpy(buf, cases[i][0])), cases[i][1]);
	}
}
END_TEST

START_TEST(word_index_finds_whole_words)
{
	static const char *const words[] = { "always", "madvise", "never", NULL };
	static const char *const none[] = { NULL };

	ck_assert_int_eq(word_index(words, "always"), 0);
	ck_assert_int_eq(word_index(words, "never"), 2);
	ck_assert_int_eq(word_index(words, "neve"), -EINVAL);
	ck_assert_int_eq(word_index(words, "nevers"), -EINVAL);
	ck_assert_int_eq(word_index(words, "Never"), -EINVAL);
	ck_assert_int_eq(word_index(words, ""), -EINVAL);
	ck_assert_int_eq(word_index(none, "always"), -EINVAL);
}
END_TEST

static const char *const keys[] = {
	"enabled", "defrag", "shmem_enabled", "khugepaged", "thp", "exe"
};

START_TEST(closest_word_finds_slips)
{
	static const char *const cases[][2] = {
		{ "enabled", "enabled" },
		{ "enable", "enabled" },
		{ "enabeld", "enabled" },
		{ "defrga", "defrag" },
		{ "shmem_enable", "shmem_enabled" },
		{ "kugepaged", "khugepaged" },
		{ "tph", "thp" },
		{ "ex", "exe" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *w = closest_word(keys, ARRAY_SIZE(keys), cases[i][0]);

		ck_assert_msg(w != NULL, "nothing for %s", cases[i][0]);
		ck_assert_str_eq(w, cases[i][1]);
	}
}
END_TEST

START_TEST(closest_word_is_silent_when_none_is_near)
{
	static const char *const far[] = { "swappiness", "zzz", "", "numa_balancing" };
	char big[200];

	for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
		const char *w = closest_word(keys, ARRAY_SIZE(keys), far[i]);

		ck_assert_msg(!w, "'%s' for '%s'", w, far[i]);
	}
	ck_assert_ptr_null(closest_word(keys, 0, "enabled"));
	for (size_t n = 30; n < sizeof(big); n++) {
		const char *w;

		memset(big, 'q', n);
		big[n] = '\0';
		w = closest_word(keys, ARRAY_SIZE(keys), big);
		ck_assert_msg(!w, "'%s' for %zu bytes of something else", w, n);
	}
}
END_TEST

START_TEST(closest_word_prefers_the_nearest_then_the_first)
{
	static const char *const words[] = { "starts", "start", "stark" };

	ck_assert_str_eq(closest_word(words, 3, "start"), "start");
	ck_assert_str_eq(closest_word(words, 3, "starx"), "start");
	ck_assert_str_eq(closest_word(words + 1, 2, "sta"), "start");
}
END_TEST

START_TEST(prefix_and_suffix)
{
	ck_assert_str_eq(startswith("hugepages-64kB", "hugepages-"), "64kB");
	ck_assert_str_eq(startswith("a", ""), "a");
	ck_assert_ptr_null(startswith("huge", "hugepages-"));
	ck_assert(endswith("a.conf", ".conf") && endswith("a", ""));
	ck_assert(!endswith("conf", ".conf") && !endswith("a.conf~", ".conf"));
}
END_TEST

START_TEST(close_fd_leaves_errno_alone)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), copy = fd;

	ck_assert_int_ge(fd, 0);
	errno = ENOTTY;
	ck_assert_int_eq(close_fd(fd), -1);
	ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
	errno = ENOTTY;
	ck_assert_int_eq(close_fd(copy), -1);
	ck_assert_int_eq(errno, ENOTTY);
	ck_assert_int_eq(close_fd(-1), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base");
	TCase *c = new_case(s, "arena");

	tcase_add_checked_fixture(c, NULL, free_arena);
	tcase_add_test(c, arena_memory_is_zeroed_aligned_and_apart);
	tcase_add_test(c, arena_refuses_what_cannot_be);
	tcase_add_test(c, arena_strings_are_copies);
	tcase_add_test(c, arena_printf_takes_any_length);
	tcase_add_test(c, array_keeps_items_when_it_grows);
	tcase_add_test(c, array_items_are_zeroed_again);

	c = new_case(s, "strmap");
	tcase_add_checked_fixture(c, NULL, free_arena);
	tcase_add_test(c, strmap_empty_has_nothing);
	tcase_add_test(c, strmap_keeps_the_first_value);
	tcase_add_test(c, strmap_compares_text_not_pointers);
	tcase_add_test(c, strmap_grows);
	tcase_add_test(c, strmap_tells_colliding_keys_apart);

	c = new_case(s, "parse");
	tcase_add_test(c, parse_uint_takes_decimal_numbers);
	tcase_add_test(c, parse_uint_refuses_the_rest);
	tcase_add_test(c, parse_uint_knows_the_limit);
	tcase_add_test(c, strip_cuts_both_ends);
	tcase_add_test(c, word_index_finds_whole_words);
	tcase_add_test(c, closest_word_finds_slips);
	tcase_add_test(c, closest_word_is_silent_when_none_is_near);
	tcase_add_test(c, closest_word_prefers_the_nearest_then_the_first);
	tcase_add_test(c, prefix_and_suffix);
	tcase_add_test(c, close_fd_leaves_errno_alone);
	return run_suite(s);
}
