# SPDX-License-Identifier: MIT
# MIA_HOST -- refuses at once a system that src/os has no file for.
AC_DEFUN([MIA_HOST], [
AS_CASE([$host_os], [linux*], [],
  [AC_MSG_ERROR([mialloc does not know the system $host_os: src/os has a file for Linux only; doc/porting.md says how to add one])])
])
