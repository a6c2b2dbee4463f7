#! /bin/sh
# SPDX-License-Identifier: MIT
# The compiler, and so the user, chooses the instruction set: no flag, pragma or attribute of
# mialloc asks for more.
. "$top_srcdir/tests/lint/lib.sh"
build="$top_srcdir/configure.ac $top_srcdir/Makefile.am $(find "$top_srcdir/m4" -name 'mia_*.m4') $(find "$top_srcdir" -maxdepth 1 -name '*.pc.in')"
bad=0
if sed 's/#.*//' $build | grep -nE -- '-m(arch|cpu|tune|fpu|sse|avx|bmi|popcnt|cx16|lse|native|[0-9])|-x[A-Z]'; then
  echo 'a flag for the instruction set'
  bad=1
fi
if code $(find "$src" "$top_srcdir/include" -name '*.[ch]') | grep -E 'pragma +(GCC|clang) +target|attribute__ *\(\(.*target *\('; then
  echo 'code for an instruction set'
  bad=1
fi
n=$(echo $build | wc -w)
[ "$n" -gt 10 ] || { echo "nothing examined"; bad=1; }
echo "$n files examined"
exit $bad
