/* atfork.c -- what the C library calls when somebody registers handlers of fork.
 *
 * Ours must be there first (process.c), and a library whose constructor runs before
 * ours may register its own in it.  In a static program this is not the C library's
 * way, which has the name to itself there: it is weak for that. */
#include "base/prelude.h"

#include "api/atfork.h"
#include "api/process.h"
#include "os/os.h"

#include <errno.h>
#include <mialloc.h>

#if MIA_HAVE_REGISTER_ATFORK
typedef int register_function(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                              void *library);
register_function __register_atfork;

MIA_API __attribute__((weak)) int __register_atfork(void (*prepare)(void), void (*parent)(void),
                                                    void (*child)(void), void *library) {
  mia_api_register_fork();
  register_function *next = (register_function *)mia_os_next("__register_atfork");
  return next != NULL ? next(prepare, parent, child, library) : ENOSYS;
}
#endif

const char mia_api_is_before_forks;
