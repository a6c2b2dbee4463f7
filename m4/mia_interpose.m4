# MIA_INTERPOSE -- which names beyond malloc, calloc, realloc and free does the
# C library define?  Those that it has we stand in for; what it lacks we do not
# add, so that nobody's configure finds a function that goes away with us.
AC_DEFUN([MIA_INTERPOSE], [
m4_foreach_w([F], [aligned_alloc posix_memalign memalign valloc pvalloc cfree reallocarray
  malloc_usable_size free_sized free_aligned_sized memalignment
  malloc_trim malloc_stats malloc_info mallopt mallinfo mallinfo2],
  [MIA_FUNC(F)])
])
