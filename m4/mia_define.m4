# SPDX-License-Identifier: MIT
# These macros pass a result to the sources.  The C macro is always defined, as 0 or
# 1.  So the sources can use `if (MIA_X)', both branches are compiled on every host,
# and -Wundef finds a misspelt name.

# MIA_DEFINE_IF(MACRO, SHELL-CONDITION, DESCRIPTION)
AC_DEFUN([MIA_DEFINE_IF], [
AS_IF([$2], [AC_DEFINE([$1], [1], [1: $3])], [AC_DEFINE([$1], [0], [1: $3])])])

# MIA_FUNC(NAME) -- does the C library have this function?
# Sets mia_cv_func_NAME, and defines MIA_HAVE_NAME.
AC_DEFUN([MIA_FUNC], [
AC_CACHE_CHECK([for $1], [mia_cv_func_$1], [
  AC_LINK_IFELSE([AC_LANG_CALL([], [$1])],
    [mia_cv_func_$1=yes], [mia_cv_func_$1=no])])
MIA_DEFINE_IF([MIA_HAVE_]m4_toupper([$1]), [test $mia_cv_func_$1 = yes], [the C library has $1])])

# MIA_HEADER(NAME) -- is there this header?
# Sets mia_cv_header_NAME, and defines MIA_HAVE_NAME, without the .h.
AC_DEFUN([MIA_HEADER], [
m4_pushdef([VAR], [mia_cv_header_]m4_translit([$1], [/.], [__]))
AC_CACHE_CHECK([for <$1>], VAR, [
  AC_COMPILE_IFELSE([AC_LANG_SOURCE([[#include <$1>]])], [VAR=yes], [VAR=no])])
MIA_DEFINE_IF([MIA_HAVE_]m4_toupper(m4_translit(m4_bpatsubst([$1], [\.h$]), [/], [_])),
  [test $VAR = yes], [there is a <$1>])
m4_popdef([VAR])])
