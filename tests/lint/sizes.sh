#! /bin/sh
# SPDX-License-Identifier: MIT
# Limits: a header has 220 lines, a source 520, a function 60.
. "$top_srcdir/tests/lint/lib.sh"
$AWK '
  FNR == 1 { files++; start = 0 }
  { limit = FILENAME ~ /\.h$/ ? 220 : 520 }
  FNR == limit + 1 { print FILENAME ": more than " limit " lines"; bad = 1 }
  # a function begins at a line that opens a brace and is not a declaration of data
  /^[a-zA-Z_].*[^\\]$/ && !/;$/ && !/^(typedef|struct|union|enum|extern)/ && !start { head = FNR; name = $0 }
  /^[a-zA-Z_].*\) *[{]$/ || /^ .*\) *[{]$/ && head && FNR - head < 5 || /^[{]$/ { if (!start) start = head ? head : FNR }
  /^}/ {
    if (start) {
      functions++
      if (FNR - start + 1 > 60) { print FILENAME ":" start ": " FNR - start + 1 " lines: " name; bad = 1 }
    }
    start = head = 0
  }
  END {
    if (!files || !functions) { print "nothing examined"; bad = 1 }
    print files + 0 " files, " functions + 0 " functions examined"
    exit bad
  }' "$src"/*/*.[ch]
