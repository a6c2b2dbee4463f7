#! /bin/sh
# SPDX-License-Identifier: MIT
# Only src/base/atomic.h uses C11's atomics; there every memory order is in a name.
. "$top_srcdir/tests/lint/lib.sh"
code "$src"/*/*.[ch] "$top_srcdir"/include/*.h | $AWK -v home="$src/base/atomic.h:" '
  { n++ }
  /(^|[^a-zA-Z0-9_])(_Atomic|atomic_[a-z]+|__atomic_|__sync_|memory_order_)/ || /<stdatomic\.h>/ {
    if (index($0, home) == 1) { seen++; next }
    print; bad = 1
  }
  END {
    if (!n || !seen) { print "nothing examined"; bad = 1 }
    print n + 0 " lines examined"
    exit bad
  }' || exit 1

# An operation has the memory order that its name says.
$AWK '
  match($0, /A##_[a-z_]+\(/) { name = substr($0, RSTART + 3, RLENGTH - 4) }
  name != "" && match($0, /memory_order_[a-z_]+/) {
    order = substr($0, RSTART + 13, RLENGTH - 13)
    want = name ~ /_acq_rel$/ ? "acq_rel" : name ~ /_acq$/ ? "acquire" : name ~ /_rel$/ ? "release" : "relaxed"
    if (order != want) { print FILENAME ":" FNR ": " name " is " order; bad = 1 }
    n++; name = ""
  }
  END {
    if (n < 10) { print "nothing examined"; bad = 1 }
    print n + 0 " operations examined"
    exit bad
  }' "$src/base/atomic.h" || exit 1
