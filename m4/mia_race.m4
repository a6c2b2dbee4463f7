# SPDX-License-Identifier: MIT
# MIA_RACE -- can tests/race run here?  It links a checker of our own to the calls that
# -fsanitize=thread puts before each access.  It proves something about the source, so
# that one kind of host is enough.
#   RACE (automake), RACE_CPPFLAGS
AC_DEFUN([MIA_RACE], [
AC_CACHE_CHECK([whether tests/race can run], [mia_cv_race], [
  mia_cv_race=no
  mia_save_cppflags=$CPPFLAGS
  AS_IF([test "$cross_compiling:$mia_plain" = no:yes], [
    CPPFLAGS="$CPPFLAGS -fsanitize=thread"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
      #if __SIZEOF_POINTER__ != 8
      #error
      #endif]])], [
      CPPFLAGS=$mia_save_cppflags
      AC_LINK_IFELSE([AC_LANG_PROGRAM([[
        #ifndef __x86_64__
        #include <ucontext.h>
        #endif
        extern char etext[[]], end[[]];]], [[
        #ifndef __x86_64__
        ucontext_t c;
        if (getcontext(&c) == 0) makecontext(&c, 0, 0);
        #endif
        return end == etext;]])], [mia_cv_race=yes])])
    CPPFLAGS=$mia_save_cppflags])])
AM_CONDITIONAL([RACE], [test "$mia_cv_race:$MIA_RENAMED" = yes:])
# The checker does not see the accesses of a loop that the compiler replaces by memset.
RACE_CPPFLAGS='-fsanitize=thread -fno-builtin'
AX_CHECK_COMPILE_FLAG([-fno-tree-loop-distribute-patterns],
  [AS_VAR_APPEND([RACE_CPPFLAGS], [' -fno-tree-loop-distribute-patterns'])], [], [-Werror])
AC_SUBST([RACE_CPPFLAGS])
])
