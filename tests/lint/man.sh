#! /bin/sh
# SPDX-License-Identifier: MIT
# The manual describes everything that mialloc.h, heap.h and stats.h declare.
#  - A function is named in the NAME section of exactly one page, which has its prototype.
#  - Types of functions and structures are in some page literally.
#  - Every constant is in some page; every option has its variable in mialloc(7).
#  - Pages of section 3 with mialloc's names that a page refers to exist; mialloc(3)
#    refers to every page.
. "$top_srcdir/tests/lint/lib.sh"
man=$top_srcdir/man
headers="$top_srcdir/include/mialloc.h $top_srcdir/include/mialloc/heap.h $top_srcdir/include/mialloc/stats.h"

# Blanks do not count: declarations are compared without any.
declared() {
  $AWK '
    /^#/ { while (/\\$/) getline; next }
    /^typedef (struct|enum) [a-z_]+ [{]/ { kind = $2; name = $3; inside = 1; all = $0; next }
    inside {
      all = all $0
      if (kind == "enum" && match($0, /MIA_[A-Z_]+/)) print "constant", substr($0, RSTART, RLENGTH)
      if (/^}/) { inside = 0; gsub(/[ \t]/, "", all); if (kind == "struct") print "struct", name, all }
      next
    }
    { sub(/\/\*.*\*\//, "") }
    /\/\*/ { comment = 1; next }
    comment { if (/\*\//) comment = 0; next }
    /^(MIA_API|typedef)/ { taken = 1; whole = "" }
    taken {
      whole = whole " " $0
      if (!/;$/) next
      taken = 0
      gsub(/MIA_(API|MALLOC|WARN_UNUSED)|MIA_(SIZED2?|ALIGNED)\([^)]*\)/, "", whole)
      if (!match(whole, /mia_[a-z_0-9]+\(/)) next
      name = substr(whole, RSTART, RLENGTH - 1)
      kind = whole ~ /^ typedef/ ? "type" : "function"
      gsub(/[ \t]/, "", whole)
      print kind, name, whole
    }' $headers
}

# "named PAGE NAME", "prototype PAGE TEXT", "struct - TEXT", "word - WORD", "refers PAGE NAME"
written() {
  for page in "$man"/*.[37]; do
    $AWK -v page="$(basename "$page")" '
      /^\.SH/ { section = $2 }
      section == "NAME" && !/^\./ && !ended {
        line = $0
        if (sub(/\\-.*/, "", line)) ended = 1
        n = split(line, names, /[ ,]+/)
        for (i = 1; i <= n; i++) if (names[i] != "") print "named", page, names[i]
      }
      section == "SYNOPSIS" && /^\.BI? / {
        text = $0; sub(/^\.BI? /, "", text); gsub(/[" \t]/, "", text)
        whole = whole text
        if (text ~ /;$/) { print "prototype", page, whole; whole = "" }
        if (text ~ /^#/) whole = ""
        next
      }
      /^typedef struct [a-z_]+ [{]/ { inside = 1; all = "" }
      inside {
        all = all $0
        if (/^}/) { inside = 0; gsub(/[ \t]/, "", all); gsub(/\\-/, "-", all); print "struct", "-", all }
      }
      {
        rest = $0
        while (match(rest, /(MIA_|MIALLOC_)[A-Z_]+/)) {
          print "word", page, substr(rest, RSTART, RLENGTH)
          rest = substr(rest, RSTART + RLENGTH)
        }
        rest = $0
        while (match(rest, /mia[a-z_]+(\\fR| )\(3\)/)) {
          name = substr(rest, RSTART, RLENGTH); rest = substr(rest, RSTART + RLENGTH)
          sub(/(\\fR| )\(3\)/, "", name)
          print "refers", page, name
        }
      }' "$page"
  done
}

{ declared; echo then; written; } | $AWK "$examined"'
  function complain(text) { print text; bad = 1 }
  $1 == "then" { man = 1; next }
  !man {
    n[$1 "s"]++
    if ($1 == "constant") constant[$2] = 1; else text[$1, $2] = $3
    next
  }
  $1 == "named" { pages[$3]++; page[$3] = $2; if ($2 == $3 ".3") files[$3] = 1; at[$2] = 1 }
  $1 == "prototype" { has[$2, $3] = 1; any[$3] = 1; shown[$3] = $2 }
  $1 == "struct" { structure[$3] = 1 }
  $1 == "word" { word[$3] = 1; if ($2 == "mialloc.7") tuned[$3] = 1 }
  $1 == "refers" { refers[$3] = $2; if ($2 == "mialloc.3") listed[$3] = 1 }
  END {
    for (key in text) {
      split(key, part, SUBSEP); kind = part[1]; name = part[2]; whole = text[key]
      if (kind == "function") {
        if (pages[name] != 1) complain(name ": named by " pages[name] + 0 " pages")
        else if (!((page[name], whole) in has)) complain(page[name] ": not the prototype of " name)
        delete shown[whole]
      } else if (kind == "type" && !(whole in any)) complain(name ": no page has its type")
      else if (kind == "struct" && !(whole in structure)) complain(name ": no page has the structure as it is")
      if (kind == "type") delete shown[whole]
    }
    for (s in shown) if (s ~ /\(/) complain(shown[s] ": declared nowhere: " s)
    for (c in constant) {
      if (!(c in word)) complain(c ": in no page")
      if (c ~ /^MIA_OPTION_[A-Z]/ && c !~ /_(IS_[A-Z]+|NONE|COUNT)$/) {
        sub(/^MIA_OPTION_/, "MIALLOC_", c)
        n["options"]++
        if (!(c in tuned)) complain("mialloc.7: no " c)
      }
    }
    for (r in refers) if (!(r in pages)) complain(refers[r] ": refers to " r "(3)")
    for (p in files) if (p != "mialloc" && !(p in listed)) complain("mialloc.3: no " p "(3)")
    for (a in at) if (a ~ /\.3$/) { b = a; sub(/\.3$/, "", b); if (!(b in files)) complain(a ": does not name itself") }
    examined("functions:types:structs:constants:options")
    exit bad
  }'
