#!/bin/sh
# SPDX-License-Identifier: MIT
# What `check` says about policies: those in tests/policies, those that are installed, and files that
# are no good for other reasons than their content. And that `apply` takes a policy whole or not at all.
set -u
LC_ALL=C
export LC_ALL

# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"

policies=$srcdir/tests/policies
cd "$tmp" || exit 1

# skip_root NAME: skips what only root can set up
skip_root() {
	if [ "${CI:-}" = true ]; then
		fail "$1" "needs root, which CI has to have"
	else
		skip "$1" "needs root"
	fi
}

# Copies the policies of a directory to ./NAME, running the generators.
copy_policies() {
	mkdir "$1"
	for f in "$policies/$1"/*; do
		case $f in
		*.conf)
			cp "$f" "$1/"
			;;
		*.gen)
			sh "$f" >"$1/$(basename "$f" .gen).conf"
			;;
		esac
	done
	chmod -R go-w "$1"
}

# Holds the errors in $tmp/err against a line of EXPECT: NAME, LINES, WORDS are in the environment.
# Prints what is wrong, if anything is.
# shellcheck disable=SC2016 # the dollars are those of awk
judge='
BEGIN {
	name = ENVIRON["NAME"]
	lines = ENVIRON["LINES"]
	words = tolower(ENVIRON["WORDS"])
	nwords = words == "-" ? 0 : split(words, word, /[|]/)
	for (i = 1; i <= nwords; i++)
		gsub(/^ +| +$/, "", word[i])
	nwanted = lines == "-" || lines == "*" ? 1 : split(lines, wanted, ",")
}
/[\001-\010\013-\037\177]/ { print "control characters in line " NR " of standard error" }
/^thpctl: \.\.\. and [0-9]+ more errors$/ { next }
index($0, name ":") != 1 { print "not of the form FILE:LINE: message: " $0; next }
{
	rest = substr($0, length(name) + 2)
	line = "-"
	if (match(rest, /^[0-9]+:/)) {
		line = substr(rest, 1, RLENGTH - 1)
		rest = substr(rest, RLENGTH + 1)
	}
	if (index(rest, " error: ") != 1) {
		if (index(rest, " warning: ") != 1)
			print "neither error nor warning: " $0
		next
	}
	message = tolower(substr(rest, 9))
	all = message != ""
	for (i = 1; i <= nwords; i++)
		all = all && index(message, word[i]) > 0
	errors++
	for (i = 1; i <= nwanted; i++) {
		if (lines == "*" ? line != "-" : lines == "-" ? line == "-" : line == wanted[i])
			if (all) {
				seen[i]++
				if (errors == 1)
					first = 1
			}
	}
}
END {
	if (!first)
		print "the first error is not the one expected"
	for (i = 1; i <= nwanted; i++)
		if (!seen[i])
			print "no error at line " (lines == "*" || lines == "-" ? lines : wanted[i]) \
				" with: " words
}'

copy_policies bad
copy_policies good

# The tree on which every bad policy is applied.
copy_host linux-6.18 tree
mkdir tree/policy
cp bad/*.conf good/05-top-level-others.conf tree/policy/
tree_sum() {
	tar -cf - tree | cksum
}
tree_before=$(tree_sum)

while read -r file status lines words; do
	case $file in
	'' | '#'*)
		continue
		;;
	esac
	file=${file%.*}.conf
	if [ ! -e "bad/$file" ]; then
		fail "bad/$file" "named in EXPECT, but there is no such file"
		continue
	fi
	: >"bad/$file.seen"
	run "$status" timeout 10 "$THPCTL" check "bad/$file" || {
		fail "bad/$file" "$run_detail"
		continue
	}
	NAME=bad/$file LINES=$lines WORDS=$words awk "$judge" "$tmp/err" >wrong
	grep -Eq '^invalid: [0-9]+ errors?$' "$tmp/out" ||
		echo "no result on standard output" >>wrong
	[ "$(wc -l <"$tmp/out")" = 1 ] || echo "more than one line on standard output" >>wrong
	detail=$run_detail
	run 2 timeout 10 "$THPCTL" --root tree --policy "/policy/$file" apply || {
		echo "apply: exit status $run_status instead of 2" >>wrong
		tree_before=$(tree_sum)
	}
	grep -q 'nothing was changed' "$tmp/out" || echo "apply: does not say so" >>wrong
	if [ -s wrong ]; then
		fail "bad/$file" "$(cat wrong)" "$detail"
	else
		pass "bad/$file"
	fi
done <"$policies/bad/EXPECT"

for f in bad/*.conf; do
	[ -e "$f.seen" ] || fail "$f" "not in EXPECT"
done
is "no apply of a bad policy changed the tree" "$(tree_sum)" "$tree_before"

# The same with a good one, or the sum above would prove nothing.
run 0 "$THPCTL" --root tree --policy /policy/05-top-level-others.conf apply || true
run 0 "$THPCTL" --root tree apply
if [ "$(tree_sum)" != "$tree_before" ]; then
	pass "an apply of a good policy changes it"
else
	fail "an apply of a good policy changes it" "$run_detail"
fi

for f in good/*.conf; do
	if run 0 timeout 10 "$THPCTL" check "$f" && grep -q '^valid: 1 file, ' "$tmp/out" &&
	    [ ! -s "$tmp/err" ]; then
		pass "$f"
	else
		fail "$f" "$run_detail"
	fi
done
run 0 timeout 10 "$THPCTL" --json check good/24-services-2000.conf
is "2000 rules are counted" "$(grep -c 'valid: 1 file, 1 role, 0 settings, 2000 service rules' \
	"$tmp/out")" 1

# What is installed.
cp -R "$srcdir/conf" conf
chmod -R u+w,go-w conf
for f in conf/thpd.conf conf/roles/*.conf; do
	check "$f is valid" "$THPCTL" check "$f"
done
check "the installed policy with its role library is valid" "$THPCTL" --policy conf check
run 0 "$THPCTL" --policy conf --verbose check
for f in conf/roles/*.conf; do
	role=$(basename "$f" .conf)
	grep -Eq "(^| )$role( |\$)" "$tmp/out" || fail "check --verbose lists role $role" "$run_detail"
	grep -q "^role '$role' {" "$f" || fail "$f holds role $role"
done
pass "check --verbose lists every role of the library"

cp -R conf uncommented
sed -E 's/^( *)#([^ ])/\1\2/' conf/thpd.conf >uncommented/thpd.conf
if cmp -s conf/thpd.conf uncommented/thpd.conf; then
	fail "conf/thpd.conf has settings commented out"
fi
check "conf/thpd.conf with everything uncommented is valid" "$THPCTL" --policy uncommented check
echo 'role "redis" { enabled = sometimes }' >uncommented/roles/redis.conf
check "check looks into the role library" run 1 "$THPCTL" --policy uncommented check

# Files, not content. good: a valid policy that may be copied.
mkdir files
chmod 755 files .
printf 'host { enabled = madvise }\n' >files/good.conf

# file_case NAME STATUS WORD PATH [PREFIX...]: `check PATH` exits with STATUS, and its error has WORD
file_case() {
	case_name=$1
	case_status=$2
	case_word=$3
	case_path=$4
	shift 4
	if run "$case_status" "$@" timeout 10 "$THPCTL" check "$case_path" &&
	    grep -q "^$case_path: error: .*$case_word" "$tmp/err"; then
		pass "$case_name"
	else
		fail "$case_name" "wanted: $case_path: error: ...$case_word" "$run_detail"
	fi
}

if [ "$(id -u)" = 0 ]; then
	cp files/good.conf files/other-owner.conf
	chown 65534 files/other-owner.conf
	file_case "a policy of another user" 1 owned files/other-owner.conf
	cp files/good.conf files/group.conf
	chgrp 65534 files/group.conf
	chmod 664 files/group.conf
	file_case "a policy writable by its group" 1 writable files/group.conf
	run 0 unprivileged "$THPCTL" check files/other-owner.conf
	is "an unprivileged caller may check his own" "$run_status" 0
	run 1 unprivileged "$THPCTL" check files/group.conf
	is "an unprivileged caller may not rely on a group's" "$run_status" 1
	cp files/good.conf files/daemons.conf
	chown 1 files/daemons.conf
	file_case "a policy of neither root nor the caller" 1 owned files/daemons.conf unprivileged
else
	for name in "a policy of another user" "a policy writable by its group" \
		"an unprivileged caller may check his own" \
		"an unprivileged caller may not rely on a group's" \
		"a policy of neither root nor the caller"; do
		skip_root "$name"
	done
fi
cp files/good.conf files/world.conf
chmod 646 files/world.conf
file_case "a policy writable by all" 1 writable files/world.conf
cp files/good.conf files/private.conf
chmod 000 files/private.conf
file_case "a policy without permission to read it" 2 'Permission denied' files/private.conf unprivileged

mkdir -p open/conf.d
cp files/good.conf open/conf.d/
chmod 777 open/conf.d
run 1 "$THPCTL" --policy open check
is "a conf.d that others can write" "$run_status $(grep -c 'open/conf.d: error: .*writable' "$tmp/err")" \
	"1 1"

file_case "a policy that does not exist" 2 'No such file' files/missing.conf
ln -s missing.conf files/dangling.conf
file_case "a dangling link" 2 'No such file' files/dangling.conf
ln -s loop.conf files/loop.conf
file_case "a link to itself" 2 'symbolic links' files/loop.conf
mkfifo files/fifo.conf
file_case "a FIFO" 2 'not a regular file' files/fifo.conf
file_case "a device without end" 2 'not a regular file' /dev/zero
mkdir files/directory.conf
run 2 "$THPCTL" check files/directory.conf
is "a directory without a policy in it" "$run_status $(grep -c 'no policy found' "$tmp/err")" "2 1"
ln -s good.conf files/link.conf
check "a link to a policy is fine" "$THPCTL" check files/link.conf
run 2 "$THPCTL" check files/good.conf files/missing.conf
is "one of two files missing is trouble" "$run_status" 2
is "all troubles are named" "$(grep -c '^files/missing.conf: error: ' "$tmp/err")" 1
run 2 "$THPCTL" check files/missing.conf files/world.conf
is "trouble and a fault together are trouble" "$run_status" 2
is "and both are named" "$(grep -c '^files/[a-z]*.conf: error: ' "$tmp/err")" 2

# A file that changes while it is read. It is only looked at for how it ends.
cp good/26-exactly-one-mebibyte.conf files/changing.conf
(
	while :; do
		head -c 100000 good/26-exactly-one-mebibyte.conf >files/changing.conf
		cat good/26-exactly-one-mebibyte.conf >>files/changing.conf
	done
) &
writer=$!
worst=0
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	run_status=0
	timeout 10 "$THPCTL" check files/changing.conf >"$tmp/out" 2>"$tmp/err" || run_status=$?
	[ "$run_status" -le "$worst" ] || worst=$run_status
done
kill "$writer"
wait "$writer" 2>/dev/null
if [ "$worst" -le 2 ]; then
	pass "a file that changes while it is read is no crash"
else
	fail "a file that changes while it is read is no crash" "exit status $worst"
fi

# Directories: conf.d, masks, the role library.
new_dir() {
	rm -rf dir
	mkdir -p dir/conf.d dir/roles
	cp files/good.conf dir/thpd.conf
}

new_dir
ln -s missing dir/conf.d/10-dangling.conf
run 2 "$THPCTL" --policy dir check
is "a dangling link in conf.d is trouble" "$run_status" 2
check "and is named" grep -q '^dir/conf.d/10-dangling.conf: error: ' "$tmp/err"

new_dir
echo 'this is no policy' >dir/conf.d/10-a.conf.save
ln -s /dev/null dir/conf.d/20-masked.conf
check "a link to /dev/null in conf.d masks, other suffixes are not read" "$THPCTL" --policy dir check

new_dir
echo 'verify_intervall = 1' >dir/conf.d/10-a.conf
echo 'verify_intervall = 1' >dir/conf.d/20-b.conf
run 1 "$THPCTL" --policy dir check
is "a fault in two files of conf.d" "$run_status" 1
is "both are named" "$(grep -c '^dir/conf.d/[12]0-[ab].conf:1: error: .*verify_intervall' "$tmp/err")" 2

# role_case NAME TEXT: roles/cache.conf with TEXT is a fault, for check and, as the role, for plan
role_case() {
	new_dir
	printf '%s\n' "$2" >dir/roles/cache.conf
	run 1 "$THPCTL" --policy dir check && grep -Eq "^dir/roles/cache.conf:([0-9]+:)? error: " "$tmp/err"
	is "$1: check" "$?" 0
	# `plan` does not come to the host with a policy like this.
	run 2 "$THPCTL" --policy dir --role cache plan &&
		grep -Eq "^dir/roles/cache.conf:([0-9]+:)? error: " "$tmp/err"
	is "$1: plan" "$?" 0
}
role_case "a role file with a role of another name" "role 'cash' { enabled = never }"
role_case "a role file with two roles" "role 'cache' { enabled = never } role 'b' { enabled = never }"
role_case "a role file with a host section" "role 'cache' { enabled = never } host { enabled = never }"
role_case "a role file without a role" "# nothing"

finish
