#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds with every compiler and checker at hand, each in a folder of its own below $work: gcc, clang,
# sanitizers (with the unit tests), distcheck, clang-tidy, cppcheck, shellcheck, the fuzzer.
set -u
: "${work:?a folder for the builds}" "${srcdir:?the path of the source tree}"
THPCTL=$work/gcc/thpctl
export THPCTL
# shellcheck source=tests/lib.sh
. "$srcdir/tests/lib.sh"

have() {
	command -v "$1" >/dev/null
}

# absent NAME TOOL: a skip, or under CI a failure
absent() {
	if [ "${CI:-}" = true ]; then
		fail "$1" "$2 is missing, and this is CI"
	else
		skip "$1" "$2 is not installed"
	fi
}

# build NAME CONFIGURE-ARGUMENT...
build() {
	build_dir=$work/$1
	shift
	mkdir -p "$build_dir"
	(cd "$build_dir" && "$srcdir/configure" --quiet "$@" && make -s -j2 all) >"$build_dir.log" 2>&1
}

if build gcc --enable-werror; then
	pass "gcc builds without a warning"
else
	fail "gcc builds without a warning" "$(tail -n 40 "$work/gcc.log")"
	finish
fi
if build dynamic --enable-werror --disable-static-thpctl; then
	pass "the same, linked dynamically"
else
	fail "the same, linked dynamically" "$(tail -n 40 "$work/dynamic.log")"
fi

if ! have clang; then
	absent "clang builds without a warning" clang
elif build clang --enable-werror CC=clang; then
	pass "clang builds without a warning"
else
	fail "clang builds without a warning" "$(tail -n 40 "$work/clang.log")"
fi

# The suites that end in the program's own code, with AddressSanitizer, LeakSanitizer and UBSan.
if build asan --enable-sanitizers --enable-werror; then
	pass "builds with sanitizers"
	if out=$(ASAN_OPTIONS=detect_leaks=1 make -s -C "$work/asan" check \
		SUITES="suite-policies.sh suite-golden.sh suite-cli.sh" 2>&1); then
		pass "unit tests, policies and golden files with sanitizers: $(echo "$out" | tail -n 1)"
	else
		fail "unit tests, policies and golden files with sanitizers" "$(echo "$out" | tail -n 60)"
	fi
else
	fail "builds with sanitizers" "$(tail -n 40 "$work/asan.log")"
fi

if ! have clang; then
	absent "fuzzing the policy loader" clang
elif (mkdir -p "$work/fuzz/corpus" && cd "$work/fuzz" &&
	"$srcdir/configure" --quiet --enable-fuzzer --enable-sanitizers CC=clang \
		CFLAGS="-O1 -g -fsanitize=fuzzer-no-link" && make -s -j2 tests/fuzz/fuzz-policy
	) >"$work/fuzz.log" 2>&1; then
	if "$work/fuzz/tests/fuzz/fuzz-policy" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=65536 \
		-timeout=10 -dict="$srcdir/tests/fuzz/policy.dict" -artifact_prefix="$work/fuzz/" \
		"$work/fuzz/corpus" "$srcdir/tests/fuzz/corpus" >"$work/fuzz.log" 2>&1; then
		pass "fuzzing the policy loader: $(sed -n 's/^Done \(.*\)/\1/p' "$work/fuzz.log")"
	else
		fail "fuzzing the policy loader" "$(tail -n 40 "$work/fuzz.log")"
	fi
else
	fail "fuzzing the policy loader" "$(tail -n 40 "$work/fuzz.log")"
fi

if have clang-tidy; then
	check "clang-tidy finds nothing" sh -c 'cd "$1" && ls src/*/*.c | xargs -n 1 -P "$(nproc)" sh -c "
		clang-tidy --quiet \"\$@\" -- -std=gnu11 -D_GNU_SOURCE -Isrc -I\"\$0\"" "$2"' sh "$srcdir" "$work/gcc"
else
	absent "clang-tidy finds nothing" clang-tidy
fi
if have cppcheck; then
	check "cppcheck finds nothing" cppcheck -j "$(nproc)" --quiet --error-exitcode=1 --std=c11 \
		--enable=warning,portability --inline-suppr --suppress=memleak \
		--suppress='*:*/confuse.h' -D_GNU_SOURCE -I"$srcdir/src" -I"$work/gcc" "$srcdir/src"
else
	absent "cppcheck finds nothing" cppcheck
fi
if have clang-format && [ "$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')" = 14 ]; then
	check "clang-format finds nothing" sh -c 'cd "$1" && clang-format --dry-run --Werror \
		src/*/*.[ch] tests/unit/*.[ch] tests/fuzz/*.c bench/*.c' sh "$srcdir"
else
	skip "clang-format finds nothing" "needs clang-format 14, others format otherwise"
fi
if have shellcheck; then
	check "shellcheck finds nothing" sh -c 'cd "$1" && shellcheck -x -S warning tests/run tests/run-all \
		tests/*.sh tests/container/run tests/container/boot tests/container/tree tests/container/*.sh \
		tests/container/packages/*.sh tests/container/suites/*.sh tests/container/starts/* \
		tests/vm/check-arm64 tests/vm/guest \
		tests/vm/kernel tests/vm/machine tests/vm/run tests/vm/run-kernel tests/vm/*.sh \
		tests/vm/suites/*.sh packaging/install-deps \
		packaging/quickstart bench/*.sh .ci/run \
		completions/bash/thpctl' sh "$srcdir"
else
	absent "shellcheck finds nothing" shellcheck
fi

if (cd "$work/gcc" && make -s distcheck SUITES="suite-policies.sh suite-golden.sh suite-install.sh" \
	AM_DISTCHECK_DVI_TARGET=) >"$work/distcheck.log" 2>&1; then
	pass "make distcheck"
else
	fail "make distcheck" "$(tail -n 60 "$work/distcheck.log")"
fi

finish
