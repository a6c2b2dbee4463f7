/* purge.h -- when which memory goes back to the OS. */
#ifndef MIA_API_PURGE_H
#define MIA_API_PURGE_H

#include "local/local.h"

/* What is due to go back now. */
void mia_api_give_back(mia_local *self, mia_tick now);

/* All that can, at once; true if anything did. */
bool mia_api_purge(void);

#endif
