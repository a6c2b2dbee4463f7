/* hook.h -- functions of the program that the library calls. */
#ifndef MIA_API_HOOK_H
#define MIA_API_HOOK_H

#include "api/world.h"
#include "base/fmt.h"
#include "base/prelude.h"
#include "theap/theap.h"

#include <mialloc.h>

/* Writes text where messages go: to `out' if that is not NULL, to the function
 * that the program registered, or to stderr. */
void mia_api_write_message(mia_output_function *out, void *arg, const char *text);

/* Text that is written in whole lines, as many at once as there is room for: so a small
 * stack suffices, and what two threads write does not mix within a line. */
enum { MIA_LINE_MAX = 512, MIA_LINES_SIZE = 2 * MIA_LINE_MAX };
typedef struct mia_lines {
  mia_output_function *out;
  void *arg;
  mia_text text;
  char buffer[MIA_LINES_SIZE];
} mia_lines;

void mia_api_begin_lines(mia_lines *lines, mia_output_function *out, void *arg);
/* A line is whole, which was of MIA_LINE_MAX at most. */
void mia_api_end_line(mia_lines *lines);
/* There are no more. */
void mia_api_end_lines(mia_lines *lines);

bool mia_api_has_output(void);

/* Tells the program of an error; false: it has not asked to be told. */
bool mia_api_report(int error);

/* Lets the program free what it put off; false: it has not asked to be let, or
 * is at it in this thread. */
bool mia_api_run_deferred(mia_theap *self, bool force);

/* In the child of a fork: a function that another thread was registering is not. */
void mia_api_renew_hooks(void);

/* Whether the program has asked for that: cheap. */
mia_inline bool mia_api_has_deferred(void) {
  return mia_aword_get(&mia_api_all.deferred.function) != 0;
}

#endif
