# scale.gp -- the cost of a step as the work grows, one line for each allocator.  Called by
# bench/run with terminal, out, data, grows, heading, unit and count.
eval "set terminal ".terminal
set output out
set xlabel grows
set ylabel unit
set title heading
set grid lc rgb '#dddddd'
set logscale x
set format x '10^{%L}'
if (grows eq 'threads' || grows eq 'processors') set format x '%g'
set yrange [0:*]
set key left top
set datafile separator '\t'
plot for [i=2:int(count)+1] data using 1:i with linespoints pt 7 ps 0.6 title columnheader(i)
