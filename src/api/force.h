/* force.h -- whose functions are in force under the C library's names.
 *
 * A program may define some of those names and leave others to us.  Ours are weak,
 * so that an archive lets it, and each has a second name that nobody can take away:
 * where the two differ, another's function is in force.
 *
 * An address that a program without position independence has taken also looks like
 * another's, and what is called there is ours: whatever follows must hold then too. */
#ifndef MIA_API_FORCE_H
#define MIA_API_FORCE_H

#include "base/prelude.h"

#include <mialloc.h>

#include <stdlib.h>
#if MIA_HAVE_MALLOC_H
#include <malloc.h>
#endif

void *mia_api_own_malloc(size_t size);
void *mia_api_own_calloc(size_t count, size_t size);
void *mia_api_own_realloc(void *p, size_t size);
void mia_api_own_free(void *p);
void *mia_api_own_aligned_alloc(size_t alignment, size_t size);
int mia_api_own_posix_memalign(void **result, size_t alignment, size_t size);
size_t mia_api_own_usable_size(void *p);

#define MIA_TEXT_OF(word) #word
#define MIA_TEXT(word) MIA_TEXT_OF(word)

/* Of a name that we define: may be another's. */
#define MIA_STAND_IN MIA_API __attribute__((weak))
/* Of one that is compared with `own'. */
#define MIA_NAME_OF(own) MIA_API __attribute__((weak, alias(MIA_TEXT(own))))

/* Macros, as an inline function would use the names before they are said to be weak. */
#define MIA_OWN_MALLOC (malloc == mia_api_own_malloc)
#define MIA_OWN_FREE (free == mia_api_own_free)
#define MIA_OWN_ALIGNED (aligned_alloc == mia_api_own_aligned_alloc)

#endif
