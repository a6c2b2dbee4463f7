/* guard.c -- what debug builds lay around a block in use. */
#include "base/prelude.h"

#include "base/fail.h"
#include "page/canary.h"

#include <string.h>

enum { FILL = 0xfd, HALF_BITS = 32 };

#define KEY UINT64_C(0xc2b2ae3d27d4eb4f)

static uint64_t disguise(const void *block) { return (uint64_t)(uintptr_t)block ^ KEY; }

/* The length twice, once inverted: no change of some bytes makes another length.
 * One that does not fit is cut: the content is then as much longer. */
static uint64_t seal_for(const void *block, uint32_t fill) {
  return ((uint64_t)~fill << HALF_BITS | fill) ^ disguise(block);
}

static uint32_t fill_for(size_t length) {
  return length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
}

static uint64_t *seal_of(const mia_page *page, const void *block) {
  return (uint64_t *)(uintptr_t)((const char *)block + mia_canary_capacity(page));
}

static bool has_edge(const mia_page *page, const void *block) {
  return block != page->start || mia_canary_fits(page->padding);
}

/* A block that was asked for at an offset may lie at any byte, and so its edge. */
static void put_edge(char *block) {
  uint64_t edge = disguise(block);
  memcpy(block - sizeof edge, &edge, sizeof edge);
}

static bool is_edge_whole(const char *block) {
  uint64_t edge = disguise(block);
  return memcmp(block - sizeof edge, &edge, sizeof edge) == 0;
}

void mia_page_set_canary(const mia_page *page, void *block, size_t size) {
  uint64_t *seal = seal_of(page, block);
  uint32_t fill = fill_for(mia_canary_capacity(page) - size);
  memset((char *)seal - fill, FILL, fill);
  *seal = seal_for(block, fill);
  if (has_edge(page, block)) put_edge(block);
}

static bool is_filled(const unsigned char *end, uint32_t length) {
  for (uint32_t i = 1; i <= length; i++)
    if (end[-(ptrdiff_t)i] != FILL) return false;
  return true;
}

size_t mia_page_require_canary(const mia_page *page, const void *block) {
  const uint64_t *seal = seal_of(page, block);
  uint32_t fill = (uint32_t)(*seal ^ disguise(block));
  if (*seal != seal_for(block, fill) || !is_filled((const unsigned char *)seal, fill))
    mia_base_misuse("block written to beyond its end", block);
  if (has_edge(page, block) && !is_edge_whole(block))
    mia_base_misuse("block written to before its start", block);
  return mia_canary_capacity(page) - fill;
}
