# SPDX-License-Identifier: MIT
# MIA_UNWIND -- can a C function have a personality routine, which is called when an
# exception passes through the function?
#   MIA_HAVE_PERSONALITY   0 or 1
AC_DEFUN([MIA_UNWIND], [
AC_CACHE_CHECK([whether a function can be given a personality], [mia_cv_personality], [
  mia_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -fexceptions -fvisibility=hidden"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#if defined __ARM_EABI__ || defined __USING_SJLJ_EXCEPTIONS__ || defined __SEH__
#error unwinds otherwise
#endif
int its_personality(void);
__attribute__((used)) int its_personality(void) { return 8; }
__attribute__((noinline)) static void frame(void (*f)(void)) {
  __asm__ volatile(".cfi_personality 0x1b, its_personality");
  f();
}]], [[frame((void (*)(void))main);]])], [mia_cv_personality=yes], [mia_cv_personality=no])
  CFLAGS=$mia_save_CFLAGS])
MIA_DEFINE_IF([MIA_HAVE_PERSONALITY], [test $mia_cv_personality = yes],
  [A function can be given a personality by the assembler])
])
