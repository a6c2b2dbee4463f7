# MIA_PACKAGES -- what is said to those who look for the library: pkg-config's and
# CMake's files.
AC_DEFUN([MIA_PACKAGES], [
AC_CACHE_CHECK([for the size of a pointer], [mia_cv_sizeof_pointer], [
  AC_COMPUTE_INT([mia_cv_sizeof_pointer], [sizeof(void *)])])
AC_SUBST([mia_cv_sizeof_pointer])
AC_CONFIG_FILES([mialloc.pc mialloc-api.pc mialloc-mimalloc.pc
  cmake/mialloc-config.cmake cmake/mialloc-config-version.cmake])
])
