# Sourced by the lints.  They run in the build folder, sources are below
# $top_srcdir.  A lint that has examined nothing fails.

layers="base os map arena page theap alloc api"
src=$top_srcdir/src

# objects LAYER: "object source" a line, of the sources that were compiled here.
# libtool keeps position-independent objects in .libs.
objects() {
  for c in "$src/$1"/*.c; do
    o=$(basename "$c" .c).o
    if test -f "src/$1/.libs/$o"; then echo "src/$1/.libs/$o"
    elif test -f "src/$1/$o"; then echo "src/$1/$o"
    fi
  done
}

# For awk: says how many of each kind, "KIND:KIND...", were examined (n), and that none was.
examined='function examined(kinds,  kind, count, i) {
  count = split(kinds, kind, ":")
  for (i = 1; i <= count; i++) {
    if (!n[kind[i]]) complain("none examined: " kind[i])
    printf "%s%d %s", (i > 1 ? ", " : ""), n[kind[i]], kind[i]
  }
  print " examined"
}'

# code FILE...: the files without comments and strings, "FILE:LINE:text".
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
