/* SPDX-License-Identifier: MIT */
/* deep_refuse.c -- a library to be preloaded: nothing can make the C library's memory
 * writable. */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int mprotect(void *start, size_t size, int protection) {
  Dl_info info;
  if ((protection & PROT_WRITE) != 0 && dladdr(start, &info) != 0 &&
      strstr(info.dli_fname, "/libc.so.") != NULL) {
    errno = EACCES;
    return -1;
  }
  return (int)syscall(SYS_mprotect, start, size, protection);
}
