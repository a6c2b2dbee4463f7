/* worst.c -- what the types of the static objects ask for: each array is as long
 * as the object of its name is aligned. */
#include "base/prelude.h"

#include "api/options.h"
#include "local/local.h"
#include "map/pagemap.h"

#define ALIGNMENT(object) char align_##object[alignof(__typeof__(object))]

ALIGNMENT(mia_map_pages);
ALIGNMENT(mia_arena_all);
ALIGNMENT(mia_local_all);
ALIGNMENT(mia_api_all);
