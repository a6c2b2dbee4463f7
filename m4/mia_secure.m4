# SPDX-License-Identifier: MIT
# MIA_SECURE -- the security tier of a process that does not choose one, and the least
# that one can choose
#   MIA_SECURE_DEFAULT   --with-secure
#   MIA_SECURE_MIN       --with-secure-min
AC_DEFUN([MIA_SECURE], [
AC_ARG_WITH([secure],
  [AS_HELP_STRING([--with-secure=N], [the default security tier, 0 to 3 @<:@0@:>@])],
  [mia_secure=$withval], [mia_secure=])
AC_ARG_WITH([secure-min],
  [AS_HELP_STRING([--with-secure-min=N], [the least security tier, 0 to 3 @<:@0@:>@])],
  [mia_secure_min=$withval], [mia_secure_min=0])
AS_IF([test -z "$mia_secure"], [mia_secure=$mia_secure_min])
AS_CASE([$mia_secure_min$mia_secure], [[[0-3]][[0-3]]], [],
  [AC_MSG_ERROR([--with-secure and --with-secure-min take 0, 1, 2 or 3])])
AS_IF([test $mia_secure -lt $mia_secure_min],
  [AC_MSG_ERROR([--with-secure is below --with-secure-min])])
AC_DEFINE_UNQUOTED([MIA_SECURE_DEFAULT], [$mia_secure], [the default security tier])
AC_DEFINE_UNQUOTED([MIA_SECURE_MIN], [$mia_secure_min], [the least security tier])
])
