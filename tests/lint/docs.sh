#! /bin/sh
# SPDX-License-Identifier: MIT
# Everything that a program can name in a public header is documented.
#  - A declaration, a type, a macro and a C++ class have a comment above them; those that
#    follow each other without a blank line may share one.
#  - A field has a comment behind it, or shares one with those before it.
#  - An inline function has a comment above it, or calls a function of mialloc, which its
#    header names as its documentation.
# Only mimalloc's structures, option names and macros for objects and for other
# libraries' names, which mimalloc documents, may have none.
. "$top_srcdir/tests/lint/lib.sh"
$AWK "$examined"'
  function complain(line) { print line; bad = 1 }
  function where() { return FILENAME ":" FNR ": no comment: " $0 }
  function need(kind) { n[kind]++; if (!told) complain(where()) }
  # an inline function without a comment has ended
  function settle() {
    if (pending != "" && body !~ /[^a-z_]mia?_[a-z_]+\(.*[^a-z_]mia?_[a-z_]+\(/) complain(pending)
    pending = body = ""
  }
  FNR == 1 { told = comment = fields = 0; theirs = FILENAME ~ /compat\/mimalloc/ }
  comment { if (/\*\//) comment = 0; next }
  /^[ \t]*\/\*/ { told = 1; comment = !/\*\//; next }
  /^[ \t]*$/ { told = 0; next }
  fields && /^}/ { fields = 0; next }
  fields {
    n["fields"]++
    if (/\/\*/) { told = 0; comment = !/\*\// }
    else if (!told && !theirs && !/^  MIA_/) complain(where())
  }
  /^MIA_API/ { need("functions") }
  /^(template|class|struct) .*[^;]$/ { need("classes") }
  /^typedef/ { need("types"); if (/[{]$/) { fields = 1; told = 0 } }
  /^#define/ && !/^#define [A-Z_]+_H$/ && !/_tp\(/ && FILENAME !~ /override/ { need("macros") }
  /^(MI_INLINE|static inline)/ {
    n["inline functions"]++
    if (!told) pending = where()
  }
  pending != "" { body = body " " $0; if (/}$/) settle() }
  END {
    examined("functions:inline functions:macros:types:fields:classes")
    exit bad
  }' $(find "$top_srcdir/include" -name '*.h')
