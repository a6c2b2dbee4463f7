#! /bin/sh
# SPDX-License-Identifier: MIT
# The graph of which object needs which other has no cycles, so every file can be understood
# and tested on top of the files that it uses.
. "$top_srcdir/tests/lint/lib.sh"
nm_all -P | $AWK "$parts"'
  { o = layer_of($1) "/" object_of($1) }
  !seen[o]++ { print "object", o }
  $3 ~ /^[TDBRCVW]$/ { print "def", o, $2 } $3 == "U" { print "use", o, $2 }' | $AWK '
  $1 == "object" { node[++n] = $2 }
  $1 == "def" { home[$3] = $2 }
  $1 == "use" { use[$2 " " $3] = 1 }
  END {
    for (u in use) {
      split(u, w); to = home[w[2]]
      if (to != "" && to != w[1] && !reach[w[1], to]) { reach[w[1], to] = 1; edges++ }
    }
    for (k = 1; k <= n; k++) for (i = 1; i <= n; i++) if (reach[node[i], node[k]])
      for (j = 1; j <= n; j++) if (reach[node[k], node[j]]) reach[node[i], node[j]] = 1
    largest = n > 0
    for (i = 1; i <= n; i++) {
      size = 1; ring = node[i]
      for (j = 1; j <= n; j++) if (j != i && reach[node[i], node[j]] && reach[node[j], node[i]]) {
        size++; ring = ring " " node[j]
      }
      if (size > largest) { largest = size; worst = ring }
    }
    if (largest > 1) print "cycle: " worst
    if (!n || !edges) print "nothing examined"
    print n + 0 " objects, " edges + 0 " dependencies, largest cycle " largest + 0
    exit largest != 1 || !edges
  }'
