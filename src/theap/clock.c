/* SPDX-License-Identifier: MIT */
/* clock.c -- holds free lists, so that a thread comes to its slow paths. */
#include "base/prelude.h"

#include "os/os.h"
#include "theap/clock.h"

bool mia_theap_end_tick(mia_theap *self, mia_time_ms now, mia_time_ms watch, bool idle_memory) {
  mia_clock *clock = &self->clock;
  if (clock->requested || clock->cached) clock->watch_until = now + watch;
  clock->requested = clock->cached = false;
  clock->ticked_at = now;
  clock->countdown = MIA_CLOCK_IDLE;
  return idle_memory || !mia_time_reached(now, clock->watch_until);
}

/* Returns true if there was a list that could be held. */
static bool hold_lists(mia_theap *self, bool is_new) {
  bool held = false;
  if (!is_new && !self->clock.can_hold) return false;
  self->clock.can_hold = false;
  for (unsigned size_class = 0; size_class < MIA_CLASS_COUNT; size_class++) {
    mia_bin *bin = &self->bins[size_class];
    if (is_new) bin->holds = 0;
    if (self->free_list[size_class] == NULL || bin->holds >= MIA_CLOCK_HOLDS) continue;
    bin->held = self->free_list[size_class];
    bin->holds++;
    self->free_list[size_class] = NULL;
    held = true;
  }
  return held;
}

void mia_theap_watch(mia_theap *self, bool is_new) {
  mia_clock *clock = &self->clock;
  if (hold_lists(self, is_new) || is_new)
    clock->interval = 1;
  else if (clock->interval < MIA_CLOCK_INTERVAL_MAX)
    clock->interval *= 2;
  clock->countdown = clock->interval;
}

bool mia_theap_give_out_list(mia_theap *self, unsigned size_class) {
  mia_bin *bin = &self->bins[size_class];
  if (bin->held == NULL) return false;
  self->free_list[size_class] = bin->held;
  bin->held = NULL;
  mia_clock_note_list(self, size_class);
  self->clock.countdown = 0;
  return true;
}
