#! /bin/sh
# SPDX-License-Identifier: MIT
# The shared library needs at most 16 bytes of thread-local storage, so that it can be loaded
# late, and no library but libc (with an old glibc also libdl; for dynamic TLS also its
# loader).
. "$top_srcdir/tests/lint/lib.sh"
lib=.libs/libmialloc.so
test -f $lib || { echo "nothing examined: no $lib"; exit 1; }
grep -q '^#define MIA_INITIAL_EXEC_TLS 1' config.h && loader=- || loader='^ld'
{ $READELF -lW $lib; $READELF -dW $lib; } | $AWK -v loader="$loader" '
  function number(hex,  i, n) {
    hex = tolower(hex)
    for (i = 3; i <= length(hex); i++) n = n * 16 + index("123456789abcdef", substr(hex, i, 1))
    return n
  }
  $1 == "LOAD" { loads++ }
  $1 == "TLS" { size = number($6); if (size > 16) { print "TLS segment of " size " bytes"; bad = 1 } }
  /\(NEEDED\)/ {
    name = $NF; gsub(/[][]/, "", name); needed = needed " " name
    if (name !~ /^lib(c|dl)\./ && name !~ loader) { print "needs " name; bad = 1 }
  }
  END {
    if (!loads || !needed) { print "nothing examined"; bad = 1 }
    print size + 0 " bytes of TLS; needs" needed
    exit bad
  }'
