# MIA_VM -- what the system offers beyond mmap, mprotect and munmap.
# Whether the kernel that runs has it too is found out at run time.
AC_DEFUN([MIA_VM], [
MIA_FUNC([madvise])
MIA_FUNC([mremap])
MIA_FUNC([getauxval])
MIA_HEADER([sys/auxv.h])
# Before glibc 2.34 the thread functions are in a library of their own.
AC_SEARCH_LIBS([pthread_key_create], [pthread], [],
  [AC_MSG_ERROR([mialloc needs POSIX threads])])
AM_CONDITIONAL([HOST_LINUX], [case $host_os in linux*) :;; *) false;; esac])
])
