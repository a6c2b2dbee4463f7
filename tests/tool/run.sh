#! /bin/sh
# SPDX-License-Identifier: MIT
# mialloc-run as users have it: installed, found through PATH, and used with all kinds of
# programs.  Run by `make check' in a build folder.
set -u
top=$(cd "$top_srcdir" && pwd)
here=$top/tests/tool
build=$PWD
work=$build/tool-test
rm -rf "$work"
mkdir -p "$work/a blank" "$work/bin" "$work/programs" && cd "$work" || exit 1
trap 'cd "$build"; rm -rf "$work"' 0
failed=0

# An installed tree that was moved, with the same relative paths as the real one.
variable() { sed -n "s/^$1 = //p" "$build/Makefile"; }
prefix=$(variable prefix) exec_prefix=$(eval echo "$(variable exec_prefix)")
bindir=$(eval echo "$(variable bindir)") libdir=$(eval echo "$(variable libdir)")
case $bindir:$libdir in "$prefix"/*:"$prefix"/*) ;; *) echo 'not below the prefix'; exit 77 ;; esac
installed() { # TREE
  mkdir -p "$1${bindir#"$prefix"}" "$1${libdir#"$prefix"}"
  cp "$build/tools/mialloc-run" "$1${bindir#"$prefix"}"
  cp "$build"/.libs/libmialloc*.so.[0-9]* "$1${libdir#"$prefix"}"
}
installed "$work/tree"
installed "$work/a blank/tree"
installed "$work/a:colon/tree"
PATH=$work/tree${bindir#"$prefix"}:$work/programs:$PATH

# shellcheck disable=SC2086 # words
$CC -o programs/shows "$here/shows.c" || exit 1
case $(./programs/shows) in malloc:*) ;; *) echo 'such programs cannot be run here'; exit 77 ;; esac
# shellcheck disable=SC2086
$CC -static -DSTATIC -o programs/still "$here/shows.c" 2>/dev/null || rm -f programs/still
printf '#! %s\nthe rest\n' "$work/programs/shows" >programs/script
printf '#!/usr/bin/env shows\n' >programs/by-env
printf '#! %s fail\n' "$work/programs/still" >programs/still-script
printf '#! %s\n' "$work/programs/nothing" >programs/lost
printf '#! %s\n' "$work/programs/circle" >programs/circle
printf 'not to be executed\n' >programs/data
printf 'shows "$@"\n' >programs/plain
mkdir programs/folder
chmod +x programs/script programs/by-env programs/still-script programs/lost programs/circle programs/plain

# gives STATUS OUT ERR COMMAND...: checks the status, and that standard output and error have
# such a line or, for '', are empty
gives() {
  status=$1 out=$2 err=$3
  shift 3
  "$@" >out 2>err
  got=$?
  for stream in out err; do
    eval "pattern=\$$stream"
    if [ -z "$pattern" ]; then [ ! -s $stream ]; else grep -q -e "$pattern" $stream; fi && continue
    echo "FAILED: $*: $stream is not like '$pattern':"
    sed 's/^/| /' $stream
    failed=1
  done
  [ $got = "$status" ] || { echo "FAILED: $*: status $got, not $status"; failed=1; }
  tried=$((${tried-0} + 1))
}

# ---- programs ----
gives 0 '^malloc: mialloc$' '' mialloc-run shows
gives 0 '^malloc: mialloc$' '' mialloc-run ./programs/shows
gives 0 '^\[a  b\]\[\]\[--stats\]$' '' mialloc-run -- shows 'a  b' '' --stats
gives 42 '^\[fail\]$' '' mialloc-run shows fail
gives 0 "^\[$work/programs/script\]\[x\]$" '' mialloc-run script x
gives 0 '^malloc: mialloc$' '' mialloc-run script
gives 0 '^malloc: mialloc$' '' env -i PATH="$PATH" mialloc-run shows
gives 0 '^malloc: mialloc$' '' "a blank/tree${bindir#"$prefix"}/mialloc-run" shows
gives 125 '' 'takes no folder with a colon' "a:colon/tree${bindir#"$prefix"}/mialloc-run" shows
ln -s "../tree${bindir#"$prefix"}/mialloc-run" bin/another-name
gives 0 '^malloc: mialloc$' '' bin/another-name shows
gives 0 '^malloc: libc$' '' shows

# ---- programs that cannot be run ----
gives 127 '' '^mialloc-run: nowhere: not found$' mialloc-run nowhere
gives 127 '' 'not found$' mialloc-run ./nowhere
gives 126 '' ' is a folder$' mialloc-run ./programs/folder
gives 126 '' ' may not be executed$' mialloc-run ./programs/data
gives 126 '' 'is a script for .*nothing, which is not there$' mialloc-run lost
gives 126 '' 'has too many interpreters$' mialloc-run circle
if [ -f programs/still ]; then
  gives 126 '' '^mialloc-run: still is a static program: ' mialloc-run still
  gives 126 '' 'is a script for .*still, which is a static program: ' mialloc-run still-script
fi
# a setuid program of another user; only root can make one
cp programs/shows programs/privileged
if [ "$(id -u)" = 0 ]; then
  chown 1:1 programs/privileged && chmod 4755 programs/privileged
  gives 126 '' '^mialloc-run: privileged is setuid: ' mialloc-run privileged
  chmod 2755 programs/privileged
  gives 126 '' '^mialloc-run: privileged is setgid: ' mialloc-run privileged
  chmod 755 programs/privileged
fi
gives 0 '^malloc: mialloc$' '' mialloc-run privileged
# a program of another machine: this one with another machine number, in either byte order
cp programs/shows programs/foreign
printf '\001\001' | dd of=programs/foreign bs=1 seek=18 conv=notrunc 2>/dev/null
gives 126 '' '^mialloc-run: foreign is for another machine than libmialloc' mialloc-run foreign

# ---- options ----
gives 0 '^mialloc-run [0-9]*\.[0-9]*\.[0-9]*$' '' mialloc-run --version
gives 0 '^mialloc-run [0-9]*\.[0-9]*\.[0-9]*$' '' mialloc-run -V
gives 0 '^usage: mialloc-run ' '' mialloc-run --help
gives 0 '^Examples:$' '' mialloc-run -h
gives 125 '' '^usage: mialloc-run ' mialloc-run
gives 125 '' '^mialloc-run: no such option: --stat;' mialloc-run --stat shows
gives 125 '' '^mialloc-run: --stats is text or json, not xml$' mialloc-run --stats=xml shows
gives 125 '' '^mialloc-run: --set wants NAME=VALUE' mialloc-run --set
gives 125 '' '^mialloc-run: --set wants NAME=VALUE, not shows$' mialloc-run --set shows
gives 125 '' '^mialloc-run: no such option: $' mialloc-run --set =1 shows
gives 125 '' '^mialloc-run: no such option: a b$' mialloc-run --set 'a b=1' shows
gives 0 '^malloc: mialloc$' '^mialloc [0-9]' mialloc-run --stats shows
gives 0 '^malloc: mialloc$' '^{' mialloc-run --stats=json shows
gives 0 '^malloc: mialloc$' '^  purge_delay  *77 ms ' mialloc-run --set=verbose=on --set purge_delay=77 shows
gives 0 '^malloc: mialloc$' '^  limit  *1048576 KiB ' mialloc-run --set MIALLOC_VERBOSE=on --set limit=1G shows

# The library is asked whether there is such an option.
gives 0 '^malloc: mialloc$' '^  purge_delay  *77 ms ' env MIALLOC_MAX_WARNINGS=0 mialloc-run --set verbose=on --set Purge-Delay=77 shows
gives 125 '' '^mialloc-run: no such option: purge; there are: show_stats .* purge_delay ' mialloc-run --set purge=1 shows
gives 125 '' "^mialloc-run: purge_delay wants a number from -1 to 86400000 ms .*, not '2s'\$" mialloc-run --set purge_delay=2s shows
gives 125 '' "^mialloc-run: purge_delay wants .*, not '86400001'\$" mialloc-run --set purge_delay=86400001 shows
gives 125 '' "^mialloc-run: verbose wants on or off .*, not ''\$" mialloc-run --set verbose= shows
gives 125 '' "^mialloc-run: purge_delay wants " env MIALLOC_MAX_WARNINGS=0 mialloc-run --set purge_delay=x shows
gives 0 '^  purge_delay  *250 ms ' '' env MIALLOC_PURGE_DELAY=7 mialloc-run --list-options
listed=$(mialloc-run --list-options | wc -l)
described=$(grep -c '^\.BR MIALLOC_[A-Z_]* "' "$top/man/mialloc.7")
[ "$listed" = "$described" ] || { echo "FAILED: $listed options are listed, and $described in mialloc(7)"; failed=1; }

if mialloc-run true 2>/dev/null; then
  gives 0 '^malloc: mialloc$' '' mialloc-run sh -c shows
  gives 0 '^malloc: mialloc$' '' mialloc-run plain
  gives 0 '^malloc: mialloc$' '' mialloc-run by-env
else
  gives 126 '' 'program' mialloc-run true
  gives 126 '' 'is a script for .*env, which ' mialloc-run by-env
fi

# ---- which malloc a program will have ----
gives 0 "^shows: malloc is mialloc's: .*libmialloc.*\.so" '' mialloc-run --check shows
gives 0 "^script: malloc is mialloc's: " '' mialloc-run --check script
gives 127 '' 'not found$' mialloc-run --check nowhere
gives 126 "^foreign: malloc is not mialloc's: foreign is for another machine" '' mialloc-run --check foreign
gives 126 "^lost: malloc is not mialloc's: .*nothing, which is not there" '' mialloc-run --check lost
if [ -f programs/still ]; then
  gives 126 "^still: malloc is not mialloc's: still is a static program: " '' mialloc-run --check still
fi

# compiled NAME FLAG...: shows.c with an additional source on the standard input
compiled() {
  name=$1
  shift
  # shellcheck disable=SC2086
  cat >more.c && $CC -fno-builtin -o "programs/$name" "$here/shows.c" more.c "$@" || failed=1
}
# library NAME SYMBOL: one that defines malloc, and a symbol by which it is known
library() {
  printf 'void *malloc(__SIZE_TYPE__);\nvoid *malloc(__SIZE_TYPE__ n) { (void)n; return 0; }\nint %s;\n' "$2" >more.c
  # shellcheck disable=SC2086
  $CC -fno-builtin -shared -fPIC -o "programs/lib$1.so" more.c || failed=1
}
library arena mallctl
library checks __asan_init
beside="-Wl,--no-as-needed -Lprograms -Wl,-rpath,$work/programs"
# shellcheck disable=SC2086
{
  echo 'int nobody;' | compiled with-jemalloc $beside -larena
  echo 'int nobody;' | compiled with-asan $beside -lchecks
  echo 'int _rjem_mallctl;' | compiled with-hidden
  printf '#include <stdlib.h>\nvoid *malloc(size_t n) { (void)n; abort(); }\n' | compiled with-own
  printf '#include <stdlib.h>\nint mallctl;\nvoid *malloc(size_t n) { (void)n; abort(); }\n' | compiled with-linked
  printf '#include <dlfcn.h>\nvoid *opened(void);\nvoid *opened(void) { return dlopen("x", RTLD_NOW); }\n' | compiled opens -ldl
  echo 'int nobody;' | compiled of-musl -Wl,--dynamic-linker=/lib/ld-musl-none.so.1
  echo 'int nobody;' | compiled of-glibc -Wl,--dynamic-linker=/lib/ld-linux-none.so.2
}
gives 0 "^  .*libarena.so is loaded too; its malloc is not used" '' mialloc-run --check with-jemalloc
gives 126 "^  but .*libchecks.so is AddressSanitizer's: " '' mialloc-run --check with-asan
gives 0 "^with-hidden: a part of it calls jemalloc's malloc under another name" '' mialloc-run --check with-hidden
gives 126 '^with-own: malloc is its own: the program defines it' '' mialloc-run --check with-own
gives 126 "^with-linked: malloc is jemalloc's: the program defines it" '' mialloc-run --check with-linked
if grep -q 'define MIA_LIBC_MUSL 1' "$build/config.h"; then
  gives 126 'of-glibc is not a program for musl, as libmialloc' '' mialloc-run --check of-glibc
else
  gives 0 'opens with RTLD_DEEPBIND' '' mialloc-run --check opens
  gives 126 'of-musl is a program for musl, libmialloc' '' mialloc-run --check of-musl
fi
rm programs/libarena.so
gives 126 '^with-jemalloc cannot be run: ' '' mialloc-run --check with-jemalloc
if [ -f programs/still ] && [ -f "$build/.libs/libmialloc.a" ]; then
  echo 'int nobody;' | compiled still-ours -static -DSTATIC -Wl,-u,malloc "$build/.libs/libmialloc.a"
  gives 0 "^still-ours: malloc is mialloc's, linked statically" '' mialloc-run --check still-ours
fi
if [ "$(id -u)" = 0 ]; then
  chown 1:1 programs/privileged && chmod 4755 programs/privileged
  gives 126 "^privileged: malloc is not mialloc's: privileged is setuid: " '' mialloc-run --check privileged
fi

echo "$tried runs"
exit $failed
