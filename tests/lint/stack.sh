#! /bin/sh
# SPDX-License-Identifier: MIT
# Limits the stack depth of the public functions, so that a thread with the smallest stack,
# or a signal handler on its own stack, can call them. gcc reports the frame size of each
# function and the functions that it calls.  The deepest chain of calls from each public
# function is compared with the limit; recursion has no limit and fails.
#
# A call through a pointer leaves the library, for a function of the program or of the C
# library, or calls one of the functions that are listed here for the source with the call.
. "$top_srcdir/tests/lint/lib.sh"
callbacks='
alloc/heap.c    visit_one
api/heap_calls.c      -
api/subproc.c   look_at_huge count_huge count_heap -
api/stats.c     print_text print_process mia_api_print_json
api/options.c   parse_switch parse_number parse_size
api/hook.c      -
api/handler.c   -
base/fail.c     at_misuse
arena/arena.c   -
arena/reserve.c -
arena/purge.c   -
theap/thread.c  mia_api_wake_background
theap/page_cache.c   retire_list retire_or_age
api/dlopen.c    -
api/atfork.c    -
api/caught.c    -
'
case `$CC -dumpmachine` in
  x86_64*) if grep -q '^#define MIA_DEBUG 1' config.h; then most=3072; else most=2048; fi;;
  *) most=6144;; # other CPUs' frames save all registers
esac

case " $STACK_FLAGS " in
  *" -O0 "*|*" --coverage "*|*" -fsanitize"*) echo "not with these flags: $STACK_FLAGS"; exit 77;;
esac
folder=stack.$$
trap 'rm -rf $folder' 0
trap 'exit 1' 1 2 15
mkdir $folder || exit 1
echo 'int f(void) { return 0; }' >$folder/probe.c
$CC -fcallgraph-info=su -c $folder/probe.c -o $folder/probe.o 2>/dev/null && test -f $folder/probe.ci ||
  { echo "$CC has no -fcallgraph-info"; exit 77; }
rm -f $folder/probe.*

for layer in $layers; do
  for o in `objects $layer`; do
    name=`basename $o .o`
    $CC $STACK_FLAGS -fno-lto -fcallgraph-info=su -c "$src/$layer/$name.c" -o $folder/$layer-$name.o || exit 1
    sed "s|^|$layer/$name.c |" $folder/$layer-$name.ci
  done
done >$folder/all || exit 1

names=src/base/names.h # configure --with-prefix
test -f $names || names=/dev/null
{ grep '^#define' $names; echo "$callbacks"; cat $folder/all; } | LC_ALL=C $AWK -v most=$most '
  function complain(why) { print why; bad = 1 }
  function plain(name) { sub(/^.*:/, "", name); sub(/\..*/, "", name); return name }
  # the deepest chain from a function; its functions are in chain[]
  function depth(f,  i, n, list, d, deepest) {
    if (f in deep) return deep[f]
    if (f in inside) { complain("comes back to itself: " f); return 0 }
    inside[f] = 1; deepest = 0; chain[f] = ""
    n = split(calls[f], list, " ")
    for (i = 1; i <= n; i++) {
      if (!(list[i] in frame)) continue
      d = depth(list[i])
      if (d > deepest) { deepest = d; chain[f] = " " plain(list[i]) " " frame[list[i]] chain[list[i]] }
    }
    delete inside[f]
    return deep[f] = deepest + frame[f]
  }
  $1 == "#define" { other[$2] = $3; next }
  / (graph|node|edge): / { built[$1] = 1 }
  NF && $1 !~ /:$/ && $2 !~ /^(graph|node|edge|})/ { known[$1] = 1; for (i = 2; i <= NF; i++) back[$1] = back[$1] " " ($i in other ? other[$i] : $i); next }
  $2 == "node:" {
    title = $0; sub(/^[^"]*"/, "", title); sub(/".*/, "", title)
    if (!match($0, /\\n[0-9]+ bytes \([a-z,]*\)/)) next
    text = substr($0, RSTART + 2, RLENGTH - 2); split(text, part, " ")
    if (text !~ /\((static|dynamic,bounded)\)/) complain(title " takes what it likes: " text)
    frame[title] = part[1] + 0; of[title] = $1; functions++
    named[plain(title)] = title
  }
  $2 == "edge:" {
    split($0, part, "\""); from = part[2]; to = part[4]
    if (to == "__indirect_call") { indirect[from] = $1; next }
    # another name of a function of the same source that is public
    if (to ~ /\.localalias/) { sub(/^.*:/, "", to); sub(/\.localalias.*/, "", to) }
    calls[from] = calls[from] " " to; edges++
  }
  END {
    for (f in indirect) {
      file = indirect[f]
      if (!(file in known)) { complain(f " calls through a pointer; nothing is said of " file); continue }
      used[file] = 1
      n = split(back[file], list, " ")
      for (i = 1; i <= n; i++) {
        if (list[i] == "-") { leaves++; continue }
        if (!(list[i] in named)) { complain("listed, and not there: " list[i]); continue }
        calls[f] = calls[f] " " named[list[i]]
      }
    }
    for (file in known) if (file in built && !(file in used)) complain("listed, and calls nothing through a pointer: " file)
    for (f in frame) {
      if (f ~ /:/) continue # static
      d = depth(f); if (d > deepest) { deepest = d; which = f }
      if (d > most) complain(f ": " d " bytes:" " " plain(f) " " frame[f] chain[f])
    }
    if (!functions || !edges || !leaves) complain("nothing examined")
    print functions + 0 " functions, " edges + 0 " calls examined; deepest: " which ", " deepest " bytes of " most
    exit bad
  }'
