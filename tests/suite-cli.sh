#!/bin/sh
# SPDX-License-Identifier: MIT
# The command line: exit statuses, messages, options, where policy and role come from, and `exec`.
set -u
LC_ALL=C
export LC_ALL
unset NO_COLOR CREDENTIALS_DIRECTORY

# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"

# Where nobody, too, can reach it.
chmod 755 "$tmp"
cp "$THPCTL" "$tmp/thpctl"
ctl=$tmp/thpctl
version=$("$ctl" --version | sed -n 's/^thpctl (thpd) //p')
cd "$tmp" || exit 1

# out_has NAME REGEX, err_has NAME REGEX: a line of what the last run printed
out_has() {
	if grep -Eq -- "$2" out; then
		pass "$1"
	else
		fail "$1" "wanted on standard output: $2" "$run_detail"
	fi
}
err_has() {
	if grep -Eq -- "$2" err; then
		pass "$1"
	else
		fail "$1" "wanted on standard error: $2" "$run_detail"
	fi
}

# usage NAME STATUS REGEX ARGUMENT...: a usage error, one line, which points to --help
usage() {
	usage_name=$1
	usage_status=$2
	usage_regex=$3
	shift 3
	if run "$usage_status" timeout 10 "$ctl" "$@" && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] &&
	    grep -Eq -- "^thpctl: $usage_regex; try 'thpctl --help'\$" err; then
		pass "usage: $usage_name"
	else
		fail "usage: $usage_name" "wanted: thpctl: $usage_regex" "$run_detail"
	fi
}

new_tree() {
	rm -rf tree
	copy_host "$1" tree
	mkdir -p tree/run
	thp=tree/sys/kernel/mm/transparent_hugepage
}

# --- help and version
for option in --help -h; do
	exits "$option" 0 "$ctl" $option
	out_has "$option says how to use it" '^Usage: thpctl '
done
for word in check plan apply verify status exec reclaim restore doctor --policy --root --role --json \
	--thp --failed --unit --empty --pid --max-rate --all --force --dry-run --quiet --verbose --help \
	--version; do
	out_has "--help names $word" "(^|[ ,])$word( |\$)"
done
exits "--help behind the verb" 0 "$ctl" plan --help
out_has "--help behind the verb is the same" '^Usage: thpctl '
is "nothing on standard error" "$(cat err)" ""
for option in --version -V; do
	exits "$option" 0 "$ctl" $option
	is "$option is one line" "$(cat out)" "thpctl (thpd) $version"
done
is "the version is one" "$(expr "$version" : '[0-9][0-9]*\.[0-9][0-9.]*')" "${#version}"

# --- usage errors
usage "no verb" 2 'no verb given'
usage "options, but no verb" 2 'no verb given' --json
usage "unknown verb" 2 "unknown verb 'frobnicate'.*" frobnicate
usage "verb with a letter too few" 2 "unknown verb 'aply'; expected apply\?" aply
usage "empty verb" 2 "unknown verb ''.*" ''
usage "unknown option" 2 'unknown option --frobnicate' --frobnicate plan
usage "unknown option behind the verb" 2 'unknown option --frobnicate' plan --frobnicate
usage "unknown letter" 2 'unknown option -x' -x plan
usage "unknown letter before another" 2 'unknown option -x.*' -xq plan
usage "unknown letter behind another" 2 'unknown option -.*x' -qx plan
for option in --policy --root --role --thp --unit --pid --max-rate; do
	usage "$option without a value" 2 "$option needs a value" plan $option
done
for verb in plan apply verify status restore doctor; do
	usage "$verb with an argument" 2 "$verb takes no arguments" $verb something
done
usage "check with files and --policy" 2 'check takes files or --policy, not both' --policy a check b
usage "--quiet and --verbose" 2 '--quiet and --verbose contradict each other' -q -v plan
usage "--thp for another verb" 2 '--thp belongs to exec' --thp=disable plan
usage "unknown mode" 2 "--thp: unknown mode 'never'; expected disable, madvise, system or inherit" \
	plan --thp never
for option in --failed --empty --unit=x; do
	for verb in check plan apply verify reclaim restore doctor; do
		usage "$option for $verb" 2 "${option%=*} belongs to status" $verb $option
	done
done
for option in --pid=1 --max-rate=1 --all --force --dry-run; do
	for verb in check plan apply verify status restore doctor; do
		usage "$option for $verb" 2 "${option%=*} belongs to reclaim" $option $verb
	done
	usage "exec with $option" 125 'exec takes no option but --thp' exec $option true
done
usage "reclaim without a unit" 2 'reclaim needs a unit or --pid' reclaim --all
usage "reclaim with both" 2 'reclaim takes units or --pid, not both' reclaim --pid 1 a.service
usage "reclaim of a tree" 2 'reclaim is for running processes.*: it takes no --root.*' --root . reclaim a
usage "reclaim with a policy" 2 'reclaim is for running processes.*' reclaim a --policy x
usage "reclaim with a role" 2 'reclaim is for running processes.*' reclaim a --role x
usage "reclaim -q -v" 2 '--quiet and --verbose contradict each other' reclaim -qv a
for pid in '' 0 -1 1x ' 1' 0x10 01 2147483648 99999999999999999999 self; do
	usage "--pid '$pid'" 2 "--pid: '$pid' is no process; expected its number" reclaim --pid "$pid"
done
for rate in '' K 1k 1KB -1 1.5G 01 0x1 ' 1M' '1 M' 1MM 18446744073709551616 18014398509481984K 16777216T; do
	usage "--max-rate '$rate'" 2 "--max-rate: '$rate' is no rate; expected bytes per second, as in 512M,.*" \
		reclaim --max-rate "$rate" a.service
done
usage "exec without a command" 125 'exec needs a command' exec
usage "exec -- without a command" 125 'exec needs a command' exec --
usage "exec with an unknown mode" 125 "--thp: unknown mode 'never'.*" exec --thp=never true
usage "exec with an empty mode" 125 "--thp: unknown mode ''.*" exec --thp= true
usage "exec --thp alone" 125 '--thp needs a value' exec --thp
usage "exec with an unknown option" 125 'unknown option --frobnicate' exec --frobnicate true
for option in --json --root=/ --role=x --policy=x; do
	usage "exec with $option" 125 'exec takes no option but --thp' exec $option true
done

# --- exit statuses of the verbs, on a tree
new_tree linux-6.18
rm tree/usr/lib/thpd/roles/unused.conf
exits "check 0" 0 "$ctl" --root tree check
out_has "check says valid" '^valid: 4? ?[0-9]+ files?, '
exits "plan 1" 1 "$ctl" --root tree plan
out_has "plan has the result in the last line" '^5 to change: 5 settings drifted(,|$)'
exits "verify 1" 1 "$ctl" --root tree verify
out_has "verify has the result in the last line" '^not in compliance: 5 settings drifted(,|$)'
exits "status 0, in compliance or not" 0 "$ctl" --root tree status
out_has "status says so" '^not in compliance: 5 settings drifted(,|$)'
exits "doctor 0" 0 "$ctl" --root tree doctor
out_has "doctor found nothing" '^nothing found that fights the policy$'
exits "restore 0, nothing to do" 0 "$ctl" --root tree restore
out_has "restore says so" '^nothing to restore: no apply in this boot$'
exits "apply 0" 0 "$ctl" --root tree apply
out_has "apply says so" '^applied: 5 settings changed(,.*)?; all values read back$'
exits "plan 0" 0 "$ctl" --root tree plan
out_has "plan says so" '^nothing to change: 5 settings ok(,|$)'
exits "verify 0" 0 "$ctl" --root tree verify
out_has "verify says so" '^in compliance: 5 settings ok(,|$)'
exits "second apply 0" 0 "$ctl" --root tree apply
out_has "second apply says so" '^applied: 5 settings ok(,.*)?; all values read back$'
exits "status after apply" 0 "$ctl" --root tree status
out_has "status names what is saved" '5 settings saved; thpctl restore puts them back$'
exits "restore 0" 0 "$ctl" --root tree restore
out_has "restore says so" '^restored: 5 settings changed; all values read back$'

echo 'host { enabled = sometimes }' >tree/etc/thpd/conf.d/99-bad.conf
for verb in plan apply verify status; do
	exits "$verb 2 with a faulty policy" 2 "$ctl" --root tree $verb
	err_has "$verb names file and line" \
		"^/etc/thpd/conf.d/99-bad.conf:1: error: enabled: unknown word 'sometimes'"
done
exits "check 1" 1 "$ctl" --root tree check
out_has "check says invalid" '^invalid: 1 error$'
exits "doctor 1 with a faulty policy" 1 "$ctl" --root tree doctor
out_has "doctor has it for a finding" '^/etc/thpd/conf.d/99-bad.conf:1: error: enabled'
exits "restore needs no policy" 0 "$ctl" --root tree restore
rm tree/etc/thpd/conf.d/99-bad.conf
exits "check 2" 2 "$ctl" check missing.conf
err_has "check names what it cannot read" '^missing.conf: error: cannot be read: No such file'
exits "check several files" 1 "$ctl" --root tree check /etc/thpd/thpd.conf /usr/lib/thpd/roles/analytics.conf \
	/etc/os-release
err_has "check of files names the faulty one" '^/etc/os-release:1: error: '
for verb in check plan apply verify status restore doctor; do
	exits "$verb 2 without the root" 2 "$ctl" --root missing $verb
	err_has "$verb says so" '^thpctl: --root missing: No such file or directory$'
done
: >plain
exits "a root that is no directory" 2 "$ctl" --root plain plan
err_has "says so" '^thpctl: --root plain: Not a directory$'
mkdir -p empty/run
for verb in check plan apply verify status; do
	exits "$verb 2 without a policy" 2 "$ctl" --root empty $verb
	err_has "$verb says where it should be" 'no policy found; expected /etc/thpd/thpd.conf'
done
exits "doctor 1 without a policy" 1 "$ctl" --root empty doctor
exits "restore 0 without a policy" 0 "$ctl" --root empty restore
echo damaged >tree/run/thpd/original.json
exits "restore 2 with damaged state" 2 "$ctl" --root tree restore
err_has "restore says so" 'original.json is damaged.*nothing was changed'
cp -R $thp thp.before
exits "apply 2 with damaged state" 2 "$ctl" --root tree apply
check "apply with damaged state changed nothing" diff -r thp.before $thp
rm -r tree/run/thpd thp.before

# A file that cannot be understood, and one that cannot be written.
mv $thp/enabled enabled.save
ln -s defrag $thp/enabled
exits "plan 2 with an unknown value" 2 "$ctl" --root tree plan
exits "verify 2 with an unknown value" 2 "$ctl" --root tree verify
exits "apply 1 with an unknown value" 1 "$ctl" --root tree apply
out_has "the others are applied" '^not all applied: 5 settings \(4 changed, 1 unknown\)(,.*)?; all values read back$'
exits "restore 0 for the others" 0 "$ctl" --root tree restore
rm $thp/enabled
mv enabled.save $thp/enabled
if [ "$(id -u)" = 0 ]; then
	chown -R 65534 tree
fi
chmod 444 $thp/enabled
exits "apply 1 with a file that denies" 1 unprivileged "$ctl" --root tree apply
out_has "it is denied" '^enabled +madvise +always +denied '
out_has "and counted" '^not all applied: 5 settings \(4 changed, 1 denied\)(,.*)?; all values read back$'
chmod 444 $thp/defrag
exits "restore 1 with a file that denies" 1 unprivileged "$ctl" --root tree restore
out_has "restore: it is denied" '^defrag +defer.madvise +madvise +denied'
check "what was saved is kept" test -s tree/run/thpd/original.json
chmod 644 $thp/defrag
exits "restore 0 in the end" 0 unprivileged "$ctl" --root tree restore
check "what was saved is gone" test ! -e tree/run/thpd/original.json

# --- order of options, --
new_tree debian13-6.12
"$ctl" --root tree --json plan >wanted
run 1 "$ctl" plan --json --root tree
is "options behind the verb" "$(cat out)" "$(cat wanted)"
run 1 "$ctl" --json plan --root=tree
is "options on both sides" "$(cat out)" "$(cat wanted)"
exits "plan --" 1 "$ctl" --root tree plan --
exits "plan -- with an argument" 2 "$ctl" --root tree plan -- --json
echo 'host { enabled = never }' >--json
exits "check -- takes options for files" 0 "$ctl" check -- --json
out_has "check -- prints text" '^valid: 1 file'
cp ./--json a.conf
cp ./--json b.conf
exits "options between files" 0 "$ctl" check a.conf --json -- b.conf ./--json
out_has "options between files count" '"result": "valid: 3 files'
exits "-- before the verb" 1 "$ctl" --root tree -- plan

# --- quiet, verbose, colours
# one_line NAME STATUS ARGUMENT...: --quiet prints one line, which is the last line without it
one_line() {
	one_name=$1
	one_status=$2
	shift 2
	run "$one_status" "$ctl" "$@" || true
	last=$(tail -n 1 out)
	for option in --quiet -q; do
		run "$one_status" "$ctl" $option "$@" || true
		if [ "$run_status" = "$one_status" ] && [ "$(cat out)" = "$last" ] && [ -n "$last" ]; then
			pass "$option $one_name"
		else
			fail "$option $one_name" "wanted: $last" "$run_detail"
		fi
	done
}
new_tree rhel7-3.10
for verb in check plan verify status apply doctor; do
	status=0
	case $verb in
	plan | verify | doctor)
		status=1
		;;
	esac
	if [ $verb = apply ]; then
		"$ctl" --root tree apply >/dev/null 2>&1
	fi
	one_line $verb $status --root tree $verb
	is "-q $verb: no warnings" "$(cat err)" ""
done
"$ctl" --root tree restore >/dev/null
one_line restore 0 --root tree restore
echo 'host { enabled = sometimes }' >tree/etc/thpd/conf.d/99-bad.conf
one_line "check of a faulty policy" 1 --root tree check
err_has "-q check: errors are said" '99-bad.conf:1: error: '
one_line "plan of a faulty policy" 2 --root tree plan
one_line "doctor of a faulty policy" 1 --root tree doctor
rm tree/etc/thpd/conf.d/99-bad.conf
run 1 "$ctl" --root tree plan
is "without --verbose no notes" "$(grep -c 'note:' err)" 0
err_has "without --verbose warnings" '^/etc/thpd/thpd.conf:13: warning: khugepaged/max_ptes_swap'
run 1 "$ctl" --root tree -v plan
err_has "--verbose: notes" '^/etc/thpd/conf.d/50-site.conf:5: note: defrag has no effect'
out_has "--verbose: what is overridden" '^enabled .* overrides /etc/thpd/thpd.conf:7$'

esc=$(printf '\033')
for verb in check plan verify status doctor; do
	run 0 "$ctl" --root tree $verb || true
	is "no colour where there is no terminal: $verb" "$(cat out err | grep -c "$esc")" 0
done
if command -v script >script.path; then
	# on_terminal COMMAND: runs it on a terminal, leaving what that shows in ./screen
	on_terminal() {
		script -qec "$1" /dev/null </dev/null >screen 2>&1
	}
	for verb in plan verify status doctor; do
		on_terminal "$ctl --root tree $verb"
		check "colour on a terminal: $verb" grep -q "$esc\\[3[123]m" screen
		on_terminal "NO_COLOR=1 $ctl --root tree $verb"
		is "NO_COLOR: $verb" "$(grep -c "$esc" screen)" 0
	done
	on_terminal "NO_COLOR= $ctl --root tree plan"
	check "an empty NO_COLOR counts for nothing" grep -q "$esc\\[33m" screen
	on_terminal "$ctl --root tree --json plan 2>/dev/null"
	is "no colour in JSON" "$(grep -c "$esc" screen)" 0
	on_terminal "$ctl --root tree plan 2>err.file"
	is "no colour in a file of standard error" "$(grep -c "$esc" err.file)" 0
	is "in which something stands" "$(grep -c 'warning' err.file)" 1
	on_terminal "$ctl --root tree plan >out.file"
	is "no colour in a file of standard output" "$(grep -c "$esc" out.file)" 0
	check "in which something stands, too" grep -q '^4 to change' out.file
else
	cannot "colour on a terminal" "needs script(1)"
fi

# --- where policy comes from
cat >one.conf <<-'END'
	host { enabled = never  defrag = never }
	role 'r' { khugepaged { defrag = 0 } }
END
cat >two.conf <<-'END'
	host { enabled = always }
	role 'r' { use_zero_page = 0 }
END
mkdir -p pdir/conf.d pdir/roles
echo 'host { enabled = madvise  shmem_enabled = never }' >pdir/thpd.conf
echo 'host { shmem_enabled = advise }' >pdir/conf.d/10-a.conf
echo 'this is no policy' >pdir/conf.d/10-a.conf.orig
echo 'this is no policy' >pdir/conf.d/.hidden.conf
echo "role 'q' { enabled = always  defrag = always }" >pdir/roles/q.conf
new_tree debian13-6.12
rm -r tree/etc/thpd
echo 'BOOT_IMAGE=/vmlinuz ro quiet' >tree/proc/cmdline
mkdir -p tree/p
cp -R one.conf two.conf pdir tree/p/

# wants NAME KEY=VALUE... -- ARGUMENT...: what `plan` wants
wants() {
	wants_name=$1
	shift
	wanted=
	while [ "$1" != -- ]; do
		wanted="$wanted$1
"
		shift
	done
	shift
	run 0 "$ctl" --root tree --json "$@" plan || true
	found=$(sed -n -e 's/^      "key": "\(.*\)",$/\1/p' -e 's/^      "wanted": "\(.*\)",$/\1/p' out |
		paste -d = - -)
	if [ "$found" = "${wanted%?}" ]; then
		pass "$wants_name"
	else
		fail "$wants_name" "wanted: $wanted" "found: $found" "$run_detail"
	fi
}
files() {
	sed -n '/"policy_files": \[/,/\]/s/^    "\(.*\)",*$/\1/p' out | tr '\n' ' '
}
wants "--policy with a file" enabled=never defrag=never -- --policy /p/one.conf
wants "--policy twice: the later overrides key by key" enabled=always defrag=never -- \
	--policy /p/one.conf --policy /p/two.conf
is "files in the order of the command line" "$(files)" "/p/one.conf /p/two.conf "
wants "--policy twice, the other way round" enabled=never defrag=never -- \
	--policy /p/two.conf --policy /p/one.conf
wants "roles of the same title merge" enabled=always defrag=never use_zero_page=0 khugepaged/defrag=0 \
	-- --policy /p/one.conf --policy /p/two.conf --role r
wants "--policy with a directory" enabled=madvise shmem_enabled=advise -- --policy /p/pdir
is "files of the directory" "$(files)" "/p/pdir/thpd.conf /p/pdir/conf.d/10-a.conf "
wants "--policy with a directory and a file" enabled=never defrag=never shmem_enabled=advise -- \
	--policy /p/pdir --policy /p/one.conf
wants "--policy with a file and a directory" enabled=madvise defrag=never shmem_enabled=advise -- \
	--policy /p/one.conf --policy /p/pdir
wants "the role library of a directory" enabled=always defrag=always shmem_enabled=advise -- \
	--policy /p/pdir --role q
is "its file is named" "$(files)" \
	"/p/pdir/thpd.conf /p/pdir/conf.d/10-a.conf /p/pdir/roles/q.conf "
echo "role 'q' { defrag = never }" >tree/p/over.conf
wants "the policy overrides the library key by key" enabled=always defrag=never shmem_enabled=advise \
	-- --policy /p/pdir --policy /p/over.conf --role q
exits "--policy below the root cannot leave it" 2 "$ctl" --root tree \
	--policy "../../../../../../..$tmp/one.conf" plan
ln -s "$tmp/one.conf" tree/p/outside.conf
exits "nor by a link" 2 "$ctl" --root tree --policy /p/outside.conf plan
exits "nor check" 2 "$ctl" --root tree check "$tmp/one.conf"
exits "a --policy that is not there" 2 "$ctl" --root tree --policy /p/none.conf plan
err_has "is named" '^/p/none.conf: error: cannot be read: No such file'

# The standard directories.
for dir in usr/lib run etc; do
	mkdir -p tree/$dir/thpd/conf.d tree/$dir/thpd/roles
done
echo 'host { enabled = never }' >tree/usr/lib/thpd/thpd.conf
wants "/usr/lib/thpd" enabled=never --
echo 'host { enabled = madvise }' >tree/run/thpd/thpd.conf
wants "/run/thpd before it" enabled=madvise --
echo 'host { enabled = always }' >tree/etc/thpd/thpd.conf
wants "/etc/thpd before both" enabled=always --
is "one file of a name" "$(files)" "/etc/thpd/thpd.conf "
echo 'host { defrag = never }' >tree/usr/lib/thpd/conf.d/50-b.conf
echo 'host { defrag = always  use_zero_page = 0 }' >tree/etc/thpd/conf.d/20-a.conf
echo 'host { use_zero_page = 1 }' >tree/run/thpd/conf.d/90-c.conf
wants "conf.d by file name over the directories" enabled=always defrag=never use_zero_page=1 --
is "in this order" "$(files)" "/etc/thpd/thpd.conf /etc/thpd/conf.d/20-a.conf \
/usr/lib/thpd/conf.d/50-b.conf /run/thpd/conf.d/90-c.conf "
ln -s /dev/null tree/etc/thpd/conf.d/50-b.conf
wants "a link to /dev/null masks" enabled=always defrag=always use_zero_page=1 --
for dir in usr/lib run etc; do
	echo "role 'lib' { shrink_underused = 0  enabled = never }" >tree/$dir/thpd/roles/lib.conf
	wants "the role library in /$dir" enabled=never defrag=always use_zero_page=1 \
		shrink_underused=0 -- --role lib
	check "comes from there" grep -q "\"/$dir/thpd/roles/lib.conf\"" out
done
rm tree/etc/thpd/roles/lib.conf
ln -s /dev/null tree/etc/thpd/roles/lib.conf
exits "a masked role is none" 2 "$ctl" --root tree --role lib plan
err_has "it says so" "^--role: error: there is no role 'lib'; expected one that"
exits "check knows, too" 1 "$ctl" --root tree --role lib check
err_has "and says so" "^--role: error: there is no role 'lib'; expected one that"
echo 'no policy }' >tree/etc/thpd/roles/other.conf
exits "a broken file of the library hurts only who uses it" 1 "$ctl" --root tree plan
exits "who uses it is told" 2 "$ctl" --root tree --role other plan
err_has "with file and line" '^/etc/thpd/roles/other.conf:1: error: '
exits "check tells everybody" 1 "$ctl" --root tree check
rm tree/etc/thpd/roles/other.conf
for role in '' . .. ../lib 'a b' /etc/passwd '*'; do
	exits "--role '$role' cannot be" 2 "$ctl" --root tree --role "$role" plan
	err_has "--role '$role': it says so" "^--role: error: '.*' cannot name a role"
done

# --- where the role comes from, the last source first
cat >tree/etc/thpd/thpd.conf <<-'END'
	role 'first-hosts' { hosts = { 'x*', 'kvm[0-9]' } }
	role 'second-hosts' { hosts = 'kvm*' }
	role 'by-policy' { use_zero_page = 1 }
	role 'by-file' { use_zero_page = 1 }
	role 'by-credential' { use_zero_page = 1 }
	role 'by-cmdline' { use_zero_page = 1 }
	role 'by-option' { use_zero_page = 1 }
END
# role_is NAME ROLE SOURCE [ARGUMENT...]
role_is() {
	role_name=$1
	role_wanted=$2/$3
	shift 3
	run 0 "$ctl" --json "$@" plan || true
	role_found=$(sed -n '/^  "role": {/,/^  }/{
		s/^    "name": "*\([^",]*\)"*,$/\1/p
		s/^    "source": "\(.*\)",$/\1/p
	}' out | paste -s -d / -)
	if [ "$role_found" = "$role_wanted" ]; then
		pass "$role_name"
	else
		fail "$role_name" "wanted: $role_wanted" "found: $role_found" "$run_detail"
	fi
}
echo nobody >tree/proc/sys/kernel/hostname
role_is "no source" null none --root tree
echo kvm7 >tree/proc/sys/kernel/hostname
role_is "hosts: the first role that fits" first-hosts hosts --root tree
echo "host_role = 'by-policy'" >tree/etc/thpd/conf.d/30-role.conf
role_is "host_role before hosts" by-policy host_role --root tree
printf '# a comment\n\n  by-file  # and another\n' >tree/etc/thpd/role
role_is "/etc/thpd/role before host_role" by-file file --root tree
mkdir -p tree/run/credentials/@system
printf by-credential >tree/run/credentials/@system/thpd.role
role_is "the system credential before /etc/thpd/role" by-credential credential --root tree
echo 'quiet thpd.role=by-file thpd.role=by-cmdline thpd.rolex=1 ro' >tree/proc/cmdline
role_is "the kernel command line before the credential, its last word" by-cmdline kernel_command_line \
	--root tree
role_is "--role before all" by-option option --root tree --role by-option
echo 'quiet' >tree/proc/cmdline
rm tree/run/credentials/@system/thpd.role
echo nobody-knows-it >tree/etc/thpd/role
exits "a role that does not exist" 2 "$ctl" --root tree plan
err_has "is named, with who says so" "^/etc/thpd/role:1: error: there is no role 'nobody-knows-it'"
exits "apply: the same" 2 "$ctl" --root tree apply
echo 'by-file by-policy' >tree/etc/thpd/role
exits "two words in /etc/thpd/role" 2 "$ctl" --root tree plan
err_has "it says so" '^/etc/thpd/role:1: error: more than one word'
echo by-file >tree/etc/thpd/role
chmod 666 tree/etc/thpd/role
exits "/etc/thpd/role that everybody can write" 2 "$ctl" --root tree plan
err_has "it says so, too" '^/etc/thpd/role: error: writable by everybody'
: >tree/etc/thpd/role
chmod 644 tree/etc/thpd/role
role_is "an empty /etc/thpd/role says nothing" by-policy host_role --root tree

if grep -qs thpd.role= /proc/cmdline; then
	cannot "the credential of a unit" "this host has a role on its kernel command line"
else
	mkdir cred
	printf 'by-credential\n' >cred/thpd.role
	CREDENTIALS_DIRECTORY=$tmp/cred
	export CREDENTIALS_DIRECTORY
	role_is "the credential of a unit" by-credential credential --policy tree/etc/thpd
	role_is "which is not asked for a tree" by-policy host_role --root tree
	unset CREDENTIALS_DIRECTORY
fi

# Two rules for the same processes, one with the unit for its title.
cat >tree/p/rules.conf <<-'END'
	host {
	    service 'a.service' { thp = disable }
	    service 'another name' { unit = 'a.service'  thp = system }
	}
END
run 0 "$ctl" --root tree --policy /p/rules.conf --role by-option --policy /etc/thpd/thpd.conf plan
out_has "a rule that never counts is told" '^a.service +disable .*loses to /p/rules.conf:3$'

# --- services, on a tree
new_tree debian13-6.12
rm -r tree/etc/thpd
echo ro >tree/proc/cmdline
# process UNIT PID COMM THP_ENABLED: a process of a unit, of a number that no process can have
process() {
	mkdir -p "tree/sys/fs/cgroup/system.slice/$1" "tree/proc/$2"
	echo "$2" >>"tree/sys/fs/cgroup/system.slice/$1/cgroup.procs"
	echo "$2 ($3) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 $2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0" \
		>"tree/proc/$2/stat"
	printf 'Name:\t%s\nState:\tS (sleeping)\nPid:\t%s\nPPid:\t1\nTracerPid:\t0\nUid:\t0\t0\t0\t0\n' \
		"$3" "$2" >"tree/proc/$2/status"
	printf 'VmRSS:\t30720 kB\nThreads:\t1\nTHP_enabled:\t%s\nSeccomp:\t0\n' "$4" >>"tree/proc/$2/status"
}
mkdir -p tree/sys/fs/cgroup/system.slice
echo memory >tree/sys/fs/cgroup/cgroup.controllers
: >tree/sys/fs/cgroup/cgroup.procs
process good.service 4194401 good 0
process bad.service 4194402 bad 0
process bad.service 4194403 worse 1
cat >services.conf <<-'END'
	host {
	    service '*.service' { thp = disable }
	    service 'idle.service' { thp = disable  apply = start }
	}
END
cp services.conf tree/
exits "plan with services" 1 "$ctl" --root tree --policy /services.conf plan
out_has "plan: a service" '^bad.service +disable +1 ok, 1 drifted +set now +watch +drifted +/services.conf:2$'
out_has "plan: what is to change in it" '^    4194403 worse  clear -> disable  drifted$'
out_has "plan: a rule that matches nothing" '^idle.service +disable +at next start +watch +no_target '
out_has "plan: the result" '^1 to change: 3 processes in 2 services \(2 ok, 1 drifted\), 1 service rule matches nothing$'
is "plan: what is right is not listed" "$(grep -c '^    419440[12] ' out)" 0
exits "plan -v with services" 1 "$ctl" --root tree --policy /services.conf -v plan
is "plan -v: it is" "$(grep -c '^    419440[12] [a-z]*  disable  ok$' out)" 2
exits "verify with services" 1 "$ctl" --root tree --policy /services.conf verify
out_has "verify: the result" '^not in compliance: 3 processes in 2 services '
exits "status with services" 0 "$ctl" --root tree --policy /services.conf status
is "status: the worst first" "$(sed -n 's/^\([a-z]*\)\.service .*/\1/p' out | tr '\n' ' ')" "bad good idle "
out_has "status: how many are right" '^bad.service +disable +1/2 +60.0 MiB .* drifted$'
out_has "status: in all" '^2 services, 1 not in order: RSS 90.0 MiB'
exits "status --failed" 0 "$ctl" --root tree --policy /services.conf status --failed
is "status --failed: these alone" "$(grep -c '^[a-z]*\.service ' out)" 1
out_has "status --failed: says so" '^2 services, 1 not in order, 1 shown: '
exits "status --unit" 0 "$ctl" --root tree --policy /services.conf status --unit 'g*' --unit 'idle.*'
is "status --unit: these alone" "$(sed -n 's/^\([a-z]*\)\.service .*/\1/p' out | tr '\n' ' ')" "good idle "
out_has "status --unit: all count" '^not in compliance: 3 processes in 2 services '
exits "status --failed --unit" 0 "$ctl" --root tree --policy /services.conf --json status --failed --unit 'g*'
is "status --failed --unit: nothing is left" "$(grep -c '"pid"' out)" 0

# --- standard output that takes nothing
new_tree debian13-6.12
if [ -c /dev/full ]; then
	for verb in check plan verify status doctor; do
		for option in --verbose --json; do
			run_status=0
			"$ctl" --root tree $option $verb >/dev/full 2>err || run_status=$?
			is "$option $verb to a full device" "$run_status" 2
			check "$option $verb: says so" grep -q 'No space left on device' err
		done
	done
	for option in --help --version; do
		run_status=0
		"$ctl" $option >/dev/full 2>err || run_status=$?
		is "$option to a full device" "$run_status" 2
	done
else
	cannot "output to a full device" "needs /dev/full"
fi
for verb in check plan verify status doctor --help --version; do
	run_status=0
	"$ctl" --root tree $verb >&- 2>err || run_status=$?
	is "$verb without standard output" "$run_status" 2
done
# Files that are opened must not take the place of what is closed, and get what is printed.
for closed in '>&-' '<&- >&-' '<&- 2>&-' '<&- >&- 2>&-'; do
	rm -rf tree/run/thpd
	eval "\"\$ctl\" --root tree apply $closed" >out 2>err
	is "apply $closed: the lock stays empty" "$(wc -c <tree/run/thpd/lock | tr -d ' ')" 0
	check "apply $closed: what is saved is sound" "$ctl" --root tree restore
done

# --- exec
# flag ARGUMENT...: THP_enabled as the command itself sees it
flag() {
	"$ctl" exec "$@" sed -n 's/^THP_enabled:[[:space:]]*//p' /proc/self/status
}
if [ -n "$(sed -n '/^THP_enabled:/p' /proc/self/status)" ]; then
	is "exec: disable is the default" "$(flag)" 0
	is "exec --thp=disable" "$(flag --thp=disable)" 0
	is "exec --thp disable" "$(flag --thp disable --)" 0
	is "--thp before the verb" "$("$ctl" --thp=disable exec grep THP_enabled /proc/self/status |
		tr -dc 01)" 0
	is "exec --thp=system" "$(flag --thp=system)" 1
	is "exec --thp=system clears" "$("$ctl" exec --thp=disable "$ctl" exec --thp=system \
		grep THP_enabled /proc/self/status | tr -dc 01)" 1
	is "exec --thp=inherit keeps what is set" "$("$ctl" exec --thp=disable "$ctl" exec --thp=inherit \
		grep THP_enabled /proc/self/status | tr -dc 01)" 0
	is "exec --thp=inherit keeps what is not set" "$("$ctl" exec --thp=system "$ctl" exec \
		--thp=inherit grep THP_enabled /proc/self/status | tr -dc 01)" 1
	is "the children have it, too" "$("$ctl" exec -- sh -c \
		'(grep THP_enabled /proc/self/status); exit 0' | tr -dc 01)" 0
	is "exec needs no privilege" "$(unprivileged "$ctl" exec grep THP_enabled /proc/self/status |
		tr -dc 01)" 0
else
	cannot "exec: the mode as the command sees it" "needs THP_enabled in /proc/PID/status, Linux 5.0"
fi
major=$(uname -r | cut -d . -f 1)
minor=$(uname -r | cut -d . -f 2 | sed 's/[^0-9].*//')
if [ "$major" -gt 6 ] || { [ "$major" = 6 ] && [ "$minor" -ge 18 ]; }; then
	if command -v python3 >python.path; then
		is "exec --thp=madvise: all but what is advised" "$("$ctl" exec --thp=madvise python3 -c \
			'import ctypes; print(ctypes.CDLL(None).prctl(42, 0, 0, 0, 0))')" 3
	else
		cannot "exec --thp=madvise" "needs python3"
	fi
else
	exits "exec --thp=madvise on an old kernel" 125 "$ctl" exec --thp=madvise true
	err_has "says what it needs" '--thp=madvise needs Linux 6.18'
fi

exits "exec: the status of the command" 7 "$ctl" exec sh -c 'exit 7'
exits "exec: 0" 0 "$ctl" exec true
is "exec: nothing of its own is printed" "$(cat out err)" ""
exits "exec: a status that is one of ours" 125 "$ctl" exec sh -c 'exit 125'
# shellcheck disable=SC2016 # the inner shell's
exits "exec: killed by a signal" 143 "$ctl" exec sh -c 'kill -TERM $$'
exits "exec: not found" 127 "$ctl" exec no-such-command-anywhere
err_has "exec: not found, says so" '^thpctl: exec: no-such-command-anywhere: No such file'
exits "exec: no such path" 127 "$ctl" exec ./no/such/command
: >not-executable
exits "exec: not executable" 126 "$ctl" exec ./not-executable
err_has "exec: not executable, says so" '^thpctl: exec: ./not-executable: Permission denied$'
exits "exec: a directory" 126 "$ctl" exec ./tree
exits "exec: no program" 126 "$ctl" exec ./plain/below
exits "exec: an empty name" 127 "$ctl" exec ''

is "exec: options of the command are its own" "$("$ctl" exec printf '[%s]' --thp=never -q --help -- x)" \
	'[--thp=never][-q][--help][--][x]'
is "exec --: the same" "$("$ctl" exec --thp=system -- printf '[%s]' -- --json '' 'a b')" \
	'[--][--json][][a b]'
is "exec: the name of the command is what was given" \
	"$("$ctl" exec cat /proc/self/cmdline | tr '\000' '|')" 'cat|/proc/self/cmdline|'
is "exec: standard input" "$(printf 'a\nb\n' | "$ctl" exec cat)" "$(printf 'a\nb')"
is "exec: standard error" "$("$ctl" exec sh -c 'echo x >&2' 2>&1 >/dev/null)" x

env -i A=1 B='two words' PATH="$PATH" env | sort >env.wanted
env -i A=1 B='two words' PATH="$PATH" "$ctl" exec env | sort >env.found
check "exec: the environment is unchanged" cmp env.wanted env.found

# descriptors COMMAND...: what it has open, without what ls opens itself
descriptors() {
	"$@" ls -l /proc/self/fd 5<one.conf 7>>seven 9>&1 |
		sed -n 's/^\([^ ]*\).* \([0-9]* -> .*\)/\1 \2/p' | sed 's|/proc/[0-9]*/fd|FD|; s|pipe:.*|PIPE|'
}
descriptors env >fd.wanted
descriptors "$ctl" exec >fd.found
check "exec: the descriptors are unchanged" diff fd.wanted fd.found
is "exec: and were there" "$(grep -c ' [579] -> ' fd.found)" 3
env ls /proc/self/fd >closed.wanted 0<&-
"$ctl" exec ls /proc/self/fd >closed.found 0<&-
check "exec: what is closed stays closed" cmp closed.wanted closed.found

# Without SigQ, which counts what others of this user do, too.
# shellcheck disable=SC2016 # the inner shell's
process='trap "" USR1 PIPE; umask 027; cd tree; echo $$; exec "$@" sh -c "echo \$\$; pwd; umask;
	grep -E \"^(Sig[^Q]|Shd|Cap|Nice|Groups|NoNewPrivs|Seccomp)\" /proc/self/status; nice"'
sh -c "$process" sh env | sed '1,2d' >process.wanted
sh -c "$process" sh "$ctl" exec >process.found
is "exec: the process stays the same" "$(sed -n 1p process.found)" "$(sed -n 2p process.found)"
sed -i '1,2d' process.found
check "exec: signals, directory, umask, capabilities, niceness are unchanged" \
	diff process.wanted process.found
is "exec: and were looked at" "$(grep -c '^Sig\|^Cap' process.found | sed 's/[0-9][0-9]*/some/')" some

# --- without privilege, on the running host
printf 'host {\n    enabled = madvise\n}\n' >live.conf
chmod 644 live.conf
live=/sys/kernel/mm/transparent_hugepage
live_state() {
	for f in "$live"/enabled "$live"/shmem_enabled "$live"/defrag; do
		[ ! -r "$f" ] || cat "$f"
	done
	ls -l /run/thpd 2>&1
}
exits "unprivileged: check" 0 unprivileged "$ctl" check live.conf
live_state >live.before
run 0 unprivileged "$ctl" --policy live.conf plan || true
case $run_status in
0 | 1)
	pass "unprivileged: plan"
	;;
*)
	fail "unprivileged: plan" "$run_detail"
	;;
esac
out_has "unprivileged: plan shows the value" '^enabled +[a-z-]+ '
exits "unprivileged: status" 0 unprivileged "$ctl" --policy live.conf status
exits "unprivileged: apply" 2 unprivileged "$ctl" --policy live.conf apply
err_has "unprivileged: apply says what it lacks" \
	'^thpctl: apply .*needs root, and /run/thpd to be writable; nothing was changed$'
is "unprivileged: apply prints no report" "$(cat out)" ""
exits "unprivileged: restore" 2 unprivileged "$ctl" restore
err_has "unprivileged: restore says what it lacks" \
	'^thpctl: restore .*needs root, and /run/thpd to be writable; nothing was changed$'
live_state >live.after
check "unprivileged: nothing was changed" cmp live.before live.after

finish
