#!/bin/sh
# demo.sh -- runs the same workload with the libc's malloc and with mialloc, and prints a
# table.
#
#   bench/demo.sh BUILDDIR     where bench/demo and .libs/libmialloc.so are
#
# SPDX-License-Identifier: MIT
set -eu
export LC_ALL=C

RUNS=5       # runs of each, in turns
WARM_MIB=512 # more than the workload uses

build=${1:?usage: $0 BUILDDIR}
program=$build/bench/demo
library=$build/.libs/libmialloc.so
for file in "$program" "$library"; do
  [ -r "$file" ] || {
    echo "$0: $file is missing" >&2
    exit 1
  }
done
library=$(cd "$(dirname "$library")" && pwd)/libmialloc.so

work=$(mktemp -d "${TMPDIR:-/tmp}/mialloc-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

echo 'Four threads, blocks of 8 bytes to 1 MiB, every fourth freed by another thread ...'
"$program" warm "$WARM_MIB"
run=1
while [ "$run" -le "$RUNS" ]; do
  "$program" "$run" >>"$work/libc"
  LD_PRELOAD=$library MIALLOC_SHOW_STATS=1 "$program" "$run" >>"$work/mialloc" 2>>"$work/statistics"
  run=$((run + 1))
done

served=$(grep -c '^mialloc [0-9][0-9.]*: ' "$work/statistics") || served=0
[ "$served" -eq "$RUNS" ] || {
  echo "$0: mialloc served $served of $RUNS runs" >&2
  exit 1
}

# median FILE COLUMN
median() {
  awk -v column="$2" '{ print $column }' "$1" | sort -n |
    awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

row() {
  printf '%s %s %s %s %s\n' "$1" "$(median "$work/$1" 1)" "$(median "$work/$1" 2)" \
    "$(median "$work/$1" 3)" "$(median "$work/$1" 4)"
}

{
  row libc
  row mialloc
} | awk '
  BEGIN { printf "\n%-10s%12s%12s%16s%14s\n", "", "time", "CPU time", "peak memory", "page faults" }
  {
    printf "%-10s%9.0f ms%9.0f ms%12.1f MiB%14d\n", $1, $2, $3, $4 / 1024, $5
    for (i = 2; i <= 5; i++) { before[i] = last[i]; last[i] = $i }
  }
  END {
    printf "%-10s", "ratio"
    split("12 12 16 14", width, " ")
    for (i = 2; i <= 5; i++) printf("%" width[i - 1] ".2f", (before[i] > 0) ? last[i] / before[i] : 0)
    printf "\n"
    if (last[4] > before[4])
      print "\nMore memory: a page of 64 KiB holds blocks of one size, and each thread has its own pages."
    if (last[5] > before[5])
      print "\nMore page faults: what is free between and behind blocks goes back to the system, and" \
        "\ncomes again when it is needed.  The time above includes them."
  }'
printf '\nMedians of %d runs each, taken in turns: numbers of this run on this machine.\n' "$RUNS"
cat <<'END'
Less is better in every column.  Peak memory is the most physical memory (RSS) that the process
had at any time: the blocks in use, about 40 MiB of them, what the allocator keeps beyond them,
and some MiB of the program itself.
END
