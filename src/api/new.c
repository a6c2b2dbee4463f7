/* SPDX-License-Identifier: MIT */
/* new.c -- C++'s operator new and delete under their mangled names, so that building the
 * library needs no C++ compiler and linking it needs no C++ run-time library.
 *
 * The names are those of the Itanium ABI.  They depend on the type of size_t: `m' is unsigned
 * long, `j' unsigned int (configure determines it).
 *
 * A program may define any of these operators, and malloc and free.  The others then call the
 * operators in force, as [new.delete] specifies; those that are based on no other operator call
 * malloc and free.  If all functions in question are ours, the operators do the work directly. */
#include "base/prelude.h"

#include "api/caught.h"
#include "api/entry.h"
#include "api/force.h"
#include "api/handler.h"

#define MANGLED(before, after) __asm__(before MIA_MANGLED_SIZE after)
#define UNUSED __attribute__((unused))

/* std::nothrow_t const &: its address has no meaning. */
typedef const void *nothrow;

/* Declares the operator in force, `name', and our definition of it, own_NAME. */
#define DECLARE(result, name, parameters, symbol) \
  static result own_##name parameters;            \
  result name parameters symbol MIA_REPLACEABLE_ALIAS(own_##name);
#define IS_OURS(name) MIA_IS_SAME(name, own_##name)

#define NEW(name, after, parameters)                               \
  DECLARE(void *, new_1##name, parameters, MANGLED("_Znw", after)) \
  DECLARE(void *, new_n##name, parameters, MANGLED("_Zna", after))
NEW(, "", (size_t size))
NEW(_nothrow, "RKSt9nothrow_t", (size_t size, nothrow tag))
NEW(_aligned, "St11align_val_t", (size_t size, size_t align))
NEW(_aligned_nothrow, "St11align_val_tRKSt9nothrow_t", (size_t size, size_t align, nothrow tag))

#define DELETE(name, after, parameters)                              \
  DECLARE(void, delete_1##name, parameters, __asm__("_ZdlPv" after)) \
  DECLARE(void, delete_n##name, parameters, __asm__("_ZdaPv" after))
DELETE(, "", (void *p))
DELETE(_nothrow, "RKSt9nothrow_t", (void *p, nothrow tag))
DELETE(_sized, MIA_MANGLED_SIZE, (void *p, size_t size))
DELETE(_aligned, "St11align_val_t", (void *p, size_t align))
DELETE(_aligned_nothrow, "St11align_val_tRKSt9nothrow_t", (void *p, size_t align, nothrow tag))
DELETE(_sized_aligned, MIA_MANGLED_SIZE "St11align_val_t", (void *p, size_t size, size_t align))

/* ---- new ---- */

mia_inline void *allocate_once(size_t size, size_t align) {
  return align == 1 ? mia_enter_borrow(size) : mia_api_aligned(size, align, false);
}

mia_inline void *allocate_or_handle(size_t size, size_t align, bool throws) {
  void *p = allocate_once(size, align);
  return mia_likely(p != NULL) ? p : mia_api_retry_new(NULL, NULL, size, align, throws);
}

/* Allocates by the malloc or aligned_alloc in force, which may return NULL for 0 bytes. */
mia_cold static void *allocate_by_program(size_t size, size_t align) {
  if (size == 0) size = 1;
  do {
    size_t rounded = mia_align_up(size, align);
    void *p = align == 1 ? malloc(size) : rounded >= size ? aligned_alloc(align, rounded) : NULL;
    if (p != NULL) return p;
  } while (mia_api_call_handler());
  mia_api_bad_alloc();
}

mia_inline int malloc_is_ours(void) { return MIA_OWN_MALLOC; }
mia_inline int aligned_is_ours(void) { return MIA_OWN_ALIGNED & MIA_OWN_FREE; }

static void *own_new_1(size_t size) {
  return mia_likely(malloc_is_ours()) ? allocate_or_handle(size, 1, true)
                                      : allocate_by_program(size, 1);
}
static void *own_new_1_aligned(size_t size, size_t align) {
  return mia_likely(aligned_is_ours()) ? allocate_or_handle(size, align, true)
                                       : allocate_by_program(size, align);
}
static void *own_new_n(size_t size) {
  if (mia_likely(IS_OURS(new_1) & malloc_is_ours())) return allocate_or_handle(size, 1, true);
  return new_1(size);
}
static void *own_new_n_aligned(size_t size, size_t align) {
  if (mia_likely(IS_OURS(new_1_aligned) & aligned_is_ours()))
    return allocate_or_handle(size, align, true);
  return new_1_aligned(size, align);
}

/* The operators that do not throw call those that do. */
typedef struct new_arguments {
  size_t size;
  size_t align;
} new_arguments;

#define THROWING(name, call)                      \
  static void *throwing_##name(const void *arg) { \
    const new_arguments *r = arg;                 \
    return call;                                  \
  }
THROWING(new_1, new_1(r->size))
THROWING(new_n, new_n(r->size))
THROWING(new_1_aligned, new_1_aligned(r->size, r->align))
THROWING(new_n_aligned, new_n_aligned(r->size, r->align))

static void *own_new_1_nothrow(size_t size, nothrow tag UNUSED) {
  if (mia_likely(IS_OURS(new_1) & malloc_is_ours())) return allocate_or_handle(size, 1, false);
  return mia_api_call_catching(throwing_new_1, &(new_arguments){.size = size});
}
static void *own_new_n_nothrow(size_t size, nothrow tag UNUSED) {
  if (mia_likely(IS_OURS(new_n) & IS_OURS(new_1) & malloc_is_ours()))
    return allocate_or_handle(size, 1, false);
  return mia_api_call_catching(throwing_new_n, &(new_arguments){.size = size});
}
static void *own_new_1_aligned_nothrow(size_t size, size_t align, nothrow tag UNUSED) {
  if (mia_likely(IS_OURS(new_1_aligned) & aligned_is_ours()))
    return allocate_or_handle(size, align, false);
  return mia_api_call_catching(throwing_new_1_aligned, &(new_arguments){size, align});
}
static void *own_new_n_aligned_nothrow(size_t size, size_t align, nothrow tag UNUSED) {
  if (mia_likely(IS_OURS(new_n_aligned) & IS_OURS(new_1_aligned) & aligned_is_ours()))
    return allocate_or_handle(size, align, false);
  return mia_api_call_catching(throwing_new_n_aligned, &(new_arguments){size, align});
}

/* ---- delete ---- */

/* delete calls the free in force. */
static void own_delete_1(void *p) {
  if (mia_likely(MIA_OWN_FREE))
    mia_enter_free(p);
  else
    free(p);
}
static void own_delete_1_aligned(void *p, size_t align UNUSED) { own_delete_1(p); }

/* The other forms of delete call `call', an operator in force.  If that would end in our free,
 * they do `action' directly. */
#define DELETE_VIA(ours, call, action)   \
  do {                                   \
    if (mia_likely((ours)&MIA_OWN_FREE)) \
      action;                            \
    else                                 \
      call;                              \
  } while (0)

static void own_delete_n(void *p) { DELETE_VIA(IS_OURS(delete_1), delete_1(p), mia_enter_free(p)); }
static void own_delete_n_aligned(void *p, size_t align) {
  DELETE_VIA(IS_OURS(delete_1_aligned), delete_1_aligned(p, align), mia_enter_free(p));
}

#define ONE_IS_OURS IS_OURS(delete_1)
#define ARRAY_IS_OURS (IS_OURS(delete_n) & ONE_IS_OURS)
#define ONE_ALIGNED_IS_OURS IS_OURS(delete_1_aligned)
#define ARRAY_ALIGNED_IS_OURS (IS_OURS(delete_n_aligned) & ONE_ALIGNED_IS_OURS)

static void own_delete_1_nothrow(void *p, nothrow tag UNUSED) {
  DELETE_VIA(ONE_IS_OURS, delete_1(p), mia_enter_free(p));
}
static void own_delete_n_nothrow(void *p, nothrow tag UNUSED) {
  DELETE_VIA(ARRAY_IS_OURS, delete_n(p), mia_enter_free(p));
}
static void own_delete_1_sized(void *p, size_t size) {
  DELETE_VIA(ONE_IS_OURS, delete_1(p), mia_api_free_sized(p, size, 1));
}
static void own_delete_n_sized(void *p, size_t size) {
  DELETE_VIA(ARRAY_IS_OURS, delete_n(p), mia_api_free_sized(p, size, 1));
}
static void own_delete_1_aligned_nothrow(void *p, size_t align, nothrow tag UNUSED) {
  DELETE_VIA(ONE_ALIGNED_IS_OURS, delete_1_aligned(p, align), mia_enter_free(p));
}
static void own_delete_n_aligned_nothrow(void *p, size_t align, nothrow tag UNUSED) {
  DELETE_VIA(ARRAY_ALIGNED_IS_OURS, delete_n_aligned(p, align), mia_enter_free(p));
}
static void own_delete_1_sized_aligned(void *p, size_t size, size_t align) {
  DELETE_VIA(ONE_ALIGNED_IS_OURS, delete_1_aligned(p, align), mia_api_free_sized(p, size, align));
}
static void own_delete_n_sized_aligned(void *p, size_t size, size_t align) {
  DELETE_VIA(ARRAY_ALIGNED_IS_OURS, delete_n_aligned(p, align), mia_api_free_sized(p, size, align));
}
