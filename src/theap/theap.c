/* local.c -- the layer's roots, valid from the first instruction on; locals are
 * taken from and given back to the list of those that are not in use. */
#include "base/prelude.h"

#include "arena/meta.h"
#include "theap/theap.h"

mia_theap_world mia_theap_all = {.none = {.fast_owner = MIA_THEAP_EXCHANGING},
                                 .ended = {.fast_owner = MIA_THEAP_EXCHANGING},
                                 .shared_lock = MIA_LOCK_INIT(MIA_RANK_SHARED),
                                 .threads = MIA_LOCK_INIT(MIA_RANK_THREADS),
                                 .abandoned_lock = MIA_LOCK_INIT(MIA_RANK_ABANDONED)};

mia_thread_local mia_theap *mia_theap_self = &mia_theap_all.none;

void mia_theap_register(mia_theap *local) {
  local->fast_owner = (uintptr_t)local;
  local->all = (mia_theap *)mia_aword_get(&mia_theap_all.all);
  mia_aword_set_rel(&mia_theap_all.all, (uintptr_t)local);
}

/* One that was never used, [lock:threads]. */
static mia_theap *make(void) {
  mia_theap *local = &mia_theap_all.first;
  if (mia_theap_all.first_made) local = mia_arena_meta(sizeof *local);
  mia_theap_all.first_made = true;
  if (local != NULL) mia_theap_register(local);
  return local;
}

mia_theap *mia_theap_take(mia_heap *heap) {
  mia_os_lock(&mia_theap_all.threads);
  mia_theap *local = mia_theap_all.idle;
  if (local != NULL)
    mia_theap_all.idle = local->idle;
  else
    local = make();
  mia_os_unlock(&mia_theap_all.threads);
  if (local != NULL) local->heap = mia_theap_heap_field(heap);
  return local;
}

void mia_theap_give(mia_theap *local) {
  mia_os_lock(&mia_theap_all.threads);
  local->idle = mia_theap_all.idle;
  mia_theap_all.idle = local;
  mia_os_unlock(&mia_theap_all.threads);
}
