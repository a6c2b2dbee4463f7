/* SPDX-License-Identifier: MIT */
/* bind.h -- makes libraries that are loaded with RTLD_DEEPBIND use our malloc.
 *
 * glibc looks up the symbols of such a library in the library itself and in those that
 * it needs, the C library among them, before it searches the global scope.  So the
 * library does not find a malloc that replaces the C library's, while memory that the C
 * library allocates for it comes from that malloc.  Only glibc does this. */
#ifndef MIA_OS_BIND_H
#define MIA_OS_BIND_H

#include "base/prelude.h"
#include "os/tail_call.h"

#include <dlfcn.h>

/* Returns true if this mode of dlopen contains RTLD_DEEPBIND. */
bool mia_os_is_deep(int mode);

/* Redirects the C library's own definition of each name to the definition in force,
 * the one that all other libraries find.  Does nothing unless the definition in force
 * of the first name is ours.  Returns false if a name could not be redirected.  May be
 * called again, but not by two threads at a time. */
bool mia_os_bind(const char *const *names, size_t count);

/* Returns the next definition of dlopen after `ours'. */
typedef void *mia_os_opener(const char *file, int mode);
mia_os_opener *mia_os_next_dlopen(mia_os_opener *ours);

#endif
