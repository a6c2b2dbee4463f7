#! /bin/sh
# SPDX-License-Identifier: MIT
# A shared library defines what the headers declare, in the version of src/mialloc.map, and
# nothing else; libmialloc.so also defines what exports.txt lists, without a version.
. "$top_srcdir/tests/lint/lib.sh"

# examine LIBRARY OTHERS: OTHERS is whether it also has the names in exports.txt
examine() {
  test -f "$1" || { echo "nothing examined: no $1"; return 1; }
  # size_t in a C++ name: unsigned long, or unsigned int where that is as wide
  if $READELF -h "$1" | grep -q ELF32; then size=j; else size=m; fi
  {
    sed -n 's/^#define \(MIA_[A-Z0-9_]*\) 1$/config \1/p' config.h
    sed -n 's/^\(MIALLOC_[0-9]*\) .*/node \1/p; s/^ *\(mia_[a-z0-9_]*\);.*/versioned \1/p' "$top_srcdir/src/mialloc.map"
    code $(find "$top_srcdir/include" -name "*.h" ! -path "*/compat/*") | sed -n 's/^[^:]*:[0-9]*://; /MIA_API/s/.*\(mia_[a-z0-9_]*\)(.*/public \1/p'
    [ "$2" = no ] || sed "/^ *#/d; /^ *$/d; s/^/listed /; s/\\$/$size/" "$top_srcdir/tests/lint/exports.txt"
    $READELF --dyn-syms -W "$1" | $AWK '
      / (GLOBAL|WEAK) / && !/ (UND|ABS) / && $NF !~ /^_(init|fini|edata|end|_bss_start)$/ { print "found", $NF }'
  } | $AWK -v library="$1" '
    function complain(why) { print library ": " why; bad = 1 }
    $1 == "config" { config[$2] = 1 }
    $1 == "node" { node = $2 }
    $1 == "versioned" { version[$2] = "@@" node }
    $1 == "public" {
      public++
      if (!($2 in version)) complain("without a version: " $2)
      wanted[$2 (config["MIA_VERSION_SCRIPT"] ? version[$2] : "")] = 1
    }
    $1 == "listed" { yes = 1; for (i = 3; i <= NF; i++) if (!($i in config)) yes = 0; if (yes) wanted[$2] = 1 }
    $1 == "found" { found[$2] = 1; n++ }
    END {
      for (s in wanted) if (!(s in found)) complain("missing: " s)
      for (s in found) if (!(s in wanted)) complain("not wanted: " s)
      if (!n || !public) complain("nothing examined")
      print library ": " n + 0 " names examined"
      exit bad
    }'
}

status=0
examine .libs/libmialloc.so yes || status=1
examine .libs/libmialloc-api.so no || status=1
exit $status
