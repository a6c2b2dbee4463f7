/* handler.h -- memory or an exception: what C++'s operator new promises. */
#ifndef MIA_API_HANDLER_H
#define MIA_API_HANDLER_H

#include "base/prelude.h"
#include "theap/theap.h"

/* A block after all, by C++'s new-handler, of a heap or, if that is NULL, of the
 * thread's; or another size for `p' where that is not NULL; where no handler is left throws, or returns NULL. */
mia_cold void *mia_api_retry_new(mia_heap *heap, void *p, size_t size, size_t align, bool throws);

/* Calls it; false: there is none. */
mia_cold bool mia_api_call_handler(void);

/* Throws std::bad_alloc. */
_Noreturn mia_cold void mia_api_bad_alloc(void);

#endif
