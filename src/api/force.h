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

/* 1 if they are one function, else 0: answers are joined by `&', without a branch.  A
 * compiler may hold two names for two functions, so it is not shown what is compared. */
mia_inline int mia_api_is_same(void (*name)(void), void (*own)(void)) {
  __asm__("" : "+r"(name));
  return name == own;
}

/* Macros, as an inline function would use the names before they are said to be weak. */
#define MIA_IS_SAME(name, own) mia_api_is_same((void (*)(void))(name), (void (*)(void))(own))
#define MIA_OWN_MALLOC MIA_IS_SAME(malloc, mia_api_own_malloc)
#define MIA_OWN_FREE MIA_IS_SAME(free, mia_api_own_free)
#define MIA_OWN_ALIGNED MIA_IS_SAME(aligned_alloc, mia_api_own_aligned_alloc)

#endif
