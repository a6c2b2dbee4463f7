# SPDX-License-Identifier: MIT
# MIA_PACKAGES -- the files by which programs find the library: for pkg-config and for
# CMake; and what mialloc-run must know of it.
AC_DEFUN([MIA_PACKAGES], [
AC_CACHE_CHECK([for the size of a pointer], [mia_cv_sizeof_pointer], [
  AC_COMPUTE_INT([mia_cv_sizeof_pointer], [sizeof(void *)])])
AC_SUBST([mia_cv_sizeof_pointer])
AC_SUBST([MIA_SONAME_NUMBER], m4_eval(m4_bpatsubst(m4_defn([mia_abi]), [^\([0-9]+\):[0-9]+:\([0-9]+\)$], [\1-\2])))
AC_SUBST([mia_cv_libc])
dnl a field without an address is left out
AS_IF([test -n "$PACKAGE_URL"], [MIA_URL_FIELD="URL: $PACKAGE_URL"], [MIA_URL_FIELD=])
AC_SUBST([MIA_URL_FIELD])
AC_CONFIG_FILES([mialloc.pc mialloc-api.pc mialloc-mimalloc.pc
  cmake/mialloc-config.cmake cmake/mialloc-config-version.cmake])
])
