#! /bin/sh
# SPDX-License-Identifier: MIT
# quickstart, in a folder with a blank in its name, with stand-ins for the package manager and
# for what it builds: where it builds, what it says, when it builds again.
set -u
top=$(cd "$top_srcdir" && pwd)
work=$PWD/quickstart-test
rm -rf "$work"
mkdir -p "$work/a blank/src" "$work/a blank/include" "$work/a blank/tools" "$work/a blank/m4" "$work/bin" || exit 1
trap 'rm -rf "$work"' 0
case $PWD in *[!A-Za-z0-9_./+,@%-]*) echo 'the build folder has a blank itself'; exit 77 ;; esac
cd "$work/a blank" || exit 1
cp "$top/quickstart" . && touch configure.ac Makefile.am src/source.c || exit 1
export XDG_CACHE_HOME="$work/cache" PATH="$work/bin:$PATH"
failed=0

stands_in() { # NAME: the script on the standard input
  { echo '#! /bin/sh'; cat; } >"$work/bin/$1" && chmod +x "$work/bin/$1"
}
echo 'case $LACKING in *" $4 "*) ;; *) echo " installed " ;; esac' | stands_in dpkg-query
echo 'echo "apt-get $*" >&2; exit 1' | stands_in apt-get
echo 'exit 1' | stands_in sudo
echo 'echo 1000' | stands_in id
# what is built: a program that says that it ran, and a count of how often it was built
cat >configure <<'END'
#! /bin/sh
case $PWD$0 in *' '*) echo "a blank in $PWD or $0"; exit 1 ;; esac
mkdir -p tools
cat >Makefile <<'MAKE'
all:
	echo built >>count
	printf '#! /bin/sh\necho ran: "$$@"\n' >tools/mialloc-run
	chmod +x tools/mialloc-run
MAKE
END
chmod +x configure

expect() { # WHAT PATTERN COMMAND...: the output, of both kinds, has a line like it, or for '' none
  what=$1 pattern=$2
  shift 2
  "$@" >"$work/said" 2>&1
  if [ -z "$pattern" ]; then [ ! -s "$work/said" ]; else grep -q -e "$pattern" "$work/said"; fi && return
  echo "FAILED: $what:"
  sed 's/^/| /' "$work/said"
  failed=1
}
built() { [ "$(cat "$work"/cache/mialloc/*/build/count | wc -l)" = "$1" ] || { echo "FAILED: built $(cat "$work"/cache/mialloc/*/build/count | wc -l) times, not $1"; failed=1; }; }

export LACKING=' gcc make '
expect 'the command for what is missing' '^    sudo apt-get install --no-install-recommends gcc make$' ./quickstart build
export LACKING=' check '
expect 'tests need more' '^    sudo apt-get install --no-install-recommends check$' ./quickstart check
expect 'a run needs no test packages' '^ran: true$' ./quickstart run true
built 1
expect 'nothing is said of a build that is not made' '^ran: a  b$' ./quickstart run 'a  b'
expect 'nor made' '^ran: again$' ./quickstart run again
grep -q quickstart: "$work/said" && { echo 'FAILED: a run speaks'; failed=1; }
built 1
sleep 1 && touch src/source.c
expect 'a change is built, and told' '^quickstart: building' ./quickstart run true
built 2
expect 'only a build' '^quickstart: built in [0-9]* s, in ' ./quickstart build
built 3
exit $failed
