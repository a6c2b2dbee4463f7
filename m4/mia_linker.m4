# SPDX-License-Identifier: MIT
# MIA_LINKER -- can the linker give symbols a version, let the program replace some
# symbols of a shared library, and keep a library that no symbol refers to?
#   MIA_VERSION_SCRIPT   0 or 1, and the automake conditional
#   MIA_DYNAMIC_LIST     the automake conditional
#   MIA_WHOLE_BEFORE, MIA_WHOLE_AFTER   the flags around -lmialloc with which programs
#                                       link; or nothing
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
AC_CACHE_CHECK([whether the linker takes a dynamic list], [mia_cv_dynamic_list], [
  mia_save_LDFLAGS=$LDFLAGS
  AS_ECHO(["{ other; };"]) >conftest.list
  LDFLAGS="$LDFLAGS -shared -fPIC -Wl,--dynamic-list=conftest.list"
  AC_LINK_IFELSE([AC_LANG_SOURCE([[int other(void); int other(void) { return 0; }]])],
    [mia_cv_dynamic_list=yes], [mia_cv_dynamic_list=no])
  rm -f conftest.list
  LDFLAGS=$mia_save_LDFLAGS])
AM_CONDITIONAL([MIA_DYNAMIC_LIST], [test $mia_cv_dynamic_list = yes])
MIA_WHOLE
])

# A program may not refer to malloc itself but call functions of the C library that do.
# The linker searches our archive before it reads the C library, so the flags make it
# look for malloc from the beginning.  They also make it keep our shared library if it
# was told to keep only libraries to which a symbol refers.
AC_DEFUN([MIA_WHOLE], [
AC_CACHE_CHECK([how a library is kept that no symbol refers to], [mia_cv_kept], [
  mia_save_LIBS=$LIBS
  mia_cv_kept=no
  LIBS="-Wl,--push-state,--no-as-needed -Wl,--pop-state $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [mia_cv_kept=state])
  LIBS=$mia_save_LIBS])
MIA_WHOLE_BEFORE= MIA_WHOLE_AFTER=
AS_IF([test "$enable_override" = yes], [
  MIA_WHOLE_BEFORE=-Wl,-u,malloc
  AS_IF([test $mia_cv_kept = state], [
    MIA_WHOLE_BEFORE="$MIA_WHOLE_BEFORE -Wl,--push-state,--no-as-needed"
    MIA_WHOLE_AFTER=-Wl,--pop-state])])
AC_SUBST([MIA_WHOLE_BEFORE])
AC_SUBST([MIA_WHOLE_AFTER])
])
