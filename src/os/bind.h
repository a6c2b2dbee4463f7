/* bind.h -- what a library that is loaded with RTLD_DEEPBIND finds.
 *
 * glibc looks for such a library's symbols in the library itself and in those that it
 * needs, the C library among them, before it looks where everybody else's are found.
 * So a malloc that stands in for the C library's is not seen there, while what the C
 * library itself allocates comes from it.  Only glibc does this. */
#ifndef MIA_OS_BIND_H
#define MIA_OS_BIND_H

#include "base/prelude.h"
#include "os/tail_call.h"

#include <dlfcn.h>

/* Whether this mode of dlopen is such a loading. */
bool mia_os_is_deep(int mode);

/* Makes the C library's own definition of each of these names mean the one in force,
 * which is what everybody else finds.  Does nothing unless the one in force of the
 * first name is ours.  False: that was not possible, at least of one.  May be done
 * again; not by two threads at a time. */
bool mia_os_bind(const char *const *names, size_t count);

/* The dlopen that is behind `ours'. */
typedef void *mia_os_opener(const char *file, int mode);
mia_os_opener *mia_os_next_dlopen(mia_os_opener *ours);

#endif
