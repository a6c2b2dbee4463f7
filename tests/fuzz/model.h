/* model.h -- reads bytes as calls of the public interface, and checks the results against a
 * shadow model.
 *
 * Include the header in only one file of a program.  A stream is read call by call, six bytes
 * each: the function, the block, a size (three bytes), an alignment or heap.  Every call is
 * valid at any time, so every stream has a meaning.  Whenever a block is used, all that the
 * model knows of it is checked: contents, alignment, usable size, zeroed bytes, heap, and
 * that it overlaps no other block.  An error ends the program with a line on stderr.
 *
 * If `may_fail' is set, calls may also fail: with NULL, with ENOMEM, and without any other
 * effect.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_MODEL_H
#define MIA_TEST_MODEL_H

#include <errno.h>
#include <mialloc.h>
#include <mialloc/heap.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/pattern.h"

enum {
  MODEL_BLOCKS = 64,
  MODEL_HEAPS = 4, /* besides the main heap, which is number 0 */
  MODEL_CALL_BYTES = 6,
  MODEL_FULL = 4096,      /* all of a block's first bytes are checked ... */
  MODEL_NEAR_STEP = 4096, /* ... then a word in each of these steps ... */
  MODEL_FAR_STEP = 65536, /* ... and beyond MODEL_NEAR in each of these */
  MODEL_WORD = 8,
  MODEL_ERRNO = 12345 /* a value that no libc function sets */
};
#define MODEL_NEAR MIB
#define MODEL_BYTES_MAX (160 * MIB)

typedef struct model_block {
  unsigned char *p; /* NULL: no block */
  size_t size;      /* asked for */
  size_t align;
  size_t offset;
  uint64_t key;
  bool zeroed; /* zero from `size' to the end of the usable size */
  int heap;
} model_block;

typedef struct model {
  model_block blocks[MODEL_BLOCKS];
  mia_heap *heaps[MODEL_HEAPS + 1];
  size_t bytes;      /* asked for, in all blocks */
  uint64_t key;      /* pattern of the last block */
  bool may_fail;     /* calls may be refused */
  bool threads;      /* calls may be made in another thread */
  unsigned refused;  /* calls that failed */
  unsigned answered; /* calls that succeeded */
} model;

typedef struct model_call {
  unsigned what;
  model_block *block;
  size_t size;
  size_t align; /* a power of two */
  size_t offset;
  int heap;
} model_call;

_Noreturn static inline void model_wrong(const char *what, size_t value) {
  fprintf(stderr, "model: %s (%zu)\n", what, value);
  abort();
}

static inline void model_need(bool holds, const char *what, size_t value) {
  if (!holds) model_wrong(what, value);
}

/* ---- contents of a block ---- */

static inline unsigned char model_byte(uint64_t key, size_t i) {
  return (unsigned char)((key + i * PATTERN_STEP) >> 56);
}

/* Returns the next offset that is checked. */
static inline size_t model_next(size_t i) {
  if (i + 1 < MODEL_FULL) return i + 1;
  size_t step = i + 1 < MODEL_NEAR ? MODEL_NEAR_STEP : MODEL_FAR_STEP;
  return (i + 1) % step < MODEL_WORD ? i + 1 : (i / step + 1) * step;
}

static inline void model_fill(const model_block *b, size_t from) {
  for (size_t i = 0; i < b->size; i = model_next(i))
    if (i >= from) b->p[i] = model_byte(b->key, i);
}

static inline void model_check_content(const model_block *b, size_t size) {
  for (size_t i = 0; i < size; i = model_next(i))
    if (b->p[i] != model_byte(b->key, i)) model_wrong("content was lost at", i);
}

static inline void model_check_zero(const unsigned char *p, size_t from, size_t to) {
  for (size_t i = 0; i < to; i = model_next(i))
    if (i >= from && p[i] != 0) model_wrong("not zero at", i);
  for (size_t i = to - from < MODEL_FULL ? from : to - MODEL_FULL; i < to; i++)
    if (p[i] != 0) model_wrong("not zero at", i);
}

/* ---- a block ---- */

static inline mia_heap *model_heap(const model *m, int i) {
  return m->heaps[i] != NULL ? m->heaps[i] : m->heaps[0];
}

static inline int model_number(const model *m, const mia_heap *heap) {
  for (int i = 0; i <= MODEL_HEAPS; i++)
    if (m->heaps[i] == heap) return i;
  model_wrong("block of no heap", 0);
}

static inline void model_check_place(const model *m, const model_block *b) {
  size_t usable = mia_usable_size(b->p);
  model_need(usable >= b->size, "usable size too small", usable);
  model_need(((uintptr_t)b->p + b->offset) % b->align == 0, "not aligned to", b->align);
  model_need((uintptr_t)b->p % (b->size > 8 ? 16 : 8) == 0 || b->offset % 16 != 0,
             "default alignment", b->size);
  for (const model_block *other = m->blocks; other < m->blocks + MODEL_BLOCKS; other++) {
    if (other == b || other->p == NULL) continue;
    bool apart = b->p + usable <= other->p || other->p + mia_usable_size(other->p) <= b->p;
    model_need(apart, "blocks overlap", (uintptr_t)b->p);
  }
}

static inline void model_check(const model *m, const model_block *b) {
  if (b->p == NULL) return;
  model_check_content(b, b->size);
  if (b->zeroed) model_check_zero(b->p, b->size, mia_usable_size(b->p));
  model_need(mia_heap_of(b->p) == m->heaps[b->heap], "block of another heap", b->size);
}

static inline void model_forget(model *m, model_block *b) {
  m->bytes -= b->size;
  *b = (model_block){0};
}

static inline void model_free(model *m, const model_call *c, unsigned how) {
  model_block *b = c->block;
  if (b->p == NULL) return;
  model_check(m, b);
  errno = MODEL_ERRNO;
  if (how == 0 || b->offset != 0)
    mia_free(b->p);
  else if (how == 1)
    mia_free_sized(b->p, b->size);
  else
    mia_free_aligned_sized(b->p, b->align, b->size);
  model_need(errno == MODEL_ERRNO, "free changed errno", (size_t)errno);
  model_forget(m, b);
}

/* Returns true if `p' is a block; checks that errno did not change, or that it is ENOMEM. */
static inline bool model_answered(model *m, const void *p) {
  if (p == NULL) {
    model_need(m->may_fail, "request refused", 0);
    model_need(errno == ENOMEM, "refused with errno", (size_t)errno);
    m->refused++;
    return false;
  }
  model_need(errno == MODEL_ERRNO, "errno of a request that was met", (size_t)errno);
  m->answered++;
  return true;
}

/* ---- allocating ---- */

enum { MODEL_MAKES = 14 };

static inline unsigned char *model_call_make(const model *m, const model_call *c) {
  mia_heap *heap = model_heap(m, c->heap);
  void *p = NULL;
  switch (c->what) {
  case 0:
    return mia_malloc(c->size);
  case 1:
    return mia_malloc_aligned(c->size, c->align);
  case 2:
    return mia_malloc_aligned_at(c->size, c->align, c->offset);
  case 3:
    return mia_aligned_alloc(c->align, c->size);
  case 4:
    if (c->align < sizeof p) return mia_malloc_at_least(c->size, NULL);
    errno = mia_posix_memalign(&p, c->align, c->size);
    if (errno == 0) errno = MODEL_ERRNO;
    return p;
  case 5:
    return mia_heap_malloc(heap, c->size);
  case 6:
    return mia_heap_malloc_aligned(heap, c->size, c->align);
  case 7:
    return mia_heap_malloc_aligned_at(heap, c->size, c->align, c->offset);
  /* zeroed from here on */
  case 8:
    return mia_zalloc(c->size);
  case 9:
    return mia_calloc(c->size % 8 == 0 ? c->size / 8 : c->size, c->size % 8 == 0 ? 8 : 1);
  case 10:
    return mia_zalloc_aligned(c->size, c->align);
  case 11:
    return mia_zalloc_aligned_at(c->size, c->align, c->offset);
  case 12:
    return mia_heap_zalloc(heap, c->size);
  default:
    return mia_heap_zalloc_aligned_at(heap, c->size, c->align, c->offset);
  }
}

static inline void model_make(model *m, const model_call *c) {
  const unsigned offset = 1u << 2 | 1u << 7 | 1u << 11 | 1u << 13;
  const unsigned aligned = offset | 1u << 1 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 10;
  model_block *b = c->block;
  model_free(m, c, 0);
  if (m->bytes + c->size > MODEL_BYTES_MAX) return;
  errno = MODEL_ERRNO;
  unsigned char *p = model_call_make(m, c);
  if (!model_answered(m, p)) return;
  *b = (model_block){.p = p, .size = c->size, .key = ++m->key * PATTERN_STEP};
  b->align = (aligned >> c->what & 1) != 0 && (c->what != 4 || c->align >= sizeof p) ? c->align : 1;
  b->offset = (offset >> c->what & 1) != 0 ? c->offset : 0;
  b->zeroed = c->what >= 8;
  b->heap = model_number(m, mia_heap_of(p));
  m->bytes += c->size;
  model_check_place(m, b);
  if (b->zeroed) model_check_zero(p, 0, mia_usable_size(p));
  model_fill(b, 0);
}

/* ---- changing the size ---- */

enum { MODEL_RESIZES = 8 };

/* Sets of resizing functions: those that promise an alignment, and those that zero. */
#define MODEL_RESIZE_ALIGNED (1u << 1 | 1u << 4)
#define MODEL_RESIZE_ZERO (1u << 3 | 1u << 4 | 1u << 5)
enum { MODEL_EXPAND = 6, MODEL_REALLOCARR = 7 };

static inline unsigned char *model_call_resize(const model *m, const model_call *c) {
  mia_heap *heap = model_heap(m, c->heap);
  void *p = c->block->p;
  int error;
  switch (c->what) {
  case 0:
    return mia_realloc(p, c->size);
  case 1:
    return mia_realloc_aligned(p, c->size, c->align);
  case 2:
    return mia_heap_realloc(heap, p, c->size);
  case 3:
    return mia_rezalloc(p, c->size);
  case 4:
    return mia_recalloc_aligned(p, c->size, 1, c->align);
  case 5:
    return mia_heap_rezalloc(heap, p, c->size);
  case MODEL_EXPAND:
    return mia_expand(p, c->size);
  default:
    error = mia_reallocarr(&p, 1, c->size);
    if (error != 0) errno = error;
    return error == 0 ? p : NULL;
  }
}

/* Functions that zero the new end may be used only for blocks that were zeroed. */
static inline bool model_can(const model_block *b, unsigned what) {
  return (MODEL_RESIZE_ZERO >> what & 1) == 0 || b->zeroed || b->p == NULL;
}

static inline void model_resize(model *m, const model_call *call) {
  model_call c = *call;
  model_block *b = c.block;
  if (b->p == NULL || m->bytes - b->size + c.size > MODEL_BYTES_MAX) return;
  if (!model_can(b, c.what)) c.what = 0;
  model_check(m, b);
  errno = MODEL_ERRNO;
  bool may_fail = m->may_fail;
  m->may_fail |= c.what == MODEL_EXPAND;
  unsigned char *p = model_call_resize(m, &c);
  bool answered = model_answered(m, p);
  m->may_fail = may_fail;
  if (!answered) {
    model_check(m, b);
    return;
  }
  if (c.what == MODEL_EXPAND && c.size < b->size) c.size = b->size; /* expand never shrinks */
  size_t kept = b->size < c.size ? b->size : c.size;
  m->bytes += c.size - b->size;
  model_block was = *b;
  *b = (model_block){.p = p, .size = c.size, .key = b->key, .align = 1};
  if ((MODEL_RESIZE_ALIGNED >> c.what & 1) != 0) b->align = c.align;
  if (c.what == MODEL_EXPAND) {
    model_need(p == was.p, "expand moved", c.size);
    b->align = was.align;
    b->offset = was.offset;
  }
  b->zeroed = (MODEL_RESIZE_ZERO >> c.what & 1) != 0;
  b->heap = model_number(m, mia_heap_of(p));
  model_check_content(b, kept);
  model_check_place(m, b);
  if (b->zeroed) model_check_zero(p, kept, mia_usable_size(p));
  model_fill(b, kept);
}

/* ---- heaps ---- */

static inline void model_new_heap(model *m, int i) {
  if (i == 0 || m->heaps[i] != NULL) return;
  errno = MODEL_ERRNO;
  m->heaps[i] = mia_heap_new();
  (void)model_answered(m, m->heaps[i]);
}

static inline void model_end_heap(model *m, int i, bool destroy) {
  if (i == 0 || m->heaps[i] == NULL) return;
  for (model_block *b = m->blocks; b < m->blocks + MODEL_BLOCKS; b++) {
    if (b->p == NULL || b->heap != i) continue;
    model_check(m, b);
    b->heap = 0;
    if (destroy) model_forget(m, b);
  }
  if (destroy)
    mia_heap_destroy(m->heaps[i]);
  else
    mia_heap_delete(m->heaps[i]);
  m->heaps[i] = NULL;
}

typedef struct model_walk {
  const model *model;
  int heap;
  size_t found;
} model_walk;

static inline bool model_visit(const mia_heap *heap, const mia_heap_area *area, void *block,
                               size_t size, void *arg) {
  model_walk *walk = arg;
  (void)heap;
  (void)area;
  for (const model_block *b = walk->model->blocks; b < walk->model->blocks + MODEL_BLOCKS; b++)
    if (block != NULL && b->p == block && b->heap == walk->heap && b->size <= size) walk->found++;
  return true;
}

static inline void model_walk_heap(const model *m, int i) {
  if (m->heaps[i] == NULL) return;
  model_walk walk = {.model = m, .heap = i};
  size_t blocks = 0;
  for (int j = 0; j < MODEL_BLOCKS; j++) blocks += m->blocks[j].p != NULL && m->blocks[j].heap == i;
  bool all = mia_heap_visit_blocks(m->heaps[i], true, model_visit, &walk);
  model_need(all && walk.found == blocks, "a walk misses blocks, and finds", walk.found);
}

/* ---- reading a stream ---- */

static inline void model_dispatch(model *m, model_call *c);

typedef struct model_thread_call {
  model *model;
  model_call *call;
} model_thread_call;

static inline void *model_run_thread_call(void *arg) {
  const model_thread_call *errand = arg;
  model_dispatch(errand->model, errand->call);
  return NULL;
}

/* Makes the call in a new thread, as its first call. */
static inline void model_in_thread(model *m, model_call *c) {
  pthread_t thread;
  model_thread_call errand = {m, c};
  if (!m->threads || pthread_create(&thread, NULL, model_run_thread_call, &errand) != 0) {
    model_dispatch(m, c);
    return;
  }
  pthread_join(thread, NULL);
}

enum {
  MODEL_FREES = 3,
  MODEL_RARE = 8,
  MODEL_COMMON = MODEL_MAKES + MODEL_RESIZES + MODEL_FREES,
  MODEL_CALLS = MODEL_COMMON + MODEL_RARE
};

static inline void model_rare(model *m, const model_call *c) {
  switch (c->what) {
  case 0:
    model_new_heap(m, c->heap);
    break;
  case 1:
    model_end_heap(m, c->heap, false);
    break;
  case 2:
    model_end_heap(m, c->heap, true);
    break;
  case 3:
    mia_collect(c->size % 2 != 0);
    break;
  case 4:
    mia_heap_collect(model_heap(m, c->heap), c->size % 2 != 0);
    break;
  case 5:
    (void)mia_purge();
    break;
  case 6:
    mia_thread_done();
    break;
  default:
    model_walk_heap(m, c->heap);
    break;
  }
}

static inline void model_dispatch(model *m, model_call *c) {
  if (c->what < MODEL_MAKES) {
    model_make(m, c);
    return;
  }
  c->what -= MODEL_MAKES;
  if (c->what < MODEL_RESIZES) {
    model_resize(m, c);
    return;
  }
  c->what -= MODEL_RESIZES;
  if (c->what < MODEL_FREES) {
    model_free(m, c, c->what);
    return;
  }
  c->what -= MODEL_FREES;
  model_rare(m, c);
}

/* Returns sizes up to 2^exponent.  Each exponent is equally likely except the largest ones,
 * whose blocks take long to check. */
static inline size_t model_size(const unsigned char *bytes) {
  enum { MOST = 19, ALL = 26, RARE = 240 };
  size_t top = (size_t)1 << (bytes[0] < RARE ? bytes[0] % MOST : bytes[0] % ALL);
  return ((size_t)bytes[1] << 8 | bytes[2]) * (top >> 8 != 0 ? top >> 8 : 1) % top + (top >> 1);
}

static inline void model_one(model *m, const unsigned char *bytes) {
  enum { ALIGN_BITS = 23, THREAD_ONE_IN = 16 };
  model_call c = {.what = bytes[0] % MODEL_CALLS,
                  .block = &m->blocks[bytes[1] % MODEL_BLOCKS],
                  .size = model_size(bytes + 2),
                  .align = (size_t)1 << bytes[5] % ALIGN_BITS,
                  .heap = bytes[5] % (MODEL_HEAPS + 1)};
  c.offset = c.size != 0 ? bytes[4] * (size_t)bytes[1] % c.size : 0;
  if (bytes[5] / ALIGN_BITS % THREAD_ONE_IN == THREAD_ONE_IN / 2)
    model_in_thread(m, &c);
  else
    model_dispatch(m, &c);
}

static inline void model_run(model *m, const unsigned char *bytes, size_t size) {
  m->heaps[0] = mia_heap_main();
  for (; size >= MODEL_CALL_BYTES; size -= MODEL_CALL_BYTES, bytes += MODEL_CALL_BYTES)
    model_one(m, bytes);
}

/* Frees all blocks that are left. */
static inline void model_end(model *m) {
  for (int i = 0; i < MODEL_BLOCKS; i++) model_free(m, &(model_call){.block = &m->blocks[i]}, 0);
  for (int i = 1; i <= MODEL_HEAPS; i++) model_end_heap(m, i, i % 2 == 0);
  model_need(m->bytes == 0, "bytes of the model are left", m->bytes);
}

#endif
