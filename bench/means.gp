# means.gp -- one point for each allocator: geometric means of its time and its memory.
# Called by bench/run with terminal, out, data and base.
eval "set terminal ".terminal
set output out
set xlabel 'peak memory, '.base.' = 1'
set ylabel 'time, '.base.' = 1'
set title 'All rows: the lower and the further left, the better'
set grid lc rgb '#dddddd'
set xrange [0:*]
set yrange [0:*]
set offsets graph 0.1, graph 0.15, graph 0.1, graph 0.05
unset key
set datafile separator '\t'
plot data using 2:3 with points pt 7 ps 1.2 lc rgb '#1f5fa8', \
     data using 2:3:1 with labels offset char 0.6,0.6 left
