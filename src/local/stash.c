/* stash.c -- blocks that are freed where blocks of their class are allocated. */
#include "base/prelude.h"

#include "base/fail.h"
#include "local/bin.h"
#include "local/stash.h"
#include "page/owner.h"

/* What a stash may hold: so many blocks, so many bytes. */
enum { BLOCKS_MOST = 256, BYTES_MOST = 32 * 1024 };

static void send_home(mia_local *self, mia_block *list) {
  while (list != NULL) {
    mia_block *block = list;
    list = block->next;
    mia_page *page = mia_page_require_of(block);
    if (mia_local_owns(self, page))
      mia_local_free_own(self, page, block);
    else if (mia_owner_push(page, block, block, 1))
      mia_local_settle(self, page, false);
  }
}

static void send_stash(mia_local *self, mia_bin *bin) {
  mia_block *list = bin->stash;
  bin->stash = NULL;
  bin->stashed = 0;
  send_home(self, list);
}

static bool has_room(const mia_bin *bin, const mia_page *page) {
  uint32_t count = bin->stashed + 1u;
  return count <= BLOCKS_MOST && count * page->size <= BYTES_MOST;
}

bool mia_local_stash(mia_local *self, const mia_page *page, mia_block *block) {
  if (page->size_class >= MIA_CLASS_COUNT) return false;
  mia_bin *bin = &self->bins[page->size_class];
  if (!bin->stashes || !mia_local_is_main(page)) return false;
  if (mia_unlikely(!has_room(bin, page))) {
    bin->stashes = false;
    send_stash(self, bin);
    return false;
  }
  if (mia_unlikely(block == bin->stash)) mia_base_misuse("block freed twice", block);
  block->next = bin->stash;
  bin->stash = block;
  bin->stashed++;
  return true;
}

void mia_local_send_stash(mia_local *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  bin->stashes = false;
  send_stash(self, bin);
  if (!bin->mixed) return;
  mia_block *list = mia_local_list(self, size_class);
  uintptr_t count = 0;
  for (const mia_block *block = list; block != NULL; block = block->next) count++;
  mia_count_add(&self->counts.lent[size_class], -count);
  self->head[size_class] = NULL;
  bin->rest = NULL;
  bin->mixed = false;
  send_home(self, list);
}

void mia_local_send_stashes(mia_local *self) {
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++)
    mia_local_send_stash(self, size_class);
}
