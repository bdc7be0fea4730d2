#!/bin/sh
# SPDX-License-Identifier: MIT
# Draws how long a foreign write stands, by what is to keep the settings.
#
# Usage: peers-plots.sh PEERS.json [DIRECTORY]   (bench/plots of the source tree unless told)
#
# drift.json beside it, where there is one, adds what thpd itself takes. Environment: srcdir. Needs gnuplot
# and python3.
set -eu

# shellcheck source=bench/plots.sh
. "${srcdir:?}/bench/plots.sh"
python3 "$srcdir/bench/peers.py" data "$json" "$(dirname "$json")/drift.json" "$data"

n=$(wc -l <"$data/peers")
plot peers-drift 920 $((110 + 46 * n)) <<G
set datafile separator "\t"
set title 'Somebody writes into enabled or defrag: until it is undone (logarithmic)'
set logscale x
set linetype 1 lc rgb '#c0392b'
set xrange [1:1e7]
set yrange [$n - 0.4:-0.6]
set xtics ('1 µs' 1, '10 µs' 10, '100 µs' 100, '1 ms' 1e3, '10 ms' 1e4, '100 ms' 1e5, '1 s' 1e6, 'never' 1e7)
set grid x noy lc rgb '#dddddd' lt 1
set lmargin 27
set bmargin 5
unset key
dress(name) = name[1:4] eq 'thpd' ? 0x2471a3 : 0x7f8c8d
never(n) = valid(2) ? NaN : n
plot '$data/peers' using (never(1)):0:(1):(6e6):(\$0 - 0.3):(\$0 + 0.3):ytic(1) with boxxyerror \\
		fs empty border lc rgb bad, \\
	'' using (never(6e6)):0:(3.9e6):(0) with vectors lw 2 lc rgb bad, \\
	'' using (never(3e5)):0:('never') with labels tc rgb bad, \\
	'' using 2:0:(1):2:(\$0 - 0.3):(\$0 + 0.3):(dress(strcol(1))) with boxxyerror fs solid 0.85 noborder lc rgb variable, \\
	'' using 3:0:(\$4 - \$3):(0) with vectors nohead lw 2 lc rgb '#333333', \\
	'' using 4:0:(sprintf('  %.0f µs', \$2)) with labels left
G
