/* local.c -- the layer's roots, valid from the first instruction on. */
#include "base/prelude.h"

#include "local/local.h"

mia_local_world mia_local_all = {.threads = MIA_LOCK_INIT(MIA_RANK_THREADS),
                                 .pool_lock = MIA_LOCK_INIT(MIA_RANK_POOL)};

mia_thread_local mia_local *mia_local_self = &mia_local_all.none;
