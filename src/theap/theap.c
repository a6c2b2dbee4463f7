/* SPDX-License-Identifier: MIT */
/* theap.c -- the roots of this layer, which are valid before any code of ours runs, and the
 * list of theaps that are not in use. */
#include "base/prelude.h"

#include "arena/arena.h"
#include "arena/meta.h"
#include "arena/node.h"
#include "arena/tier.h"
#include "theap/theap.h"

mia_theap_world mia_theap_all = {.shared_lock = MIA_LOCK_INIT(MIA_RANK_SHARED),
                                 .threads = MIA_LOCK_INIT(MIA_RANK_THREADS),
                                 .abandoned_lock = MIA_LOCK_INIT(MIA_RANK_ABANDONED)};

mia_thread_local mia_theap *mia_theap_self = &mia_theap_all.none;

void mia_theap_register(mia_theap *theap) {
  theap->all = (mia_theap *)mia_aword_get(&mia_theap_all.all);
  mia_aword_set_rel(&mia_theap_all.all, (uintptr_t)theap);
}

/* [lock:threads] Returns a new theap, or NULL if memory is short. */
static mia_theap *make(void) {
  mia_theap *theap = &mia_theap_all.first;
  if (mia_theap_all.first_made)
    theap = mia_arena_meta(sizeof *theap);
  else
    mia_arena_decide_tier();
  mia_theap_all.first_made = true;
  if (theap != NULL) mia_theap_register(theap);
  return theap;
}

mia_theap *mia_theap_take(mia_heap *heap) {
  mia_os_lock(&mia_theap_all.threads);
  mia_theap *theap = mia_theap_all.unused_theaps;
  if (theap != NULL)
    mia_theap_all.unused_theaps = theap->unused;
  else
    theap = make();
  mia_os_unlock(&mia_theap_all.threads);
  if (theap == NULL) return NULL;
  theap->heap = mia_theap_heap_field(heap);
  theap->node_uses = 0;
  /* Notes a thread on a second node.  A process with one arena has nothing to choose from. */
  if (mia_aword_get(&mia_arena_all.count) > 1) (void)mia_arena_ask_node();
  return theap;
}

void mia_theap_give(mia_theap *theap) {
  mia_os_lock(&mia_theap_all.threads);
  theap->unused = mia_theap_all.unused_theaps;
  mia_theap_all.unused_theaps = theap;
  mia_os_unlock(&mia_theap_all.threads);
}
