#!/bin/sh
# SPDX-License-Identifier: MIT
# Draws what thpd costs against size.
#
# Usage: scale-plots.sh SCALE.json [DIRECTORY]   (bench/plots of the source tree unless told)
#
# Environment: srcdir. Needs gnuplot and python3 (packaging/install-deps --bench).
set -eu

# shellcheck source=bench/plots.sh
. "${srcdir:?}/bench/plots.sh"
python3 "$srcdir/bench/scale-report.py" data "$json" "$data"

# curves AXIS: a command that plots all of them; floors are dashed, in the colour of nobody
curves() {
	tab=$(printf '\t')
	awk -F "$tab" -v data="$data" '
		BEGIN {
			split("apply #2471a3 verify #17a589 status #8e44ad first #c0392b plan #2471a3 quick #d68910 whole #1c2833", c, " ")
			for (i = 1; c[i]; i += 2)
				colour[c[i]] = c[i + 1]
			split("2 3 4 5 (2,9)", dash, " ")
		}
		{
			name = $1
			sub(/.*\./, "", name)
			floor = name ~ /^floor/
			look = floor ? "dt " dash[++f] " lw 1.5 lc rgb \"#7f8c8d\"" : "lw 2 lc rgb \"" colour[name] "\""
			printf "%s \047%s/%s\047 using 1:2:3:4 with yerrorlines pt %d ps 0.5 %s title \"%s\"", \
				NR == 1 ? "plot" : ", \\\n", data, $1, floor ? 6 : 7, look, $2
		}
		END { print "" }' "$data/curves.$1"
}
# axis AXIS TITLE
axis() {
	[ -s "$data/curves.$1" ] || return 0
	plot "scale-$1" 920 620 <<-G
		set logscale xy
		set title '$2'
		set xlabel '$1'
		set ylabel 'ms'
		set format y '%g'
		set xrange $(cat "$data/range.$1")
		set key at screen 0.98, screen 0.1 bottom right maxrows 6 samplen 2.5 font ',10'
		set bmargin at screen 0.36
		$(curves "$1")
	G
}
axis processes 'Processes on the host, ten of them of services in the policy'
axis services 'Services in the policy, of one process each'
axis files 'Settings in the policy'
axis rules 'Rules in the policy'

[ -s "$data/foreign.thpd" ] || exit 0
plot scale-foreign 920 440 <<G
set datafile separator "\t"
set multiplot layout 1,2 title 'Somebody writes into four settings, over and over'
set label 102 '$(caption 3)' at screen 0.01, screen 0.02 font 'sans-serif,10' tc rgb '#555555'
set logscale xy
set xlabel 'foreign writes a second'
set format x '10^%T'
set format y '%g'
set title 'part of a core, %'
set bmargin 8
set key bottom right
plot '$data/foreign.thpd' using 1:2 with linespoints lw 2 pt 7 ps 0.5 lc rgb good title 'thpd', \\
	'$data/foreign.floor' using 1:2 with linespoints dt 2 lw 1.5 pt 6 ps 0.5 lc rgb none title 'floor: undoes each'
unset label 101; unset label 102
unset logscale y
set yrange [0:105]
unset key
set title 'part of the time that a value is wrong, %'
plot '$data/foreign.thpd' using 1:3 with linespoints lw 2 pt 7 ps 0.5 lc rgb good, \\
	'$data/foreign.floor' using 1:3 with linespoints dt 2 lw 1.5 pt 6 ps 0.5 lc rgb none
G
