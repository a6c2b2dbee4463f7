/* SPDX-License-Identifier: MIT */
/* dlopen.c -- gives our malloc to libraries that are loaded with RTLD_DEEPBIND.
 *
 * This changes the C library's symbol table (os/bind.h), which costs a process some private
 * pages.  So if we can define dlopen, it is done only when the first such library is loaded. */
#include "base/prelude.h"

#include "api/options.h"
#include "api/world.h"
#include "os/bind.h"

#include <mialloc.h>

/* The names that override.c defines. */
static const char *const names[] = {"malloc",
                                    "free",
                                    "calloc",
                                    "realloc",
                                    "reallocarray",
                                    "memalign",
                                    "aligned_alloc",
                                    "posix_memalign",
                                    "valloc",
                                    "pvalloc",
                                    "cfree",
                                    "free_sized",
                                    "memalignment",
                                    "malloc_trim",
                                    "malloc_stats",
                                    "malloc_info",
                                    "mallopt",
                                    "mallinfo",
                                    "mallinfo2",
                                    "malloc_usable_size",
                                    "free_aligned_sized"};

static void bind_names(void) {
  if (!mia_os_bind(names, sizeof names / sizeof names[0]))
    mia_aword_set(&mia_api_all.unbound, true);
}

#if MIA_DLOPEN
mia_cold static void bind_and_warn(void) {
  mia_os_once(&mia_api_all.bound, bind_names);
  if (mia_aword_and(&mia_api_all.unbound, false) != 0)
    mia_api_warn("a library loaded with RTLD_DEEPBIND has the C library's malloc, whose symbols "
                 "cannot be changed: the process ends when one frees the other's block");
}

MIA_API MIA_OS_TAIL_CALLS void *dlopen(const char *file, int mode) {
  if (mia_unlikely(mia_os_is_deep(mode))) bind_and_warn();
  MIA_OS_TAIL mia_os_next_dlopen(dlopen)(file, mode);
}
#else
/* dlopen searches relative to its caller.  Where our dlopen cannot hand a call over
 * (os/tail_call.h), that caller would be our library, so we do not define dlopen.  A failure is
 * not reported: whether it matters is not known here. */
__attribute__((constructor)) static void begin(void) {
  mia_os_once(&mia_api_all.bound, bind_names);
}
#endif
