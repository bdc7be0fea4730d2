#!/bin/sh
# SPDX-License-Identifier: MIT
# The rules of the source tree: layers, seams, sizes, documentation. See CONTRIBUTING.md.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
: "${builddir:=}"
cd "$srcdir" || exit 1

# may LAYER ALLOWED...: files of a layer include nothing of ours but the allowed ones
may() {
	layer=$1
	bad=
	for file in "src/$layer"/*.[ch]; do
		for include in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$file" | sort -u); do
			case " $* " in
			*" $include "*) ;;
			*) bad="$bad $file includes $include/" ;;
			esac
		done
	done
	is "src/$layer includes only: $*" "$bad" ""
}
may base
may model base
may sys base
may policy base model
may plan base model
may engine base model sys
may app base model sys policy plan engine
is "there is no other layer" "$(echo src/*/)" \
	"src/app/ src/base/ src/engine/ src/model/ src/plan/ src/policy/ src/sys/"

# only PATTERN WHERE...: files that match are the ones named
only() {
	pattern=$1
	shift
	is "only $* may have $pattern" "$(grep -rlE "$pattern" src --include='*.[ch]' | sort |
		tr '\n' ' ')" "$* "
}
only '#include <confuse.h>' src/policy/policy-load.c
only '#include <jansson.h>' src/model/daemon-json.c src/model/flags.c src/model/originals.c src/model/report-json.h

is "no literal path of the kernel's or of /run outside of src/sys" \
	"$(grep -rnE '"/(sys|proc|run)[/"]' src --include='*.[ch]' | grep -v '^src/sys/')" ""
is "nothing below src/app knows standard output or standard error" \
	"$(grep -rnwE 'stdout|stderr|(perror|syslog|puts|putchar|printf) *\(' src --include='*.c' |
		grep -v '^src/app/' | grep -vE '(fprintf|_printf|snprintf) *\(')" ""
is "nothing below src/app reads the environment or ends the process" \
	"$(grep -rnE '\b(getenv|secure_getenv|_?exit|abort) *\(' src --include='*.c' |
		grep -v '^src/app/')" ""

# Variables that can change: a section of data or bss in an archive below app. The one exception is
# explained where it stands: libconfuse's callbacks carry no pointer.
variables() {
	for layer in base model policy plan sys engine; do
		nm -A "$builddir/lib$layer.a" 2>/dev/null |
			awk '$(NF-1) ~ /^[bBC]$/ && $NF !~ /^__(asan|ubsan|sancov)/ { print $1, $NF }'
		objdump -h "$builddir/lib$layer.a" |
			awk '/file format/ { file = $1 } $2 == ".data" && $3 !~ /^0*$/ { print file, $2 }'
	done
}
if [ ! -f "$builddir/libbase.a" ]; then
	fail "no variables that can change below src/app" "no archives in '$builddir'"
elif nm "$builddir/libbase.a" | grep -q __asan; then
	skip "no variables that can change below src/app" "sanitizers add their own"
else
	is "no variables that can change below src/app, but the loader's" "$(variables |
		sed 's/.*libpolicy_a-//; s/:.* / /')" "policy-load.o current"
fi

is "no file is longer than 400 lines" \
	"$(wc -l src/*/*.[ch] | awk '$1 > 400 && $2 != "total"')" ""
is "no function is longer than 60 lines" "$(awk '
	/^{/ { start = FNR }
	/^}/ { if (start && FNR - start - 1 > 60) print FILENAME ":" start, FNR - start - 1; start = 0 }
	' src/*/*.c)" ""
is "no line is wider than 100 columns" "$(for f in src/*/*.[ch] tests/unit/*.[ch]; do
	expand "$f" | awk -v f="$f" 'length > 100 { print f ":" NR }'; done)" ""
is "every source file names its licence" "$(grep -L 'SPDX-License-Identifier: MIT' src/*/*.[ch])" ""

undocumented=
for header in src/*/*.h; do
	case $header in
	src/base/util.h | src/sys/paths.h) continue ;;
	esac
	source=${header%.h}
	for name in $(grep -oE '^[a-z].*[ *]([a-z_0-9]+)\(' "$header" | grep -v '^typedef\|^static\|_printf_(' |
		sed 's/.*[ *]\([a-z_0-9]*\)($/\1/'); do
		grep -qE "\* $name\(\) - " "${source%/*}"/*.c || undocumented="$undocumented $name"
	done
done
is "every public function is documented where it is defined" "$undocumented" ""

finish
