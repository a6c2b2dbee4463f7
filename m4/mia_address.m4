# SPDX-License-Identifier: MIT
# MIA_ADDRESS -- what may be in the upper bits of a 64-bit address of user space?
#   MIA_ADDRESS_TAGGED   0 or 1: a tag in the top byte, which loads and stores ignore
#   MIA_ADDRESS_SIGNED   0 or 1: a sign or a region number that is part of the address
# A program that is only compiled cannot find this out, so the macro has a table of CPUs:
#   aarch64               a tag, always
#   sparc64, ia64, alpha  a sign or a region number: the kernel also maps at the top of
#                         the address space
# On other CPUs the upper bits are 0, unless the program asks the kernel for longer
# addresses or for tags.
# Override: ./configure mia_cv_address=plain|tagged|signed
AC_DEFUN([MIA_ADDRESS], [
AC_CACHE_CHECK([what the upper bits of an address are], [mia_cv_address], [
  AS_CASE([$host_cpu],
    [aarch64*|arm64*], [mia_cv_address=tagged],
    [sparc*|ia64*|alpha*], [mia_cv_address=signed],
    [mia_cv_address=plain])])
MIA_DEFINE_IF([MIA_ADDRESS_TAGGED], [test $mia_cv_address = tagged],
  [loads and stores ignore the top byte of an address])
MIA_DEFINE_IF([MIA_ADDRESS_SIGNED], [test $mia_cv_address = signed],
  [the upper bits of an address are not always 0])
])
