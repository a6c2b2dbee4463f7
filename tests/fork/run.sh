#! /bin/sh
# SPDX-License-Identifier: MIT
# Fork handlers that a library registers before mialloc's and after them, in every way to
# have mialloc in a program.  Run by `make check' in a build folder.
set -u
here=$(cd "$top_srcdir" && pwd)/tests/fork
include=$(cd "$top_srcdir" && pwd)/include
build=$PWD
lib=$build/.libs
work=$build/fork-test
rm -rf "$work"
mkdir -p "$work" && cd "$work" || exit 1
trap 'cd "$build"; rm -rf "$work"' 0
failed=0
tried=0

# shellcheck disable=SC2086 # the compiler is words
compile() { $CC -O1 -I"$include" "$@" -pthread; }
library() { # NAME OPTION...
  name=$1
  shift
  compile -shared -fPIC -o "lib$name.so" "$here/library.c" "$@"
}
program() { # NAME OPTION...
  name=$1
  shift
  compile -o "$name" "$here/handlers.c" "$@" -Wl,-rpath,"$work" -Wl,-rpath,"$lib"
}

# works WHAT COMMAND...
works() {
  what=$1
  shift
  tried=$((tried + 1))
  "$@" >out 2>&1 && return
  echo "FAILED: $what"
  sed 's/^/| /' out
  failed=1
}
defined() { grep -q "^#define $1 1\$" "$build/config.h"; }

echo 'int main(void) { return 0; }' >runs.c
compile -o runs runs.c && ./runs || { echo 'programs cannot be run here'; exit 77; }

# Cases in which mialloc's handlers can be the first ones, in any order of registration.
if defined MIA_HAVE_REGISTER_ATFORK || defined MIA_RENAMES_ATFORK; then first=-DFIRST; else first=; fi
all=-Wl,--no-as-needed

library by-constructor -DBY_CONSTRUCTOR $first || exit 1
library on-request $first || exit 1

program plain -DBY_CONSTRUCTOR $all -L. -lby-constructor || exit 1
works 'preloaded: a constructor of a library' env LD_PRELOAD="$lib/libmialloc.so" ./plain
program later $all -L. -lon-request || exit 1
works 'preloaded: main' env LD_PRELOAD="$lib/libmialloc.so" ./later
works 'preloaded before another' \
  env LD_PRELOAD="$lib/libmialloc.so:$work/libby-constructor.so" ./plain
works 'preloaded behind another' \
  env LD_PRELOAD="$work/libby-constructor.so:$lib/libmialloc.so" ./plain

program before -DBY_CONSTRUCTOR $all -L. -lby-constructor "$lib/libmialloc.so" || exit 1
works 'linked: a constructor, the library before ours' ./before
program behind -DBY_CONSTRUCTOR $all "$lib/libmialloc.so" -L. -lby-constructor || exit 1
works 'linked: a constructor, the library behind ours' ./behind
library needs-us -DBY_CONSTRUCTOR $first $all "$lib/libmialloc.so" || exit 1
program needing -DBY_CONSTRUCTOR $all -L. -lneeds-us "$lib/libmialloc.so" || exit 1
works 'linked: a constructor of a library that needs ours' ./needing

# The program's own pthread_atfork, which has that name only where it is weak.
if defined MIA_HAVE_REGISTER_ATFORK; then first=-DFIRST; else first=; fi
if test -f "$lib/libmialloc.a"; then
  library for-archive -DBY_CONSTRUCTOR $first || exit 1
  program archive -DBY_CONSTRUCTOR $all -L. -lfor-archive "$lib/libmialloc.a" &&
    works 'linked with the archive: a constructor of a library' ./archive
  for by in constructor main; do
    test $by = main && how= || how=-DBY_CONSTRUCTOR
    program static-$by $how -DFIRST "$here/library.c" "$lib/libmialloc.a" -static 2>/dev/null || continue
    works "a static program: $by" ./static-$by
  done
fi

# Only mialloc's own names: it replaces no function of the C library, so not pthread_atfork
# either.
library private -DBY_CONSTRUCTOR -DPRIVATE $all "$lib/libmialloc-api.so" || exit 1
program private -DBY_CONSTRUCTOR $all -L. -lprivate "$lib/libmialloc-api.so" || exit 1
works 'libmialloc-api: a constructor behind ours' ./private
compile -shared -fPIC -o libunbound.so "$here/library.c" -DBY_CONSTRUCTOR -DPRIVATE || exit 1
program unbound -DBY_CONSTRUCTOR $all -L. -lunbound "$lib/libmialloc-api.so" || exit 1
works 'libmialloc-api: a constructor before ours' ./unbound

echo "$tried programs"
exit $failed
