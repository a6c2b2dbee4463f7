# MIA_RENAME -- other names than mia_*, for who has a copy of the library in a library
#   MIA_RENAMED   the automake conditional; what users must define, or nothing
#   MIA_PREFIX    instead of mia_
#   MIA_RELEASE   what the shared library's name has more
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
