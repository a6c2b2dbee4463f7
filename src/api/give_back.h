/* SPDX-License-Identifier: MIT */
/* give_back.h -- decides when which memory returns to the OS. */
#ifndef MIA_API_GIVE_BACK_H
#define MIA_API_GIVE_BACK_H

#include "arena/budget.h"
#include "theap/theap.h"

/* The budget of a tick in a thread of the program: some 150 us of work on a machine of 2020, and up to
 * 500 where every block that is visited is a cache miss. */
#define MIA_API_TICK_BUDGET (2 * MIA_MIB)

/* Returns the milliseconds between two visits of what is not in use, for a purge delay of 0 or more.
 * Even with 0, memory is not looked at again in the same millisecond. */
mia_inline long mia_api_age_delay(long delay) { return delay > 0 ? delay : 1; }

/* Returns to the OS what is due now, as far as the budget goes.  Returns false if the budget
 * did not suffice. */
bool mia_api_give_back(mia_theap *self, mia_time_ms now, mia_budget budget);

/* Returns to the OS, at once, all memory that can be returned.  Returns true if there was any. */
bool mia_api_purge(void);

#endif
