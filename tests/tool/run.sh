#! /bin/sh
# mialloc-run as users have it: installed, found through PATH, and used with all kinds of
# programs.  Run by `make check' in a build folder.
set -u
here=$(cd "$top_srcdir" && pwd)/tests/tool
build=$PWD
work=$build/tool-test
rm -rf "$work"
mkdir -p "$work/a blank" "$work/bin" "$work/programs" && cd "$work" || exit 1
trap 'cd "$build"; rm -rf "$work"' 0
failed=0

# An installed tree that was moved, with the same relative paths as the real one.
variable() { sed -n "s/^$1=//p" "$build/tools/mialloc-run"; }
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
gives 0 '^usage: mialloc-run ' '' mialloc-run --help
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

# Asks the library, in a program that uses its libc.
if mialloc-run true 2>/dev/null; then
  gives 0 '^malloc: mialloc$' '' mialloc-run sh -c shows
  gives 0 '^malloc: mialloc$' '' mialloc-run plain
  gives 0 '^malloc: mialloc$' '' mialloc-run by-env
  gives 0 '^malloc: mialloc$' '^  purge_delay  *77 ms ' env MIALLOC_MAX_WARNINGS=0 mialloc-run --set verbose=on --set Purge-Delay=77 shows
  gives 125 '' '^mialloc-run: no such option: purge; there are: show_stats .* purge_delay ' mialloc-run --set purge=1 shows
  gives 125 '' "^mialloc-run: purge_delay wants a number from -1 to 86400000 ms .*, not '2s'\$" mialloc-run --set purge_delay=2s shows
  gives 125 '' "^mialloc-run: purge_delay wants .*, not '86400001'\$" mialloc-run --set purge_delay=86400001 shows
  gives 125 '' "^mialloc-run: verbose wants on or off .*, not ''\$" mialloc-run --set verbose= shows
  gives 125 '' "^mialloc-run: purge_delay wants " env MIALLOC_MAX_WARNINGS=0 mialloc-run --set purge_delay=x shows
else
  gives 126 '' 'program' mialloc-run true
  gives 126 '' 'is a script for .*env, which ' mialloc-run by-env
  gives 0 '^malloc: mialloc$' '^mialloc-run: no program here to ask ' mialloc-run --set purge_delay=77 shows
fi

echo "$tried runs"
exit $failed
