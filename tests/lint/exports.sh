#! /bin/sh
# The shared library defines what mialloc.h declares and what exports.txt lists,
# and nothing else.
. "$top_srcdir/tests/lint/lib.sh"
lib=.libs/libmialloc.so
test -f $lib || { echo "nothing examined: no $lib"; exit 1; }
# size_t in a C++ name: unsigned long, or unsigned int where that is as wide
if $READELF -h $lib | grep -q ELF32; then size=j; else size=m; fi
{
  sed -n 's/^#define \(MIA_[A-Z0-9_]*\) 1$/config \1/p' config.h
  code $(find "$top_srcdir/include" -name "*.h" ! -path "*/compat/*") | sed -n 's/^[^:]*:[0-9]*://; /MIA_API/s/.*\(mia_[a-z0-9_]*\)(.*/wanted \1/p'
  sed "/^ *#/d; /^ *$/d; s/^/listed /; s/\\$/$size/" "$top_srcdir/tests/lint/exports.txt"
  $NM -D -P --defined-only $lib | $AWK '
    $2 != "A" && $1 !~ /^_(init|fini|edata|end|_bss_start)$/ { sub(/@.*/, "", $1); print "found", $1 }'
} | $AWK '
  $1 == "config" { config[$2] = 1 }
  $1 == "wanted" { wanted[$2] = 1; public++ }
  $1 == "listed" { yes = 1; for (i = 3; i <= NF; i++) if (!($i in config)) yes = 0; if (yes) wanted[$2] = 1 }
  $1 == "found" { found[$2] = 1; n++ }
  END {
    for (s in wanted) if (!(s in found)) { print "missing: " s; bad = 1 }
    for (s in found) if (!(s in wanted)) { print "not wanted: " s; bad = 1 }
    if (!n || !public) { print "nothing examined"; bad = 1 }
    print n + 0 " names examined"
    exit bad
  }'
