/* hook.h -- functions of the program that the library calls. */
#ifndef MIA_API_HOOK_H
#define MIA_API_HOOK_H

#include "api/world.h"
#include "base/prelude.h"
#include "local/local.h"

#include <mialloc.h>

/* Writes text where messages go: to `out' if that is not NULL, to the function
 * that the program registered, or to stderr. */
void mia_api_say(mia_output_function *out, void *arg, const char *text);

bool mia_api_has_output(void);

/* Tells the program of an error; false: it has not asked to be told. */
bool mia_api_tell(int error);

/* Lets the program free what it put off; false: it has not asked to be let, or
 * is at it in this thread. */
bool mia_api_let_free(mia_local *self, bool force);

/* In the child of a fork: a function that another thread was registering is not. */
void mia_api_renew_hooks(void);

/* Whether the program has asked for that: cheap. */
mia_inline bool mia_api_has_deferred(void) {
  return mia_aword_get(&mia_api_all.deferred.function) != 0;
}

#endif
