/* SPDX-License-Identifier: MIT */
/* What the times of all rounds come to, as a table and as JSON. */
#include "spawn.h"

#include <jansson.h>

/* What the times of a command come to. */
struct summary {
	double median, p10, p90, p99;
	double ratio_of_medians; /* to the reference */
	double median_ratio;	 /* of the ratios to the reference within each round */
};

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which the fraction @q of the sorted values lies; interpolates. */
static double quantile(const double *sorted, long n, double q)
{
	double at = q * (double)(n - 1);
	long i = (long)at;

	if (i + 1 >= n)
		return sorted[n - 1];
	return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

/* Summaries of all commands, in their order; NULL when out of memory. */
static struct summary *summarise(const struct bench *b)
{
	struct summary *s = calloc(b->n, sizeof(*s));
	_cleanup_free_ double *v = calloc((size_t)b->rounds, sizeof(*v));
	const double *ref = b->commands[b->reference].us;
	size_t bytes = (size_t)b->rounds * sizeof(*v);

	if (!s || !v) {
		free(s);
		return NULL;
	}
	for (size_t i = 0; i < b->n; i++) {
		const double *us = b->commands[i].us;

		memcpy(v, us, bytes);
		qsort(v, (size_t)b->rounds, sizeof(*v), compare_doubles);
		s[i].median = quantile(v, b->rounds, 0.5);
		s[i].p10 = quantile(v, b->rounds, 0.1);
		s[i].p90 = quantile(v, b->rounds, 0.9);
		s[i].p99 = quantile(v, b->rounds, 0.99);
		for (long j = 0; j < b->rounds; j++)
			v[j] = us[j] / ref[j];
		qsort(v, (size_t)b->rounds, sizeof(*v), compare_doubles);
		s[i].median_ratio = quantile(v, b->rounds, 0.5);
	}
	for (size_t i = 0; i < b->n; i++)
		s[i].ratio_of_medians = s[i].median / s[b->reference].median;
	return s;
}

static void print_table(const struct bench *b, const struct summary *s, FILE *f)
{
	fprintf(f, "%-16s %9s %9s %9s %9s %8s %8s %9s\n", "label", "median_us", "p10", "p90", "p99",
		"ratio", "rounds", "rss_KiB");
	for (size_t i = 0; i < b->n; i++)
		fprintf(f, "%-16s %9.1f %9.1f %9.1f %9.1f %8.3f %8.3f %9ld\n", b->commands[i].label,
			s[i].median, s[i].p10, s[i].p90, s[i].p99, s[i].ratio_of_medians,
			s[i].median_ratio, b->commands[i].rss_kib);
	fprintf(f, "# rss_KiB up to about %ld, which is our own, means that much at most\n",
		b->rss_floor_kib);
}

static json_t *words_to_json(char *const *words)
{
	json_t *a = words ? json_array() : json_null();

	for (; words && *words; words++)
		(void)json_array_append_new(a, json_string(*words));
	return a;
}

/* The whole result; NULL when out of memory. */
static json_t *make_json(const struct bench *b, const struct summary *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < b->n; i++) {
		const struct command *c = &b->commands[i];
		json_t *o = json_pack("{s:s,s:o,s:o,s:f,s:f,s:f,s:f,s:f,s:f,s:I}", "label",
				      c->label, "argv", words_to_json(c->argv), "before",
				      words_to_json(c->before), "median_us", s[i].median, "p10_us",
				      s[i].p10, "p90_us", s[i].p90, "p99_us", s[i].p99,
				      "ratio_of_medians", s[i].ratio_of_medians, "median_ratio",
				      s[i].median_ratio, "max_rss_kib", (json_int_t)c->rss_kib);

		if (json_array_append_new(list, o) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:s,s:I,s:I,s:s,s:I,s:o}", "schema", "thpd.bench/1", "rounds",
			 (json_int_t)b->rounds, "warm_up", (json_int_t)b->warm_up, "reference",
			 b->commands[b->reference].label, "rss_floor_kib",
			 (json_int_t)b->rss_floor_kib, "commands", list);
}

/* Writes the JSON document to the file asked for. Returns 0 or -1. */
static int write_json(const struct bench *b, const struct summary *s)
{
	FILE *f = streq(b->output, "-") ? stdout : fopen(b->output, "w");
	json_t *j = f ? make_json(b, s) : NULL;
	int r = -1;

	if (j && json_dumpf(j, f, JSON_INDENT(2) | JSON_REAL_PRECISION(7)) == 0 &&
	    fputc('\n', f) != EOF)
		r = 0;
	json_decref(j);
	if (f && (f == stdout ? fflush(f) : fclose(f)) != 0)
		r = -1;
	if (r < 0)
		fprintf(stderr, "spawn: %s: could not be written\n", b->output);
	return r;
}

/**
 * bench_report() - prints the table, and writes the JSON document where that is asked for
 * @b: with the times of all rounds
 *
 * Return: 0; -1 (reported) when it could not be written.
 */
int bench_report(const struct bench *b)
{
	_cleanup_free_ struct summary *s = summarise(b);

	if (!s) {
		fprintf(stderr, "spawn: %s\n", strerror(ENOMEM));
		return -1;
	}
	print_table(b, s, b->output && streq(b->output, "-") ? stderr : stdout);
	return b->output ? write_json(b, s) : 0;
}
