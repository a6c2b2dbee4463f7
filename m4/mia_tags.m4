# SPDX-License-Identifier: MIT
# MIA_TAGS -- does the host's family of CPUs have memory tags (aarch64's MTE)?
#   MIA_MEMORY_TAGS   0 or 1
# Whether the CPU and the kernel that run have them is found out at run time.  The assembler
# need not know the instructions: it gets their numbers.
# Override: ./configure mia_cv_memory_tags=yes|no
AC_DEFUN([MIA_TAGS], [
AC_REQUIRE([MIA_ADDRESS])
AC_CACHE_CHECK([whether CPUs of this family may have memory tags], [mia_cv_memory_tags], [
  AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
#if !defined __aarch64__ || !defined __LP64__ || !defined __linux__
#error no memory tags
#endif
void *load(void *p) {
  register void *x0 __asm__("x0") = p;
  __asm__ volatile(".inst 0xd9600000" : "+r"(x0));
  return x0;
}
]])], [mia_cv_memory_tags=yes], [mia_cv_memory_tags=no])])
MIA_DEFINE_IF([MIA_MEMORY_TAGS], [test $mia_cv_memory_tags:$mia_cv_address = yes:tagged],
  [the code may use memory tags, if the system has them])
])
