# MIA_LINKER -- can the linker give symbols a version?
#   MIA_VERSION_SCRIPT   0 or 1, and the automake conditional
AC_DEFUN([MIA_LINKER], [
AC_CACHE_CHECK([whether the linker takes a version script], [mia_cv_version_script], [
  mia_save_LDFLAGS=$LDFLAGS
  AS_ECHO(["MIALLOC_0 { global: main; };"]) >conftest.map
  LDFLAGS="$LDFLAGS -Wl,--version-script=conftest.map"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [mia_cv_version_script=yes], [mia_cv_version_script=no])
  rm -f conftest.map
  LDFLAGS=$mia_save_LDFLAGS])
MIA_DEFINE_IF([MIA_VERSION_SCRIPT], [test $mia_cv_version_script = yes],
  [The shared library gives its symbols a version])
AM_CONDITIONAL([MIA_VERSION_SCRIPT], [test $mia_cv_version_script = yes])
])
