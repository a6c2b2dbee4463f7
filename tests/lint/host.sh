#! /bin/sh
# SPDX-License-Identifier: MIT
# configure refuses a system that src/os does not know, by its name and before it looks for a
# compiler; it does not refuse Linux.
set -u
configure=$(cd "$top_srcdir" && pwd)/configure
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' 0
failed=0
for host in x86_64-unknown-freebsd14.1 aarch64-apple-darwin23 x86_64-pc-cygwin; do
  (cd "$dir" && "$configure" --build=x86_64-pc-linux-gnu --host=$host CC=false) >"$dir/out" 2>"$dir/err" && failed=1
  grep -q "does not know the system ${host##*-}:" "$dir/err" || { echo "$host: not refused by its name"; failed=1; cat "$dir/err"; }
  ! grep -q 'checking for .*gcc\|C compiler' "$dir/out" || { echo "$host: refused late"; failed=1; }
done
(cd "$dir" && "$configure" --build=x86_64-pc-linux-gnu --host=x86_64-pc-linux-gnu CC=false) >"$dir/out" 2>"$dir/err"
! grep -q 'does not know' "$dir/err" || { echo 'Linux is refused'; failed=1; }
exit $failed
