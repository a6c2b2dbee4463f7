#! /bin/sh
# Atomics are spelt in src/base/atomic.h alone: there every order is in a name.
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
  }'
