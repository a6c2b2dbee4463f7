/* purge.h -- when which memory goes back to the OS. */
#ifndef MIA_API_GIVE_BACK_H
#define MIA_API_GIVE_BACK_H

#include "arena/budget.h"
#include "theap/theap.h"

/* The budget of a thread of the program: what takes some 150 us on a machine of 2020. */
#define MIA_API_TICK_BUDGET (2 * MIA_MIB)

/* So much more may one do that looks for the first time in so many ms: who does little
 * is to give back as much as who is busy.  Still less than half a millisecond. */
enum { MIA_API_RARE_TICK_MS = 10, MIA_API_RARE_TICK_FACTOR = 3 };

/* What is due to go back now, as far as the budget goes.  False: it did not suffice. */
bool mia_api_give_back(mia_theap *self, mia_tick now, mia_budget budget);

/* All that can, at once; true if anything did. */
bool mia_api_purge(void);

#endif
