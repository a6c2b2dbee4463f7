# SPDX-License-Identifier: MIT
# Sourced by the lints, which run in the build folder; the sources are below $top_srcdir.  A
# lint that has examined nothing fails.

layers="base os map arena page theap alloc api"
src=$top_srcdir/src

# objects LAYER: prints a line "object source" for each source that was compiled here.
# libtool keeps position-independent objects in .libs.
objects() {
  for c in "$src/$1"/*.c; do
    o=${c##*/}
    o=${o%.c}.o
    if test -f "src/$1/.libs/$o"; then echo "src/$1/.libs/$o"
    elif test -f "src/$1/$o"; then echo "src/$1/$o"
    fi
  done
}

all_objects() { for l in $layers; do objects "$l"; done; }

# nm_all OPTION...: prints what nm prints of all objects.  The first field of a line is the object, and a
# colon; layer_of and object_of are for awk.
# shellcheck disable=SC2046 # the objects are words
nm_all() { $NM -A "$@" $(all_objects); }
parts='
function layer_of(path,  part) { split(path, part, "/"); return part[2] }
function object_of(path) { sub(/:.*/, "", path); sub(/.*\//, "", path); return path }
'

# For awk: prints how many of each kind, "KIND:KIND...", were examined (n), and fails if none
# was.
examined='function examined(kinds,  kind, count, i) {
  count = split(kinds, kind, ":")
  for (i = 1; i <= count; i++) {
    if (!n[kind[i]]) complain("none examined: " kind[i])
    printf "%s%d %s", (i > 1 ? ", " : ""), n[kind[i]], kind[i]
  }
  print " examined"
}'

# code FILE...: prints the files without comments and strings, as "FILE:LINE:text".
code() {
  $AWK '
    FNR == 1 { inside = 0 }
    {
      line = $0; out = ""
      while (line != "") {
        if (inside) {
          end = index(line, "*/")
          if (!end) { line = ""; break }
          line = substr(line, end + 2); inside = 0
        } else if (match(line, /"([^"\\]|\\.)*"|\/\*|\/\//)) {
          token = substr(line, RSTART, 2); kept = RSTART - 1
          if (substr(token, 1, 1) == "\"" && line ~ /^[ \t]*#[ \t]*include/) kept += RLENGTH
          out = out substr(line, 1, kept)
          if (token == "//") { line = ""; break }
          if (token == "/*") inside = 1
          line = substr(line, RSTART + (token == "/*" ? 2 : RLENGTH))
        } else { out = out line; line = "" }
      }
      print FILENAME ":" FNR ":" out
    }' "$@"
}
