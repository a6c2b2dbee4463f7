/* clock.h -- the clock of a theap: what makes its thread do the periodic work.
 *
 * There is no timer.  The work is done in ticks (api/tick.h), which a thread runs on its slow paths.
 * The clock says whether the next slow path runs one, and sees to it that there is a slow path.
 *
 *                 pages come or go                       the tick: nothing waits
 *      IDLE -----------------------------> DUE ------------------------------------> IDLE
 *       ^                                  |  ^
 *       |                   the tick:      |  |  the thread allocates from a class
 *       |           memory waits to be     |  |  whose list is held
 *       |   given back; lists are held     v  |
 *       +--------------------------------- HELD
 *         all lists were given out again
 *
 *   IDLE  No slow path runs a tick.
 *   DUE   The next slow path runs a tick.
 *   HELD  As IDLE, but free lists are held back: they look empty to the fast path, which tests
 *         nothing else.  So the next allocation of each such class takes the slow path, which gives
 *         out the list and makes the clock DUE.
 *
 * Without HELD, a thread that freed much and does little afterwards would come to no slow path for
 * a long time, and its memory would stay.  A list is held a few times in each millisecond, and then
 * stays with the fast path until the next tick in a later one: so a busy thread pays a few slow
 * paths a millisecond, and one that does little runs a tick at each step. */
#ifndef MIA_THEAP_CLOCK_H
#define MIA_THEAP_CLOCK_H

#include "theap/theap.h"

/* A list is held so many times in a millisecond.  Once is not enough: the thread's next allocation
 * may fall into the same millisecond, and the one after it much later. */
enum { MIA_CLOCK_HOLDS = 8 };

/* Makes the clock of a thread DUE, because pages came or went. */
mia_inline void mia_clock_request(mia_theap *self) {
  self->clock.requested = true;
  self->clock.idle = false;
}

/* Likewise for a theap that may be one of a thread without theap, which are never written. */
mia_inline void mia_clock_request_if_any(mia_theap *self) {
  if (!mia_theap_is_none(self)) mia_clock_request(self);
}

mia_inline bool mia_clock_is_due(const mia_theap *self) { return !self->clock.idle; }

/* Moves a request from the theap of another heap to the main heap's, which runs the ticks. */
mia_inline void mia_clock_pass_on(mia_theap *from, mia_theap *self) {
  if (from == self || !from->clock.requested) return;
  from->clock.requested = false;
  mia_clock_request(self);
}

/* Called when a class gets a free list: it may be held. */
mia_inline void mia_clock_note_list(mia_theap *self, unsigned size_class) {
  if (self->bins[size_class].holds < MIA_CLOCK_HOLDS) self->clock.can_hold = true;
}

/* Returns true if `now' is another millisecond than that of the last call of mia_theap_hold_lists. */
mia_inline bool mia_clock_is_new(const mia_theap *self, mia_time_ms now) {
  return now != self->clock.held_at;
}

/* Ends a tick at the time `now': the clock is IDLE, unless the tick has not `finished'.  If pages
 * came or went, returns true until `watch' milliseconds later. */
bool mia_theap_end_tick(mia_theap *self, mia_time_ms now, mia_time_ms watch, bool finished);

/* Holds the free lists that may be held. */
void mia_theap_hold_lists(mia_theap *self, mia_time_ms now);

/* Gives out the free list of a class, if it is held, and makes the clock DUE.  Returns false if the
 * list is not held. */
bool mia_theap_give_out_list(mia_theap *self, unsigned size_class);

#endif
