/* SPDX-License-Identifier: MIT */
/* force.h -- whether our functions are in force under the C library's names.
 *
 * A program may define some of those names and leave others to us.  Ours are weak, so that a
 * program may replace them even when they come from an archive.  Each has a second name that
 * nothing can replace: if the two addresses differ, another's function is in force.
 *
 * If a program that is not position-independent takes the address of a function, that address
 * also looks like another's, although a call reaches ours.  What follows from the comparison
 * must be correct in that case too. */
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

/* Defines a name that the program may replace. */
#define MIA_REPLACEABLE MIA_API __attribute__((weak))
/* Defines such a name as an alias of `own', for MIA_IS_SAME. */
#define MIA_REPLACEABLE_ALIAS(own) MIA_API __attribute__((weak, alias(MIA_TEXT(own))))

/* Returns 1 if both are one function, else 0; answers are combined by `&', without a branch.  A
 * compiler may take two names for two functions, so the assembler hides from it what is
 * compared. */
mia_inline int mia_api_is_same(void (*name)(void), void (*own)(void)) {
  __asm__("" : "+r"(name));
  return name == own;
}

/* Macros, because an inline function would use the names before they are declared weak. */
#define MIA_IS_SAME(name, own) mia_api_is_same((void (*)(void))(name), (void (*)(void))(own))
#define MIA_OWN_MALLOC MIA_IS_SAME(malloc, mia_api_own_malloc)
#define MIA_OWN_FREE MIA_IS_SAME(free, mia_api_own_free)
#define MIA_OWN_ALIGNED MIA_IS_SAME(aligned_alloc, mia_api_own_aligned_alloc)

#endif
