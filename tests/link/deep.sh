#! /bin/sh
# SPDX-License-Identifier: MIT
# Libraries that are opened with RTLD_DEEPBIND, and the object that dlopen takes for its
# caller.  Run by `make check' in a build folder.
set -u
here=$(cd "$top_srcdir" && pwd)/tests/link
build=$PWD
so=$build/.libs/libmialloc.so
work=$build/deep-test
rm -rf "$work"
mkdir -p "$work/far/inner" && cd "$work" || exit 1
trap 'cd "$build"; rm -rf "$work"' 0
failed=0

compile() { # OPTION...
  # shellcheck disable=SC2086 # the compiler is words
  $CC -O1 -Wall -D_GNU_SOURCE "$@" -ldl || exit 1
}
# shellcheck disable=SC2016 # the dynamic linker expands it
origin='$ORIGIN/inner'
shared() { compile -shared -fPIC -fno-builtin "$@"; }

# built for another host
compile -o deep "$here/deep.c" -pthread
./deep 2>/dev/null
[ $? -ne 126 ] || { echo 'such programs cannot be run here'; exit 77; }

# works NAME COMMAND...: the command succeeds, and mialloc served it
works() {
  name=$1
  shift
  if timeout 60 env MIALLOC_SHOW_STATS=1 "$@" >out 2>&1 && grep -q '^mialloc [0-9]' out; then
    echo "works: $name"
  else
    echo "FAILED: $name"
    sed 's/^/| /' out
    failed=1
  fi
}

shared -o libdeep.so "$here/deep_library.c"
shared -o libsymbolic.so "$here/deep_library.c" -Wl,-Bsymbolic,-z,now
shared -o libneeds.so "$here/deep_library.c" -Wl,--no-as-needed "$so" -Wl,-rpath,"$build/.libs"
deep='./libdeep.so ./libsymbolic.so ./libneeds.so'
# not position independent: addresses of functions that it uses are in the program itself
for kind in '-fPIE -pie' '-fno-pie -no-pie'; do
  # shellcheck disable=SC2086 # words
  compile $kind -o deep "$here/deep.c" -pthread
  # shellcheck disable=SC2086
  compile $kind -o deep-linked "$here/deep.c" -pthread "$so" -Wl,-rpath,"$build/.libs"
  # shellcheck disable=SC2086
  works "RTLD_DEEPBIND, preloaded, $kind" env LD_PRELOAD="$so" ./deep $deep
  # shellcheck disable=SC2086
  works "RTLD_DEEPBIND, linked, $kind" ./deep-linked $deep
done
# shellcheck disable=SC2086
works 'RTLD_DEEPBIND, all bound at the start' env LD_BIND_NOW=1 LD_PRELOAD="$so" ./deep $deep

shared -o far/inner/libinner.so "$here/deep_library.c"
for tags in enable disable; do
  shared -o far/libnear.so "$here/near.c" -Wl,-rpath,"$origin",--$tags-new-dtags
  compile -o near "$here/near_main.c" far/libnear.so -Wl,-rpath,"$work/far",--enable-new-dtags
  works "a library calls dlopen, new tags ${tags}d" env LD_PRELOAD="$so" ./near
  compile -o far/near "$here/near_main.c" "$here/near.c" -Wl,-rpath,"$origin",--$tags-new-dtags
  works "a program calls dlopen, new tags ${tags}d" env LD_PRELOAD="$so" far/near
done

# One line reports the affected libraries, and only these.
shared -o librefuse.so "$here/deep_refuse.c"
refused() { # LINES COMMAND...
  lines=$1
  shift
  timeout 60 env LD_PRELOAD="$work/librefuse.so $so" "$@" >out 2>&1
  [ "$(grep -c '^mialloc: .*RTLD_DEEPBIND' out)" -eq "$lines" ] && return
  echo "FAILED: $lines lines of a refusal: $*"
  sed 's/^/| /' out
  failed=1
}
if grep -q '^#define MIA_DLOPEN 1$' "$build/config.h"; then refused 1 ./deep ./libdeep.so; fi
refused 0 far/near
[ $failed -eq 0 ]
