#!/bin/sh
# versus.sh -- compares allocators in the patterns of bench/versus.
#
#   bench/versus.sh BUILDDIR [NAME=PATH.so ...]
#
# Each allocator is preloaded; an empty PATH stands for the libc's own malloc.  The default
# list is: libc= mialloc=BUILDDIR/.libs/libmialloc.so.  They run in turns, ROUNDS times (an
# environment variable, default 7).  A row shows each allocator's median in nanoseconds per
# block, and its ratio to the first one's.
#
# SPDX-License-Identifier: MIT
set -eu
export LC_ALL=C

ROUNDS=${ROUNDS:-7}
WARM_MIB=128 # more than any pattern uses

build=${1:?usage: $0 BUILDDIR [NAME=PATH.so ...]}
shift
[ $# -gt 0 ] || set -- libc= "mialloc=$build/.libs/libmialloc.so"
program=$build/bench/versus

for each in "$@"; do
  path=${each#*=}
  case $each in *=*) ;; *) path=/nonexistent ;; esac
  if [ -n "$path" ] && [ ! -r "$path" ]; then
    echo "$0: $each is not NAME=PATH.so with a file to read" >&2
    exit 1
  fi
done

work=$(mktemp -d "${TMPDIR:-/tmp}/mialloc-versus.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# A virtual machine must first get this memory from its host, which must not be timed.
"$build/bench/demo" warm "$WARM_MIB"

round=1
while [ "$round" -le "$ROUNDS" ]; do
  for each in "$@"; do
    name=${each%%=*}
    path=${each#*=}
    case $path in '' | /*) ;; *) path=$PWD/$path ;; esac
    env ${path:+"LD_PRELOAD=$path"} "$program" >"$work/run"
    sed "s/^/$name /" "$work/run" >>"$work/all"
  done
  round=$((round + 1))
done

# Sorted by value, so that the middle line of each allocator and pattern is the median.
order=$(for each in "$@"; do printf '%s ' "${each%%=*}"; done)
rows=$(awk '{ print $1 }' "$work/run")
sort -k1,2 -k3,3n "$work/all" | awk -v order="$order" -v rows="$rows" '
  { n[$1, $2]++; value[$1, $2, n[$1, $2]] = $3 }
  function median(name, row) { return value[name, row, int((n[name, row] + 1) / 2)] }
  END {
    names = split(order, name, " ")
    count = split(rows, row, "\n")
    printf "%-12s", "ns a block"
    for (i = 1; i <= names; i++) printf((i == 1) ? "%12s" : "%12s        ", name[i])
    printf "\n"
    for (r = 1; r <= count; r++) {
      first = median(name[1], row[r])
      printf "%-12s%12.2f", row[r], first
      for (i = 2; i <= names; i++) {
        here = median(name[i], row[r])
        ratio = (first > 0) ? here / first : 0
        printf "%12.2f %6.2fx", here, ratio
        if (ratio > 0) log_sum[i] += log(ratio)
      }
      printf "\n"
    }
    printf "%-12s%12s", "geomean", ""
    for (i = 2; i <= names; i++) printf "%12s %6.2fx", "", exp(log_sum[i] / count)
    printf "\n"
  }'
echo "Medians of $ROUNDS runs each, taken in turns: numbers of this run on this machine."
