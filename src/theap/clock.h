/* SPDX-License-Identifier: MIT */
/* clock.h -- the clock of a theap: what makes its thread do the periodic work.
 *
 * There is no timer.  The work is done in ticks (api/tick.h), which a thread runs on its slow paths.
 * The clock counts down the slow paths until the next tick:
 *
 *              pages come or go,                  the tick: nothing waits
 *              a list is given out
 *      IDLE -----------------------> DUE ----------------------------------> IDLE
 *                                    ^ |  (its budget did not suffice: DUE)
 *       pages come or go, a list is  | |
 *       given out, or the countdown  | |  the tick: memory waits to be given back
 *       ends                         | v
 *                                   WATCH
 *
 *   IDLE   No tick is needed.
 *   DUE    The next slow path runs a tick.
 *   WATCH  A tick follows after one slow path, then two, four, up to MIA_CLOCK_INTERVAL_MAX, and
 *          after one again in another millisecond, or when a list was held.  Besides, free lists are
 *          held: they look empty to the fast path, which tests nothing else.  So the next allocation
 *          of each such class takes the slow path, which gives out the list and makes the clock DUE.
 *
 * Holding lists is for a thread that freed much and does little afterwards: it would come to no slow
 * path for a long time, and its memory would stay.  A list is held at most MIA_CLOCK_HOLDS times in
 * each millisecond in which there is a tick, so that a busy thread pays a few slow paths a
 * millisecond, and one that does little runs a tick at almost each step. */
#ifndef MIA_THEAP_CLOCK_H
#define MIA_THEAP_CLOCK_H

#include "theap/theap.h"

#define MIA_CLOCK_IDLE UINT32_MAX

enum {
  /* Reading the time for each slow path would cost a program that swaps short lists a tenth; with 16,
   * pairs of 64 KiB take 1.1 to 1.2 of the time. */
  MIA_CLOCK_INTERVAL_MAX = 64,
  /* One hold is not enough: the thread's next allocation may use it up in this millisecond, and the
   * one after may come much later. */
  MIA_CLOCK_HOLDS = 8
};

/* Counts a slow path.  Returns true if it must run a tick.  Always returns true
 * for a thread without a theap: it shares a theap that nobody writes to. */
mia_inline bool mia_clock_count_down(mia_theap *self) {
  if (mia_unlikely(self->clock.countdown == 0)) return true;
  self->clock.countdown--;
  return false;
}

/* Called when refill.c gives a class a free list, or one was given out: it may be held. */
mia_inline void mia_clock_note_list(mia_theap *self, unsigned size_class) {
  if (self->bins[size_class].holds < MIA_CLOCK_HOLDS) self->clock.can_hold = true;
}

/* Makes the clock of a thread DUE, because pages came or went. */
mia_inline void mia_clock_request(mia_theap *self) {
  self->clock.requested = true;
  self->clock.countdown = 0;
}

/* Likewise, but does nothing for a thread without a theap. */
mia_inline void mia_clock_request_if_any(mia_theap *self) {
  if (!mia_theap_is_none(self)) mia_clock_request(self);
}

/* IDLE is a countdown that never ends. */
mia_inline bool mia_clock_is_idle(const mia_theap *self) {
  return self->clock.countdown > MIA_CLOCK_INTERVAL_MAX;
}

/* Called when a page is cached, which is to age.  A thread that runs ticks anyway pays nothing. */
mia_inline void mia_clock_note_cached(mia_theap *self) {
  self->clock.cached = true;
  if (mia_unlikely(mia_clock_is_idle(self))) mia_clock_request(self);
}

/* Moves what the theap of another heap has noted to `self', the thread's own for the main heap, which
 * runs the ticks. */
mia_inline void mia_clock_pass_on(mia_theap *from, mia_theap *self) {
  if (from == self || mia_theap_is_none(self)) return;
  self->clock.refilled |= from->clock.refilled;
  from->clock.refilled = false;
  if (!from->clock.requested) return;
  from->clock.requested = false;
  mia_clock_request(self);
}

/* Returns true if `now' is another millisecond than that of the last tick. */
mia_inline bool mia_clock_is_new(const mia_theap *self, mia_time_ms now) {
  return now != self->clock.ticked_at;
}

/* Returns true if a tick in a millisecond that had one already has something to give back. */
mia_inline bool mia_clock_has_work(const mia_theap *self) {
  return self->clock.requested || self->clock.unfinished;
}

/* Called after each tick.  One whose budget did not suffice is followed by another at once. */
mia_inline void mia_clock_set_unfinished(mia_theap *self, bool unfinished) {
  self->clock.unfinished = unfinished;
  if (unfinished) self->clock.countdown = 0;
}

/* Ends a tick.  Memory waits if `idle_memory', and for `watch' milliseconds after pages came or
 * went, or were cached.  Returns false, with the clock IDLE, if none waits. */
bool mia_theap_end_tick(mia_theap *self, mia_time_ms now, mia_time_ms watch, bool idle_memory);

/* Makes the clock WATCH: holds the free lists that may be held.  `is_new': this is the first tick of
 * a millisecond. */
void mia_theap_watch(mia_theap *self, bool is_new);

/* Gives out the free list of a class, if it is held, and makes the clock DUE.  Returns false if the
 * list is not held. */
bool mia_theap_give_out_list(mia_theap *self, unsigned size_class);

#endif
