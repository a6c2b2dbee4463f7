/* SPDX-License-Identifier: MIT */
/* atfork.c -- the C library's function that registers fork handlers.
 *
 * Our handlers must be registered first (process.c), but a library whose constructor runs
 * before ours may register its own there.  So we define the name of the registering function,
 * as we define malloc: __register_atfork, which glibc's pthread_atfork calls, or pthread_atfork
 * itself.  The first is weak, so a static program uses the C library's.  The second exists in
 * the shared library only, named by its linker (Makefile.am): in a static program it would hide
 * the C library's, which has no other name. */
#include "base/prelude.h"

#include "api/atfork.h"
#include "api/process.h"
#include "api/world.h"
#include "os/os.h"

#include <errno.h>
#include <mialloc.h>

typedef void handler(void);

#if MIA_HAVE_REGISTER_ATFORK
#define REGISTER_NAME "__register_atfork"
#else
#define REGISTER_NAME "pthread_atfork"
#endif

/* Returns the C library's function.  It is looked up once, early: dlsym takes the lock of the
 * dynamic linker, and a library may hold that lock while its constructor waits for a thread
 * that registers handlers. */
__attribute__((unused)) static void *libc_function(void) {
  void *function = (void *)mia_aword_get(&mia_api_all.next_atfork);
  if (function == NULL) {
    function = mia_os_next(REGISTER_NAME);
    mia_aword_set(&mia_api_all.next_atfork, (uintptr_t)function);
  }
  return function;
}

#if MIA_HAVE_REGISTER_ATFORK || MIA_RENAMES_ATFORK
__attribute__((constructor)) static void begin(void) { (void)libc_function(); }
#endif

#if MIA_HAVE_REGISTER_ATFORK
typedef int register_function(handler *prepare, handler *parent, handler *child, void *library);
register_function mia_api_register_atfork __asm__("__register_atfork");

MIA_API __attribute__((weak)) int mia_api_register_atfork(handler *prepare, handler *parent,
                                                          handler *child, void *library) {
  mia_api_register_fork();
  register_function *libc_register = (register_function *)libc_function();
  return libc_register != NULL ? libc_register(prepare, parent, child, library) : ENOSYS;
}
#endif

#if MIA_RENAMES_ATFORK
typedef int atfork_function(handler *prepare, handler *parent, handler *child);
atfork_function mia_api_pthread_atfork;

MIA_API int mia_api_pthread_atfork(handler *prepare, handler *parent, handler *child) {
  mia_api_register_fork();
  atfork_function *libc_register = (atfork_function *)libc_function();
  return libc_register != NULL ? libc_register(prepare, parent, child) : ENOSYS;
}
#endif

const char mia_api_atfork_is_linked;
