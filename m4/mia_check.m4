# SPDX-License-Identifier: MIT
# MIA_CHECK -- the test framework: check, or, where the host has none,
# tests/lite/check.h, which provides the part of check that our tests use.
AC_DEFUN([MIA_CHECK], [
AC_ARG_WITH([check],
  [AS_HELP_STRING([--without-check], [use the test framework in tests/lite @<:@if check is missing@:>@])],
  [], [with_check=auto])
AS_IF([test "$with_check" != no], [
  PKG_CHECK_MODULES([CHECK], [check >= 0.11], [
    # pkg-config may find a check for another C library or machine than the compiler
    AC_CACHE_CHECK([whether check can be linked], [mia_cv_check], [
      mia_save_CFLAGS=$CFLAGS mia_save_LIBS=$LIBS
      CFLAGS="$CFLAGS $CHECK_CFLAGS" LIBS="$CHECK_LIBS $LIBS"
      AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <check.h>]], [[return suite_create("x") == 0;]])],
        [mia_cv_check=yes], [mia_cv_check=no])
      CFLAGS=$mia_save_CFLAGS LIBS=$mia_save_LIBS])
  ], [mia_cv_check=no])
], [mia_cv_check=no])
AS_IF([test "$with_check:$mia_cv_check" = yes:no], [AC_MSG_ERROR([check is missing])])
AS_IF([test $mia_cv_check = no], [CHECK_CFLAGS='-I$(top_srcdir)/tests/lite -pthread' CHECK_LIBS=])
])
