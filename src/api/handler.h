/* SPDX-License-Identifier: MIT */
/* handler.h -- memory or an exception: what C++'s operator new promises. */
#ifndef MIA_API_HANDLER_H
#define MIA_API_HANDLER_H

#include "base/prelude.h"
#include "theap/theap.h"

/* Calls C++'s new-handler and tries again until memory suffices.  Allocates from `heap', or
 * from the thread's default heap if that is NULL; if `p' is not NULL, resizes it.  If there is
 * no handler, throws std::bad_alloc, or returns NULL if `throws' is false. */
mia_cold void *mia_api_retry_new(mia_heap *heap, void *p, size_t size, size_t align, bool throws);

/* Calls the new-handler.  Returns false if there is none. */
mia_cold bool mia_api_call_handler(void);

/* Throws std::bad_alloc.  Ends a process that has no C++ library. */
_Noreturn mia_cold void mia_api_bad_alloc(void);

#endif
