/* dlopen.c -- libraries that are loaded with RTLD_DEEPBIND have our malloc too.
 *
 * The C library's table of symbols is changed for that (os/bind.h), which costs a
 * process some pages of its own: so, where dlopen can be ours, not before the first such
 * library is loaded. */
#include "base/prelude.h"

#include "api/options.h"
#include "api/world.h"
#include "os/bind.h"

#include <mialloc.h>

/* What override.c defines. */
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

static void bind(void) {
  if (!mia_os_bind(names, sizeof names / sizeof names[0]))
    mia_aword_set(&mia_api_all.unbound, true);
}

#if MIA_DLOPEN
mia_cold static void prepare(void) {
  mia_os_once(&mia_api_all.bound, bind);
  if (mia_aword_and(&mia_api_all.unbound, false) != 0)
    mia_api_warn("a library loaded with RTLD_DEEPBIND has the C library's malloc, whose symbols "
                 "cannot be changed: the process ends when one frees the other's block");
}

MIA_API MIA_OS_HANDS_OVER void *dlopen(const char *file, int mode) {
  if (mia_unlikely(mia_os_is_deep(mode))) prepare();
  MIA_OS_TAIL mia_os_next_dlopen(dlopen)(file, mode);
}
#else
/* Where no call can be handed over, libraries would be looked for where ours is: so
 * dlopen is left alone.  Nobody knows here whether it matters that it failed. */
__attribute__((constructor)) static void begin(void) { mia_os_once(&mia_api_all.bound, bind); }
#endif
