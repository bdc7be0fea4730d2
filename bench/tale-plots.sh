#!/bin/sh
# SPDX-License-Identifier: MIT
# Draws the tale.
#
# Usage: tale-plots.sh TALE.json [DIRECTORY]   (bench/plots of the source tree unless told)
#
# Environment: srcdir. Needs gnuplot and python3 (packaging/install-deps --bench).
set -eu

# shellcheck source=bench/plots.sh
. "${srcdir:?}/bench/plots.sh"
python3 "$srcdir/bench/tale-report.py" data "$json" "$data"

# mark NAME: seconds from the begin of the burst of `always`
mark() {
	sed -n "s/^$1=//p" "$data/marks"
}

# has NAME: whether this was measured
has() {
	[ -s "$data/$1" ]
}

thpd_at=$(mark late_thpd)
settle_at=$(mark settle)
plot tale-memory 920 480 <<G
scale = $thpd_at > 600 ? 60.0 : 1.0
unit = $thpd_at > 600 ? 'minutes' : 'seconds'
set bmargin 8
set multiplot layout 1,2 title 'One Redis, one load, three hosts: what it holds when there is next to nothing left to hold'
set xrange [0:($thpd_at + ($thpd_at > 600 ? 300 : 12)) / scale]
set yrange [0:*]
set xlabel unit . ' since the first job'
set ylabel 'MB'
set arrow 1 from $settle_at / scale, graph 0 to $settle_at / scale, graph 0.98 nohead lc rgb '#999999' dt 2
set label 1 'queue empty ' at $settle_at / scale, graph 0.97 right font ',11' tc rgb '#555555'
set arrow 2 from $thpd_at / scale, graph 0 to $thpd_at / scale, graph 0.9 nohead lc rgb good dt 2
set label 2 'thpd starts ' at $thpd_at / scale, graph 0.88 right font ',11' tc rgb good
unset key
set title "resident\\n(RSS)"
plot '$data/always' using (\$1 / scale):(\$2 / 1024) with lines lw 2 lc rgb bad title 'host always', \
	'$data/late' using (\$1 / scale):(\$2 / 1024) with lines lw 2 lc rgb good title 'the same, thpd comes late', \
	'$data/never' using (\$1 / scale):(\$2 / 1024) with lines lw 2 lc rgb none title 'never', \
	'$data/policy' using (\$1 / scale):(\$2 / 1024) with lines lw 2 lc rgb good dt 3 title 'always, thpd for Redis'
unset label 101; unset label 102
set title "charged to the unit\\n(the peak: the file of BGSAVE in the page cache)"
set key at screen 0.97, screen 0.15 right horizontal maxrows 1 samplen 2 font ',11'
plot '$data/always' using (\$1 / scale):(\$4 / 1024) with lines lw 2 lc rgb bad title 'host always', \
	'$data/late' using (\$1 / scale):(\$4 / 1024) with lines lw 2 lc rgb good title 'the same, thpd comes late', \
	'$data/never' using (\$1 / scale):(\$4 / 1024) with lines lw 2 lc rgb none title 'host never', \
	'$data/policy' using (\$1 / scale):(\$4 / 1024) with lines lw 2 lc rgb good dt 3 title 'host always, thpd for Redis'
unset multiplot
G

# What the three hosts are called below their bars, and the bars' dress.
bars() {
	cat <<-'G'
		set xrange [-0.6:2.6]
		set yrange [0:*]
		set offsets 0, 0, graph 0.1, 0
		set xtics ("host never" 0, "host always" 1, "always, with thpd" 2) font ',11'
		set style fill solid 0.85 noborder
		set boxwidth 0.6
		color(x) = x == 0 ? 0x7f8c8d : x == 1 ? 0xc0392b : 0x2471a3
		unset key
	G
}

plot tale-pair 920 440 <<G
$(bars)
set multiplot layout 1,2 title 'Two programs on one host: only one setting has both'
set title 'Redis, charged when it has settled, MB (less is better)'
plot '$data/charged' using 1:2:(color(\$1)) with boxes lc rgb variable, \
	'' using 1:3:(0):(\$4 - \$3) with vectors nohead lw 2 lc rgb '#333333', \
	'' using 1:2:(sprintf('%.0f', \$2)) with labels offset 0,0.9
unset label 101; unset label 102
set title 'pointer chase, million steps a second (more is better)'
plot '$data/chase' using 1:(1000 / \$2):(color(\$1)) with boxes lc rgb variable, \
	'' using 1:(1000 / \$4):(0):(1000 / \$3 - 1000 / \$4) with vectors nohead lw 2 lc rgb '#333333', \
	'' using 1:(1000 / \$2):(sprintf('%.2f', 1000 / \$2)) with labels offset 0,0.9
unset multiplot
G

plot tale-latency 920 440 <<G
$(bars)
set multiplot layout 1,3 title 'What a client of Redis sees while the queue grows, and what a fork costs'
set xtics ("never" 0, "always" 1, "thpd" 2)
set title 'jobs accepted, thousands a second'
plot '$data/burst' using 1:2:(color(\$1)) with boxes lc rgb variable, \
	'' using 1:3:(0):(\$4 - \$3) with vectors nohead lw 2 lc rgb '#333333', \
	'' using 1:2:(sprintf('%.1f', \$2)) with labels offset 0,0.9
unset label 101; unset label 102
set title 'p99.9 of one job, ms'
plot '$data/burst999' using 1:2:(color(\$1)) with boxes lc rgb variable, \
	'' using 1:3:(0):(\$4 - \$3) with vectors nohead lw 2 lc rgb '#333333', \
	'' using 1:2:(sprintf('%.2f', \$2)) with labels offset 0,0.9
set title 'fork of BGSAVE, ms'
plot '$data/fork' using 1:2:(color(\$1)) with boxes lc rgb variable, \
	'' using 1:3:(0):(\$4 - \$3) with vectors nohead lw 2 lc rgb '#333333', \
	'' using 1:2:(sprintf('%.1f', \$2)) with labels offset 0,0.9
unset multiplot
G
