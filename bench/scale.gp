# scale.gp -- the cost of a step as the work grows, one line for each allocator.  Called by
# bench/run with terminal, out, data, grows, heading and count.
eval "set terminal ".terminal
set output out
set xlabel grows
set ylabel 'nanoseconds a step'
set title heading
set grid lc rgb '#dddddd'
set logscale x
set format x '10^{%L}'
if (grows eq 'threads') set format x '%g'
set yrange [0:*]
set key left top
set datafile separator '\t'
plot for [i=2:int(count)+1] data using 1:i with linespoints pt 7 ps 0.6 title columnheader(i)
