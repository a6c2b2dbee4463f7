/* atfork.c -- what the C library calls when somebody registers handlers of fork.
 *
 * Ours must be there first (process.c), and a library whose constructor runs before
 * ours may register its own in it.  So the name by which that is done is ours, as malloc
 * is: __register_atfork, which glibc's pthread_atfork calls, or pthread_atfork itself.
 * The first is weak: a static program has the C library's.  The second is one in the
 * shared library only, by its linker (Makefile.am): in a static program it would hide
 * the C library's, of which there is no other name. */
#include "base/prelude.h"

#include "api/atfork.h"
#include "api/process.h"
#include "api/world.h"
#include "os/os.h"

#include <errno.h>
#include <mialloc.h>

typedef void handler(void);

#if MIA_HAVE_REGISTER_ATFORK
#define NAME "__register_atfork"
#else
#define NAME "pthread_atfork"
#endif

/* The C library's.  It is looked up once, early: dlsym takes the lock of the dynamic
 * linker, which a library may hold whose constructor waits for a thread that registers
 * handlers. */
__attribute__((unused)) static void *next(void) {
  void *known = (void *)mia_aword_get(&mia_api_all.next_atfork);
  if (known == NULL) {
    known = mia_os_next(NAME);
    mia_aword_set(&mia_api_all.next_atfork, (uintptr_t)known);
  }
  return known;
}

#if MIA_HAVE_REGISTER_ATFORK || MIA_RENAMES_ATFORK
__attribute__((constructor)) static void begin(void) { (void)next(); }
#endif

#if MIA_HAVE_REGISTER_ATFORK
typedef int register_function(handler *prepare, handler *parent, handler *child, void *library);
register_function mia_api_register_atfork __asm__("__register_atfork");

MIA_API __attribute__((weak)) int mia_api_register_atfork(handler *prepare, handler *parent,
                                                          handler *child, void *library) {
  mia_api_register_fork();
  register_function *theirs = (register_function *)next();
  return theirs != NULL ? theirs(prepare, parent, child, library) : ENOSYS;
}
#endif

#if MIA_RENAMES_ATFORK
typedef int atfork_function(handler *prepare, handler *parent, handler *child);
atfork_function mia_api_pthread_atfork;

MIA_API int mia_api_pthread_atfork(handler *prepare, handler *parent, handler *child) {
  mia_api_register_fork();
  atfork_function *theirs = (atfork_function *)next();
  return theirs != NULL ? theirs(prepare, parent, child) : ENOSYS;
}
#endif

const char mia_api_is_before_forks;
