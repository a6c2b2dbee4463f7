# SPDX-License-Identifier: MIT
# MIA_RENAME -- names other than mia_*, for a library that contains a copy of this one
#   MIA_RENAMED   the automake conditional; the flag that users must compile with, or
#                 nothing
#   MIA_PREFIX    the prefix of the names, mia_ by default
#   MIA_RELEASE   a suffix of the shared library's name, or nothing
AC_DEFUN([MIA_RENAME], [
MIA_PREFIX=mia_ MIA_RELEASE= MIA_RENAMED=
AC_ARG_WITH([prefix],
  [AS_HELP_STRING([--with-prefix=NAME_], [call the functions NAME_malloc and so on, not mia_malloc])],
  [AS_CASE([$withval],
    [yes|no|mia_|*[[!A-Za-z0-9_]]*|[[0-9]]*|_*|*[[!_]]],
      [AC_MSG_ERROR([--with-prefix takes the beginning of a C name, with _ at its end])],
    [MIA_PREFIX=$withval MIA_RELEASE=-`AS_ECHO(["$withval"]) | sed 's/_*$//'` MIA_RENAMED=-DMIA_RENAMED])])
AM_CONDITIONAL([MIA_RENAMED], [test -n "$MIA_RENAMED"])
AC_SUBST([MIA_PREFIX])
AC_SUBST([MIA_RELEASE])
AC_SUBST([MIA_RENAMED])
])
