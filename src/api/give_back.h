/* give_back.h -- decides when which memory returns to the OS. */
#ifndef MIA_API_GIVE_BACK_H
#define MIA_API_GIVE_BACK_H

#include "arena/budget.h"
#include "theap/theap.h"

/* The budget of a tick in a thread of the program: some 150 us of work on a machine of 2020. */
#define MIA_API_TICK_BUDGET (2 * MIA_MIB)

/* A thread that has run no tick for MIA_API_RARE_TICK_MS has MIA_API_RARE_TICK_FACTOR times
 * that budget, so that a thread that does little returns as much as a busy one.  That is still
 * less than half a millisecond. */
enum { MIA_API_RARE_TICK_MS = 10, MIA_API_RARE_TICK_FACTOR = 3 };

/* Returns to the OS what is due now, as far as the budget goes.  Returns false if the budget
 * did not suffice. */
bool mia_api_give_back(mia_theap *self, mia_time_ms now, mia_budget budget);

/* Returns to the OS, at once, all memory that can be returned.  Returns true if there was any. */
bool mia_api_purge(void);

#endif
