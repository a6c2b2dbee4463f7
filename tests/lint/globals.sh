#! /bin/sh
# SPDX-License-Identifier: MIT
# A layer has at most one writable global, statics in functions included, and at most one
# thread-local; tests/lint/globals.txt lists them.
. "$top_srcdir/tests/lint/lib.sh"
list=$top_srcdir/tests/lint/globals.txt
nm_all -f sysv | $AWK -F'|' "$parts"'
  !/^src\// { next }
  { for (i = 1; i <= NF; i++) gsub(/^ +| +$/, "", $i) }
  { l = layer_of($1); o = object_of($1); sub(/.*:/, "", $1) }
  !seen[l "/" o]++ { print "object", o }
  $3 ~ /^[bBdDcCsSgG]$/ && $7 !~ /^\.data\.rel\.ro/ { sub(/\.[0-9]+$/, "", $1); print "global", l, $1, o, $4 == "TLS" ? "thread-local" : "writable global" }' | $AWK -v list="$list" '
  BEGIN { while ((getline line < list) > 0) if (line !~ /^ *(#|$)/) { split(line, w); listed[w[1] " " w[2]] = 1 } }
  $1 == "object" { n++; next }
  { key = $2 " " $3 }
  !(key in listed) { print $4 ": " $5 " " $6 " " $3 " is not in globals.txt"; bad = 1 }
  ++count[$2 " " $5] > 1 { print $4 ": a second " $5 " " $6 " in " $2 ": " $3; bad = 1 }
  { found[key] = 1 }
  END {
    for (key in listed) if (!(key in found)) print "note: globals.txt lists " key ", which is not there"
    if (!n) { print "nothing examined"; bad = 1 }
    print n + 0 " objects examined"
    exit bad
  }'
