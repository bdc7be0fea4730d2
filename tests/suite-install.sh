#!/bin/sh
# SPDX-License-Identifier: MIT
# `make install` puts everything where it belongs, and `make uninstall` leaves nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

: "${builddir:?the build tree}"
# The outer make's flags and its jobserver are none of this one's business.
unset MAKEFLAGS MFLAGS MAKELEVEL
value() {
	printf 'include Makefile\nprint-value:\n\t@echo $(%s)\n' "$1" |
		make -s -C "$builddir" -f - print-value
}
check "make install" make -s -C "$builddir" install DESTDIR="$tmp/dest"

bin=$(value bindir) man=$(value mandir) units=$(value systemdsystemunitdir)
vendor=$(value vendordir) bash=$(value bashcompletiondir) zsh=$(value zshcompletiondir)
for file in "$bin/thpctl" "$units/thpd-apply.service" "$vendor/thpd.conf" \
	"$vendor/roles/mongodb-8.conf" "$vendor/roles/redis.conf" "$man/man8/thpctl.8" \
	"$man/man8/thpd-apply.service.8" "$man/man5/thpd.conf.5" "$bash/thpctl" "$zsh/_thpctl" \
	"$(value pkgdatadir)/report.schema.json" "$man/man8/thpd.8" \
	"$bash/thpd" "$zsh/_thpd" "$man/man8/thpd-generator.8" \
	"$(value catalogdir)/thpd.catalog"; do
	check "installed: ${file##*/}" test -f "$tmp/dest$file"
done
check "installed: the generator, to be run" test -x "$tmp/dest$(value systemdsystemgeneratordir)/thpd-generator"
is "every role of the library is installed" \
	"$(cd "$tmp/dest$vendor/roles" && ls)" "$(cd "$srcdir/conf/roles" && ls)"
is "nothing is put into /etc, which is the administrator's" \
	"$(find "$tmp/dest" -path "$tmp/dest/etc/*")" ""
is "the unit runs what is installed" \
	"$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$tmp/dest$units/thpd-apply.service")" "$bin/thpctl"
check "the installed policy and its library are valid" "$tmp/dest$bin/thpctl" \
	--policy "$tmp/dest$vendor" check
is "files are not writable by others" "$(find "$tmp/dest" -type f -perm /022)" ""

: >"$tmp/dest$vendor/roles/of-somebody-else.conf"
check "make uninstall" make -s -C "$builddir" uninstall DESTDIR="$tmp/dest"
is "what somebody else has put there stays" "$(find "$tmp/dest" ! -type d)" \
	"$tmp/dest$vendor/roles/of-somebody-else.conf"
rm "$tmp/dest$vendor/roles/of-somebody-else.conf"
check "make install, again" make -s -C "$builddir" install DESTDIR="$tmp/dest"
check "make uninstall, again" make -s -C "$builddir" uninstall DESTDIR="$tmp/dest"
is "nothing is left behind, and no directory of ours" \
	"$(find "$tmp/dest" ! -type d -o -name thpd -o -name roles)" ""

finish
