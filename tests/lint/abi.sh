#! /bin/sh
# SPDX-License-Identifier: MIT
# The binary interface is that of the last release (abi.txt) or extends it, and
# mia_abi of configure.ac agrees:
#   unchanged             revision may be stepped
#   something added       current and age + 1; a function in a new version node
#   removed or changed    another soname: current + 1, age 0
# Until the version in abi.txt is released, the list follows the source:
#   top_srcdir=. AWK=awk sh tests/lint/abi.sh --write
. "$top_srcdir/tests/lint/lib.sh"
list=$top_srcdir/tests/lint/abi.txt
map=$top_srcdir/src/mialloc.map

defined() { sed -n "s/^m4_define(\[$1\], \[\(.*\)\])\$/\1/p" "$top_srcdir/configure.ac"; }

# One line for each function with its version, each field or enumerator with its offset or
# value, each type, and each number that types depend on.
interface() {
  $AWK '/^MIALLOC_/ { node = $1 } /^ *mia_[a-z0-9_]*;/ { sub(/;.*/, ""); print "node", $1, node }' "$map"
  code $(grep -l '^MIA_API' "$top_srcdir"/include/*.h "$top_srcdir"/include/mialloc/*.h) |
    sed 's/^[^:]*:[0-9]*://'
}
normal() {
  LC_ALL=C $AWK '
    function words(s) {
      gsub(/MIA_(API|MALLOC|WARN_UNUSED|SIZED2?\([^)]*\)|ALIGNED\([^)]*\))/, "", s)
      gsub(/[ \t]+/, " ", s); gsub(/^ | $/, "", s); gsub(/ ?\* ?/, " *", s); gsub(/\* \*/, "**", s)
      gsub(/ \)/, ")", s)
      return s
    }
    # typedef struct NAME { ... } NAME
    function members(s,  kind, name, body, parts, n, i, value) {
      split(s, parts, " "); kind = parts[2]; name = parts[3]
      body = s; sub(/^[^{]*[{]/, "", body); sub(/[}][^}]*$/, "", body)
      n = split(body, parts, kind == "enum" ? "," : ";")
      for (i = 1; i <= n; i++) {
        if (words(parts[i]) == "" || parts[i] ~ /_COUNT *$/) continue
        if (kind == "enum") {
          if (parts[i] ~ /=/) { value = parts[i]; sub(/.*= */, "", value); sub(/ *=.*/, "", parts[i]) }
          print name ": " words(parts[i]) " = " value + 0; value++
        } else print name ": " i ": " words(parts[i])
      }
    }
    function declared(s,  name) {
      if (s !~ /MIA_API/) { if (s ~ /[{]/) members(words(s)); else print "type: " words(s); return }
      s = words(s); name = s; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
      print name " " (name in node ? node[name] : "-") ": " s
    }
    $1 == "node" { node[$2] = $3; next }
    /^#define MIA_[A-Z_]+ [0-9]+$/ && $2 != "MIA_VERSION" { print "number: " $2 " " $3 }
    skipped || /^[ \t]*#/ { skipped = /\\$/; next }
    /^extern *[{]$/ || /^[}]$/ { next }
    { all = all " " $0 }
    END {
      n = length(all); depth = 0; from = 1
      for (i = 1; i <= n; i++) {
        c = substr(all, i, 1)
        if (c == "{") depth++
        if (c == "}") depth--
        if (c == ";" && depth == 0) { declared(substr(all, from, i - from)); from = i + 1 }
      }
    }' | LC_ALL=C sort
}

version=$(defined mia_version) abi=$(defined mia_abi)
if [ "${1-}" = --write ]; then
  {
    sed -n '/^#/p' "$list"
    echo "release $version"
    echo "abi $abi"
    interface | normal
  } >"$list.new" && mv "$list.new" "$list"
  exit
fi

{ sed '/^#/d; s/^/listed /' "$list"; interface | normal | sed 's/^/found /'; } |
  $AWK -v version="$version" -v abi="$abi" '
  function complain(why) { print why; bad = 1 }
  $1 == "listed" && $2 == "release" { release = $3; next }
  $1 == "listed" && $2 == "abi" { before = $3; next }
  {
    kind = $1; sub(/^[a-z]+ /, "")
    if (kind == "listed") { listed[$0] = 1; if ($2 ~ /^MIALLOC_/) released[$2] = 1; next }
    found[$0] = 1; n++
    if ($2 == "-:") complain("not in src/mialloc.map: " $0)
  }
  END {
    split(abi, now, ":"); split(before, then_, ":")
    same = release == version
    other = now[1] - now[3] != then_[1] - then_[3] && now[3] == 0
    more = other || now[1] == then_[1] + 1 && now[3] == then_[3] + 1
    for (d in listed) if (!(d in found) && (same || !other)) complain("gone or changed: " d)
    for (d in found) if (!(d in listed)) {
      if (same || !more) complain("added: " d)
      else if (!other && split(d, w, " ") && w[2] in released) complain("added to a released version: " d)
    }
    if (same && abi != before) complain("mia_abi is not " before)
    if (bad && same) print "abi.txt is of " release ", as the source: if that is not released, let abi.sh --write the list"
    else if (bad) print "mia_abi is " abi ", and was " before " in " release
    if (!n) complain("nothing examined")
    print n + 0 " declarations examined"
    exit bad
  }'
