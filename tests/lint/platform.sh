#! /bin/sh
# SPDX-License-Identifier: MIT
# Only src/base and src/os may depend on the system, libc or CPU; the other layers use
# config.h and the headers of ISO C.
. "$top_srcdir/tests/lint/lib.sh"
iso='assert|complex|ctype|errno|float|inttypes|iso646|limits|locale|math|setjmp|signal|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|time'
# names that override.c must define as the libc declares them
api='malloc'
set --
for l in $layers; do
  case $l in base|os) ;; *) for f in "$src/$l"/*.[ch]; do test -f "$f" && set -- "$@" "$f"; done;; esac
done
test $# -gt 0 || { echo "nothing examined"; exit 1; }
code "$@" | $AWK -v iso="$iso" -v api="$api" -v prefix="$src/" '
  { n++; place = $0; sub(/:[^:]*$/, "", place); text = substr($0, length(place) + 2)
    layer = substr(place, length(prefix) + 1); sub(/\/.*/, "", layer) }
  text ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)/ {
    rest = text
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*/)) {
      word = substr(rest, RSTART, RLENGTH); rest = substr(rest, RSTART + RLENGTH)
      if (word ~ /^_/ && word !~ /^__(cplusplus|STDC_.*)$/) { print place ": asks for " word; bad = 1 }
    }
  }
  text ~ /^[ \t]*#[ \t]*include[ \t]*</ {
    name = text; sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
    if (name ~ "^(" iso ")\\.h$" || name == "mialloc.h" || name ~ /^mialloc\//) next
    if (layer == "api" && name ~ "^(" api ")\\.h$") next
    print place ": includes <" name ">"; bad = 1
  }
  END {
    if (!n) { print "nothing examined"; bad = 1 }
    print n + 0 " lines examined"
    exit bad
  }'
