# SPDX-License-Identifier: MIT
# What those that draw plots have in common; sourced. $1 is the result to draw, $2 the directory for the
# plots (bench/plots of the source tree unless told). Leaves $json, $out, and $data for what gnuplot reads,
# where `caption` is to be, two lines: machine, kernel and versions; what was done.
# shellcheck shell=sh

json=${1:?the result to draw}
out=${2:-${srcdir:?}/bench/plots}
command -v gnuplot >/dev/null || {
	echo "${0##*/}: needs gnuplot; packaging/install-deps --bench gets it" >&2
	exit 1
}
[ -s "$json" ] || {
	echo "${0##*/}: there is no $json: its plots stay as they are" >&2
	exit 0
}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
mkdir -p "$out"

# caption LINE
caption() {
	sed -n "$1p" "$data/caption"
}

# plot FILE WIDTH HEIGHT: what is on standard input, on paper of ours
plot() {
	{
		cat <<-G
			set terminal svg size $2,$3 noenhanced font 'sans-serif,13' background '#ffffff'
			set output '$out/$1.svg'
			set encoding utf8
			bad = '#c0392b'; none = '#7f8c8d'; good = '#2471a3'
			set border 3 lc rgb '#555555'
			set tics nomirror
			set grid y lc rgb '#dddddd' lt 1
			set label 101 '$(caption 1)' at screen 0.01, screen 0.055 font 'sans-serif,10' tc rgb '#555555'
			set label 102 '$(caption 2)' at screen 0.01, screen 0.02 font 'sans-serif,10' tc rgb '#555555'
			set bmargin 6
		G
		cat
	} | gnuplot
	# It names what it has read, which is gone.
	sed -i "s,$data/,,g" "$out/$1.svg"
	ls -l "$out/$1.svg"
}
