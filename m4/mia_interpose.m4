# SPDX-License-Identifier: MIT
# MIA_INTERPOSE -- three questions about the names that we define for programs.
# Which allocation functions beyond malloc, calloc, realloc and free does the C library
# define?  We do not add those that it lacks, so that the configure of a program does not
# find a function that is gone without us.  C23 is an exception: a later version of the
# same C library, for which we are not rebuilt, may have its functions.
# Can we define dlopen?  MIA_DLOPEN, 0 or 1.  We want to because of RTLD_DEEPBIND, which
# only glibc has.  The dlopen of the C library looks at the address of its caller, so
# ours must call it by a jump.  A compiler can do so if it promises to, or if its output
# for such a call changes when jumps are forbidden.
# What stands for size_t in the names of C++ symbols?
AC_DEFUN([MIA_INTERPOSE], [
# glibc has cfree for old programs only: no program can be linked that shows it
AS_IF([test $mia_cv_libc = glibc], [: "${mia_cv_func_cfree=yes}"])
m4_foreach_w([F], [memalign valloc pvalloc cfree
  malloc_trim malloc_stats malloc_info mallopt mallinfo mallinfo2],
  [MIA_FUNC(F)])
# does the C library register handlers of fork through __register_atfork, and does it
# find the next definition of a name without another library?
AC_CACHE_CHECK([for __register_atfork], [mia_cv_func_register_atfork], [
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <dlfcn.h>
int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);]],
    [[return !dlsym(RTLD_NEXT, "fork") || __register_atfork(0, 0, 0, 0) != 0;]])],
    [mia_cv_func_register_atfork=yes], [mia_cv_func_register_atfork=no])])
MIA_DEFINE_IF([MIA_HAVE_REGISTER_ATFORK], [test $mia_cv_func_register_atfork = yes],
  [handlers of fork are registered by __register_atfork])
# if not: can the linker name a function of ours pthread_atfork in a shared library?
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
# before glibc 2.34, dlmopen is in a library of its own
AS_IF([test $mia_cv_libc = glibc],
  [AC_SEARCH_LIBS([dlmopen], [dl], [], [AC_MSG_ERROR([this glibc has no dlmopen])])])
AC_CACHE_CHECK([whether a call can be a jump], [mia_cv_tail_call], [
  mia_cv_tail_call=no
  AC_LANG_CONFTEST([AC_LANG_SOURCE([[#include "os/tail_call.h"
typedef void *opener(const char *, int);
opener *next(void);
void prepare(void);
MIA_OS_TAIL_CALLS void *open_file(const char *file, int mode) {
  if (mode > 1) prepare();
  MIA_OS_TAIL next()(file, mode);
}
#ifdef PROMISED
#ifndef MIA_OS_TAIL_PROMISED
#error not promised
#endif
#endif
]])])
  # -fno-record-gcc-switches: the recorded command lines would differ
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
