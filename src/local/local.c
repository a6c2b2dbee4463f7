/* local.c -- the layer's roots, valid from the first instruction on; locals are
 * taken from and given back to the list of those that are not in use. */
#include "base/prelude.h"

#include "arena/meta.h"
#include "local/local.h"

mia_local_world mia_local_all = {.none = {.plain = MIA_LOCAL_UNPLAIN},
                                 .ended = {.plain = MIA_LOCAL_UNPLAIN},
                                 .shared_lock = MIA_LOCK_INIT(MIA_RANK_SHARED),
                                 .threads = MIA_LOCK_INIT(MIA_RANK_THREADS),
                                 .pool_lock = MIA_LOCK_INIT(MIA_RANK_POOL)};

mia_thread_local mia_local *mia_local_self = &mia_local_all.none;

void mia_local_list_in_all(mia_local *local) {
  local->plain = (uintptr_t)local;
  local->all = (mia_local *)mia_aword_get(&mia_local_all.all);
  mia_aword_set_rel(&mia_local_all.all, (uintptr_t)local);
}

/* One that was never used, [lock:threads]. */
static mia_local *make(void) {
  mia_local *local = &mia_local_all.first;
  if (mia_local_all.first_made) local = mia_arena_meta(sizeof *local);
  mia_local_all.first_made = true;
  if (local != NULL) mia_local_list_in_all(local);
  return local;
}

mia_local *mia_local_take(mia_heap *heap) {
  mia_os_lock(&mia_local_all.threads);
  mia_local *local = mia_local_all.idle;
  if (local != NULL)
    mia_local_all.idle = local->idle;
  else
    local = make();
  mia_os_unlock(&mia_local_all.threads);
  if (local != NULL) local->heap = mia_local_heap_field(heap);
  return local;
}

void mia_local_give(mia_local *local) {
  mia_os_lock(&mia_local_all.threads);
  local->idle = mia_local_all.idle;
  mia_local_all.idle = local;
  mia_os_unlock(&mia_local_all.threads);
}
