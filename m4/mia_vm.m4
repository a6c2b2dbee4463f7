# SPDX-License-Identifier: MIT
# MIA_VM -- what the system offers beyond mmap, mprotect and munmap.
# Whether the kernel that runs has it too is found out at run time.
AC_DEFUN([MIA_VM], [
MIA_FUNC([madvise])
MIA_FUNC([mremap])
MIA_FUNC([getauxval])
MIA_FUNC([getcpu])
AC_CACHE_CHECK([whether getcpu is no system call], [mia_cv_vdso_getcpu], [
  AS_CASE([$mia_cv_func_getcpu:$host_cpu],
    [yes:x86_64|yes:powerpc64*|yes:s390x|yes:riscv64], [mia_cv_vdso_getcpu=yes],
    [mia_cv_vdso_getcpu=no])])
MIA_DEFINE_IF([MIA_VDSO_GETCPU], [test $mia_cv_vdso_getcpu = yes],
  [the C library has getcpu, and calls a function of the kernel's vDSO for it])
MIA_HEADER([sys/auxv.h])
# Before glibc 2.34 the thread functions are in a library of their own.
AC_SEARCH_LIBS([pthread_key_create], [pthread], [],
  [AC_MSG_ERROR([mialloc needs POSIX threads])])
AM_CONDITIONAL([HOST_LINUX], [case $host_os in linux*) :;; *) false;; esac])
])
