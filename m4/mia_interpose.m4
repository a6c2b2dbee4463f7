# MIA_INTERPOSE -- which names beyond malloc, calloc, realloc and free does the
# C library define?  What it lacks we do not add, so that nobody's configure
# finds a function that goes away with us.  Except for C23's: a later version of
# the same C library, not rebuilt for, may have them.
# And: can dlopen be ours?  MIA_DLOPEN, 0 or 1.  Only glibc knows RTLD_DEEPBIND, for
# which we want it.  The one behind it looks at its caller's address, so the compiler
# must hand the call over by a jump: either it promises to, or what it makes of the
# call changes when it may not.
# And: what is size_t called in a C++ symbol?
AC_DEFUN([MIA_INTERPOSE], [
# glibc keeps cfree for old programs only, so none can be linked that shows it
AS_IF([test $mia_cv_libc = glibc], [: "${mia_cv_func_cfree=yes}"])
m4_foreach_w([F], [memalign valloc pvalloc cfree
  malloc_trim malloc_stats malloc_info mallopt mallinfo mallinfo2],
  [MIA_FUNC(F)])
# where the C library lets others register handlers of fork through a name of its own,
# and tells of the next definition of a name without another library
AC_CACHE_CHECK([for __register_atfork], [mia_cv_func_register_atfork], [
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <dlfcn.h>
int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);]],
    [[return !dlsym(RTLD_NEXT, "fork") || __register_atfork(0, 0, 0, 0) != 0;]])],
    [mia_cv_func_register_atfork=yes], [mia_cv_func_register_atfork=no])])
MIA_DEFINE_IF([MIA_HAVE_REGISTER_ATFORK], [test $mia_cv_func_register_atfork = yes],
  [handlers of fork are registered by __register_atfork])
# where not: whether the linker gives a function of ours that name in a shared library
AS_IF([test $mia_cv_func_register_atfork = yes], [: "${mia_cv_renames_atfork=no}"])
AC_CACHE_CHECK([whether a shared library can have pthread_atfork], [mia_cv_renames_atfork], [
  mia_saved_flags=$LDFLAGS
  LDFLAGS="$LDFLAGS -shared -fPIC -Wl,--defsym=pthread_atfork=ours"
  AC_LINK_IFELSE([AC_LANG_SOURCE([[#include <dlfcn.h>
int ours(void) { return !dlsym(RTLD_NEXT, "pthread_atfork"); }]])],
    [mia_cv_renames_atfork=yes], [mia_cv_renames_atfork=no])
  LDFLAGS=$mia_saved_flags])
MIA_DEFINE_IF([MIA_RENAMES_ATFORK], [test $mia_cv_renames_atfork = yes],
  [handlers of fork are registered by a pthread_atfork of ours])
AM_CONDITIONAL([MIA_RENAMES_ATFORK], [test $mia_cv_renames_atfork = yes])
AC_CHECK_HEADERS([malloc.h])
AS_IF([test "$ac_cv_header_malloc_h" = yes],
  [AC_DEFINE([MIA_HAVE_MALLOC_H], [1], [1: <malloc.h> exists])],
  [AC_DEFINE([MIA_HAVE_MALLOC_H], [0], [1: <malloc.h> exists])])
AM_CONDITIONAL([GLIBC], [test $mia_cv_libc = glibc])
# before glibc 2.34 it lives in a library of its own
AS_IF([test $mia_cv_libc = glibc],
  [AC_SEARCH_LIBS([dlmopen], [dl], [], [AC_MSG_ERROR([this glibc has no dlmopen])])])
AC_CACHE_CHECK([whether a call can be handed over], [mia_cv_tail_call], [
  mia_cv_tail_call=no
  AC_LANG_CONFTEST([AC_LANG_SOURCE([[#include "os/tail_call.h"
typedef void *opener(const char *, int);
opener *next(void);
void prepare(void);
MIA_OS_HANDS_OVER void *open_file(const char *file, int mode) {
  if (mode > 1) prepare();
  MIA_OS_TAIL next()(file, mode);
}
#ifdef PROMISED
#ifndef MIA_OS_TAIL_PROMISED
#error not promised
#endif
#endif
]])])
  # what is written of the command line itself would differ
  mia_compile="$CC $CPPFLAGS $CFLAGS -I$srcdir/src -fPIC -fno-lto -g0 -fno-record-gcc-switches -o conftest.out conftest.$ac_ext"
  AS_IF([$mia_compile -c -DPROMISED >&AS_MESSAGE_LOG_FD 2>&1], [mia_cv_tail_call=yes],
    [$mia_compile -S -foptimize-sibling-calls >&AS_MESSAGE_LOG_FD 2>&1 &&
     mv conftest.out conftest.tail &&
     $mia_compile -S -fno-optimize-sibling-calls >&AS_MESSAGE_LOG_FD 2>&1],
    [cmp conftest.out conftest.tail >/dev/null || mia_cv_tail_call=yes])
  rm -f conftest.$ac_ext conftest.out conftest.tail])
MIA_DEFINE_IF([MIA_DLOPEN], [test $mia_cv_libc = glibc && test $mia_cv_tail_call = yes],
  [dlopen is ours as well])
AC_CACHE_CHECK([for the letter of size_t in C++ names], [mia_cv_mangled_size], [
  mia_cv_mangled_size=j
  AC_COMPILE_IFELSE([AC_LANG_SOURCE([[#include <stddef.h>
_Static_assert(_Generic((size_t)0, unsigned long: 1, default: 0), "not unsigned long");]])],
    [mia_cv_mangled_size=m])])
AC_DEFINE_UNQUOTED([MIA_MANGLED_SIZE], ["$mia_cv_mangled_size"],
  [The letter of size_t in C++ names])
])
