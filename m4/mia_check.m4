# MIA_CHECK -- the test framework: check, or tests/lite/check.h, which speaks
# the part of it that our tests use, where there is no check for the host.
AC_DEFUN([MIA_CHECK], [
AC_ARG_WITH([check],
  [AS_HELP_STRING([--without-check], [use the test framework in tests/lite @<:@if check is missing@:>@])],
  [], [with_check=auto])
AS_IF([test "$with_check" != no], [
  PKG_CHECK_MODULES([CHECK], [check >= 0.11], [
    # what pkg-config found may be for another libc or machine than the compiler
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
