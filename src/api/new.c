/* new.c -- C++'s operator new and delete, by their mangled names, so that no C++
 * compiler is needed to build the library and none of its run-time to link it.
 *
 * The names are those of the Itanium ABI, and differ by what size_t is: `m' for
 * unsigned long, `j' for unsigned int (configure finds out).
 *
 * A program may define any of them, and malloc and free.  Then the others do by those
 * in force what [new.delete] says of them, and the ones that are made of nothing else
 * do by malloc and free.  Where all in question are ours, they do it by themselves. */
#include "base/prelude.h"

#include "api/caught.h"
#include "api/entry.h"
#include "api/force.h"
#include "api/handler.h"

#define NAME(before, after) __asm__(before MIA_MANGLED_SIZE after)
#define UNUSED __attribute__((unused))

/* std::nothrow_t const &: an address that says nothing. */
typedef const void *nothrow;

/* `name' in force, of which ours is own_NAME. */
#define DECLARE(result, name, parameters, symbol) \
  static result own_##name parameters;            \
  result name parameters symbol MIA_NAME_OF(own_##name);
#define IS_OURS(name) MIA_IS_SAME(name, own_##name)

#define NEW(name, after, parameters)                            \
  DECLARE(void *, new_1##name, parameters, NAME("_Znw", after)) \
  DECLARE(void *, new_n##name, parameters, NAME("_Zna", after))
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

mia_inline void *attempt(size_t size, size_t align) {
  return align == 1 ? mia_enter_malloc(size) : mia_api_aligned(size, align, false);
}

mia_inline void *make(size_t size, size_t align, bool throws) {
  void *p = attempt(size, align);
  return mia_likely(p != NULL) ? p : mia_api_retry_new(NULL, NULL, size, align, throws);
}

/* By malloc or aligned_alloc in force, which may take 0 for nothing. */
mia_cold static void *make_by_theirs(size_t size, size_t align) {
  if (size == 0) size = 1;
  do {
    size_t rounded = mia_align_up(size, align);
    void *p = align == 1 ? malloc(size) : rounded >= size ? aligned_alloc(align, rounded) : NULL;
    if (p != NULL) return p;
  } while (mia_api_call_handler());
  mia_api_bad_alloc();
}

mia_inline int makes_ours(void) { return MIA_OWN_MALLOC; }
mia_inline int makes_ours_aligned(void) { return MIA_OWN_ALIGNED & MIA_OWN_FREE; }

static void *own_new_1(size_t size) {
  return mia_likely(makes_ours()) ? make(size, 1, true) : make_by_theirs(size, 1);
}
static void *own_new_1_aligned(size_t size, size_t align) {
  return mia_likely(makes_ours_aligned()) ? make(size, align, true) : make_by_theirs(size, align);
}
static void *own_new_n(size_t size) {
  if (mia_likely(IS_OURS(new_1) & makes_ours())) return make(size, 1, true);
  return new_1(size);
}
static void *own_new_n_aligned(size_t size, size_t align) {
  if (mia_likely(IS_OURS(new_1_aligned) & makes_ours_aligned())) return make(size, align, true);
  return new_1_aligned(size, align);
}

/* Those that do not throw are made of those that do. */
typedef struct request {
  size_t size;
  size_t align;
} request;

#define THROWING(name, call)                      \
  static void *throwing_##name(const void *arg) { \
    const request *r = arg;                       \
    return call;                                  \
  }
THROWING(new_1, new_1(r->size))
THROWING(new_n, new_n(r->size))
THROWING(new_1_aligned, new_1_aligned(r->size, r->align))
THROWING(new_n_aligned, new_n_aligned(r->size, r->align))

static void *own_new_1_nothrow(size_t size, nothrow tag UNUSED) {
  if (mia_likely(IS_OURS(new_1) & makes_ours())) return make(size, 1, false);
  return mia_api_caught(throwing_new_1, &(request){.size = size});
}
static void *own_new_n_nothrow(size_t size, nothrow tag UNUSED) {
  if (mia_likely(IS_OURS(new_n) & IS_OURS(new_1) & makes_ours())) return make(size, 1, false);
  return mia_api_caught(throwing_new_n, &(request){.size = size});
}
static void *own_new_1_aligned_nothrow(size_t size, size_t align, nothrow tag UNUSED) {
  if (mia_likely(IS_OURS(new_1_aligned) & makes_ours_aligned())) return make(size, align, false);
  return mia_api_caught(throwing_new_1_aligned, &(request){size, align});
}
static void *own_new_n_aligned_nothrow(size_t size, size_t align, nothrow tag UNUSED) {
  if (mia_likely(IS_OURS(new_n_aligned) & IS_OURS(new_1_aligned) & makes_ours_aligned()))
    return make(size, align, false);
  return mia_api_caught(throwing_new_n_aligned, &(request){size, align});
}

/* ---- delete ---- */

/* delete goes on to free, in force. */
static void own_delete_1(void *p) {
  if (mia_likely(MIA_OWN_FREE))
    mia_enter_free(p);
  else
    free(p);
}
static void own_delete_1_aligned(void *p, size_t align UNUSED) { own_delete_1(p); }

/* The others to `call', of one that is in force, unless it ends in our free. */
#define GO_ON(ours, call, action)        \
  do {                                   \
    if (mia_likely((ours)&MIA_OWN_FREE)) \
      action;                            \
    else                                 \
      call;                              \
  } while (0)

static void own_delete_n(void *p) { GO_ON(IS_OURS(delete_1), delete_1(p), mia_enter_free(p)); }
static void own_delete_n_aligned(void *p, size_t align) {
  GO_ON(IS_OURS(delete_1_aligned), delete_1_aligned(p, align), mia_enter_free(p));
}

#define ONE IS_OURS(delete_1)
#define ARRAY (IS_OURS(delete_n) & ONE)
#define ONE_ALIGNED IS_OURS(delete_1_aligned)
#define ARRAY_ALIGNED (IS_OURS(delete_n_aligned) & ONE_ALIGNED)

static void own_delete_1_nothrow(void *p, nothrow tag UNUSED) {
  GO_ON(ONE, delete_1(p), mia_enter_free(p));
}
static void own_delete_n_nothrow(void *p, nothrow tag UNUSED) {
  GO_ON(ARRAY, delete_n(p), mia_enter_free(p));
}
static void own_delete_1_sized(void *p, size_t size) {
  GO_ON(ONE, delete_1(p), mia_api_free_sized(p, size, 1));
}
static void own_delete_n_sized(void *p, size_t size) {
  GO_ON(ARRAY, delete_n(p), mia_api_free_sized(p, size, 1));
}
static void own_delete_1_aligned_nothrow(void *p, size_t align, nothrow tag UNUSED) {
  GO_ON(ONE_ALIGNED, delete_1_aligned(p, align), mia_enter_free(p));
}
static void own_delete_n_aligned_nothrow(void *p, size_t align, nothrow tag UNUSED) {
  GO_ON(ARRAY_ALIGNED, delete_n_aligned(p, align), mia_enter_free(p));
}
static void own_delete_1_sized_aligned(void *p, size_t size, size_t align) {
  GO_ON(ONE_ALIGNED, delete_1_aligned(p, align), mia_api_free_sized(p, size, align));
}
static void own_delete_n_sized_aligned(void *p, size_t size, size_t align) {
  GO_ON(ARRAY_ALIGNED, delete_n_aligned(p, align), mia_api_free_sized(p, size, align));
}
