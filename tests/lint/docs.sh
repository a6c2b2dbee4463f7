#! /bin/sh
# Every declaration in a public header stands under a comment; declarations that
# follow each other without a blank line may share one.
. "$top_srcdir/tests/lint/lib.sh"
$AWK '
  /\*\/$/ { told = 1; next }
  /^[ \t]*$/ { told = 0 }
  /^MIA_API/ { n++; if (!told) { print FILENAME ":" FNR ": no comment: " $0; bad = 1 } }
  END {
    if (!n) { print "nothing examined"; bad = 1 }
    print n + 0 " declarations examined"
    exit bad
  }' $(find "$top_srcdir/include" -name '*.h')
