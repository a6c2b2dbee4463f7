/* SPDX-License-Identifier: MIT */
/* frames.h -- what is known of all frames together, those parts of arenas for which large OS pages
 * were requested (thp.h). */
#ifndef MIA_ARENA_FRAMES_H
#define MIA_ARENA_FRAMES_H

#include "base/layout.h"

typedef struct mia_arena_frames {
  mia_aword off;    /* [any] 1: no large OS pages are requested */
  mia_aword count;  /* [any] frames for which they were requested */
  mia_aword credit; /* [any] whether the next frames will be filled: thp.c */
} mia_arena_frames;

mia_assert_field_aligned(mia_arena_frames, off);
mia_assert_field_aligned(mia_arena_frames, count);
mia_assert_field_aligned(mia_arena_frames, credit);

#endif
