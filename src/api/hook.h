/* SPDX-License-Identifier: MIT */
/* hook.h -- functions of the program that the library calls. */
#ifndef MIA_API_HOOK_H
#define MIA_API_HOOK_H

#include "api/world.h"
#include "base/fmt.h"
#include "base/prelude.h"
#include "theap/theap.h"

#include <mialloc.h>

/* Writes text to `out'; if that is NULL, where messages go: to the function that the program
 * registered, or to stderr. */
void mia_api_write_message(mia_output_function *out, void *arg, const char *text);

/* A buffer for text that is written in whole lines, as many at once as fit.  So a small stack
 * suffices, and the texts of two threads do not mix within a line. */
enum { MIA_LINE_MAX = 512, MIA_LINES_SIZE = 2 * MIA_LINE_MAX };
typedef struct mia_lines {
  mia_output_function *out;
  void *arg;
  mia_text text;
  char buffer[MIA_LINES_SIZE];
} mia_lines;

void mia_api_begin_lines(mia_lines *lines, mia_output_function *out, void *arg);
/* Ends a line of at most MIA_LINE_MAX characters.  Writes the buffer if another such line may
 * not fit. */
void mia_api_end_line(mia_lines *lines);
/* Writes the rest. */
void mia_api_end_lines(mia_lines *lines);

bool mia_api_has_output(void);

/* Reports an error to the program.  Returns false if the program registered no function for
 * that. */
bool mia_api_report(int error);

/* Lets the program free deferred blocks.  Returns false if the program registered no function
 * for that, if that function is running in this thread, or if the thread has no theap. */
bool mia_api_run_deferred(mia_theap *self, bool force);

/* Called in the child of a fork: removes a function that another thread was registering. */
void mia_api_reset_hooks(void);

/* Returns true if the program registered a function that frees deferred blocks.  Cheap. */
mia_inline bool mia_api_has_deferred(void) {
  return mia_aword_get(&mia_api_all.deferred.function) != 0;
}

#endif
