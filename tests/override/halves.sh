#! /bin/sh
# SPDX-License-Identifier: MIT
# Programs that define some names of an allocator themselves (half.c), with each set of names
# and each way to have the library: which allocator serves the other names?  Run in the build
# folder; prints TAP: a line for each program, and the output of those that failed.
set -u
here=$top_srcdir/tests/override
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' 0
number=0
failed=0

sets='
none:
new:new_1 delete_1
arrays:new_1 delete_1 new_n delete_n
sized:new_1 delete_1 new_n delete_n delete_1_sized delete_n_sized
nothrow:new_1 delete_1 new_1_nothrow new_n_nothrow delete_1_nothrow delete_n_nothrow
aligned:new_1 delete_1 new_1_aligned delete_1_aligned
aligned-arrays:new_n delete_n new_n_aligned delete_n_aligned
four:malloc free calloc realloc
memalign:malloc free calloc realloc memalign
seven:malloc free calloc realloc aligned_alloc posix_memalign memalign
two:malloc free
usable:malloc free malloc_usable_size
three:malloc free realloc
all:malloc free calloc realloc new_1 delete_1
'

# shellcheck disable=SC2086 # the compiler is words
compiled() { $CC -O1 -Wall -I. -I"$here" -fno-builtin "$@"; }

outcome() { # NAME COMMAND...
  title=$1
  shift
  number=$((number + 1))
  if "$@" >"$dir"/said 2>&1; then
    echo "ok $number - $title, $(grep -c '^ok' $dir/said) cases"
  else
    echo "not ok $number - $title"
    sed -n '/^ok/!s/^/# /p' $dir/said
    failed=$((failed + 1))
  fi
}
passes() { timeout 60 "$@" >"$dir"/tap 2>&1; rc=$?; cat $dir/tap; [ $rc = 0 ] && grep -q '^ok' $dir/tap; }

so=$PWD/.libs/libmialloc.so
a=.libs/libmialloc.a
rpath="-Wl,-rpath,$PWD/.libs"

in_program() {
  compiled -rdynamic -o $dir/preloaded $dir/half.o $dir/table-preloaded.o -ldl &&
    outcome "$1, preloaded" passes env LD_PRELOAD="$so" $dir/preloaded
  outcome "$1, shared" linked $dir/shared $dir/half.o $dir/table.o "$so" "$rpath"
  [ ! -f $a ] || outcome "$1, archive" linked $dir/archive $dir/half.o $dir/table.o $a
  [ ! -f $a ] || [ $static = no ] || outcome "$1, static" linked $dir/static -static $dir/half.o $dir/table.o $a
}
linked() { # PROGRAM ARGUMENT...
  program=$1
  shift
  compiled -o "$program" "$@" && passes "$program"
}
# a library has the names, and precedes mialloc
in_library() {
  compiled -shared -o $dir/libhalf.so $dir/half.o || return
  compiled -o $dir/preloaded $dir/table-preloaded.o $dir/libhalf.so "-Wl,-rpath,$dir" -ldl &&
    outcome "$1 in a library, preloaded" passes env LD_PRELOAD="$dir/libhalf.so $so" $dir/preloaded
  outcome "$1 in a library, shared" linked $dir/shared $dir/table.o $dir/libhalf.so "$so" \
    "-Wl,-rpath,$dir" "$rpath"
}

echo 'int main(void) { return 0; }' >"$dir"/try.c
if compiled -static -o $dir/try $dir/try.c 2>/dev/null; then static=yes; else static=no; fi
compiled -c -o $dir/table.o "$here/halves.c" && compiled -DPRELOADED -c -o $dir/table-preloaded.o "$here/halves.c" || exit 1
echo "$sets" >"$dir"/sets
while IFS=: read -r name names; do
  [ -n "$name" ] || continue
  # shellcheck disable=SC2046,SC2086
  compiled -fPIC -c -o $dir/half.o "$here/half.c" -DHAS="\" $names \"" $(printf -- '-DHAS_%s ' $names) || exit 1
  in_program "$name"
  in_library "$name"
done <"$dir"/sets
echo "1..$number"
[ $failed = 0 ] && [ $number -ge 14 ]
