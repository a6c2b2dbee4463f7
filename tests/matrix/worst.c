/* SPDX-License-Identifier: MIT */
/* worst.c -- the alignments of the static objects: each array is as long as the alignment of
 * the object of its name. */
#include "base/prelude.h"

#include "api/options.h"
#include "map/pagemap.h"
#include "theap/theap.h"

#define ALIGNMENT(object) char align_##object[alignof(__typeof__(object))]

ALIGNMENT(mia_map_pages);
ALIGNMENT(mia_arena_all);
ALIGNMENT(mia_theap_all);
ALIGNMENT(mia_api_all);
