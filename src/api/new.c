/* new.c -- C++'s operator new and delete, by their mangled names, so that no C++
 * compiler is needed to build the library and none of its run-time to link it.
 *
 * The names are those of the Itanium ABI, and differ by what size_t is: `m' for
 * unsigned long, `j' for unsigned int (configure finds out). */
#include "base/prelude.h"

#include "api/entry.h"
#include "api/handler.h"

#include <mialloc.h>

#define NAME(before, after) __asm__(before MIA_MANGLED_SIZE after)

/* std::nothrow_t const &: an address that says nothing. */
typedef const void *nothrow;

mia_inline void *attempt(size_t size, size_t align) {
  return align == 1 ? mia_enter_malloc(size) : mia_api_aligned(size, align, false);
}

mia_inline void *make(size_t size, size_t align, bool throws) {
  void *p = attempt(size, align);
  return mia_likely(p != NULL) ? p : mia_api_persist(NULL, NULL, size, align, throws);
}

#define NEW(single, array, after, parameters, align, throws)    \
  MIA_API void *single parameters NAME("_Znw", after);          \
  MIA_API void *array parameters NAME("_Zna", after);           \
  void *single parameters { return make(size, align, throws); } \
  void *array parameters { return make(size, align, throws); }

NEW(new_1, new_n, "", (size_t size), 1, true)
NEW(new_1_aligned, new_n_aligned, "St11align_val_t", (size_t size, size_t align), align, true)
#define UNUSED __attribute__((unused))
NEW(new_1_nothrow, new_n_nothrow, "RKSt9nothrow_t", (size_t size, nothrow tag UNUSED), 1, false)
NEW(new_1_aligned_nothrow, new_n_aligned_nothrow, "St11align_val_tRKSt9nothrow_t",
    (size_t size, size_t align, nothrow tag UNUSED), align, false)

#define DELETE(single, array, before, parameters, action) \
  MIA_API void single parameters __asm__("_Zdl" before);  \
  MIA_API void array parameters __asm__("_Zda" before);   \
  void single parameters { action; }                      \
  void array parameters { action; }

DELETE(delete_1, delete_n, "Pv", (void *p), mia_enter_free(p))
DELETE(delete_1_nothrow, delete_n_nothrow, "PvRKSt9nothrow_t", (void *p, nothrow tag UNUSED),
       mia_enter_free(p))
DELETE(delete_1_sized, delete_n_sized, "Pv" MIA_MANGLED_SIZE, (void *p, size_t size),
       mia_api_free_sized(p, size, 1))
DELETE(delete_1_aligned, delete_n_aligned, "PvSt11align_val_t", (void *p, size_t align UNUSED),
       mia_enter_free(p))
DELETE(delete_1_aligned_nothrow, delete_n_aligned_nothrow, "PvSt11align_val_tRKSt9nothrow_t",
       (void *p, size_t align UNUSED, nothrow tag UNUSED), mia_enter_free(p))
DELETE(delete_1_sized_aligned, delete_n_sized_aligned, "Pv" MIA_MANGLED_SIZE "St11align_val_t",
       (void *p, size_t size, size_t align), mia_api_free_sized(p, size, align))
