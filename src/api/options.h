/* options.h -- what a user may set: one table, filled from the environment. */
#ifndef MIA_API_OPTIONS_H
#define MIA_API_OPTIONS_H

#include "base/atomic.h"
#include "base/prelude.h"

typedef enum mia_option {
  MIA_OPTION_SHOW_STATS,
  MIA_OPTION_PURGE_DELAY,
  MIA_OPTION_COUNT
} mia_option;

/* What the layer remembers. */
typedef struct mia_api_world {
  /* [any] Values that differ from the standard, offset by it: so all zero means
   * that nothing was set, also before anybody could. */
  mia_aword changes[MIA_OPTION_COUNT];
  mia_acell age_due;     /* [any] tick at which spare pages age again; 0: none yet */
  mia_aword stderr_copy; /* [any] a descriptor; 0: none was made */
} mia_api_world;

mia_assert_placed(mia_api_world, changes);
mia_assert_placed(mia_api_world, age_due);
mia_assert_placed(mia_api_world, age_due);
mia_assert_placed(mia_api_world, stderr_copy);

extern mia_api_world mia_api_all __attribute__((visibility("hidden")));
mia_assert_holds(mia_api_all, mia_aword);
mia_assert_holds(mia_api_all, mia_acell);

long mia_api_option(mia_option option);

/* Reads `MIALLOC_<NAME>=value' for every option from a list of strings that
 * ends in NULL, as environ is.  A bad value is reported on stderr, once, and
 * changes nothing. */
void mia_api_read_options(const char *const *environment);

#endif
