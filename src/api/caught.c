/* SPDX-License-Identifier: MIT */
/* caught.c -- try and catch, in C.
 *
 * The unwinder asks the personality routine of each frame whether an exception ends there.  C
 * cannot give a frame such a routine, but the assembler can.  Ours answers yes, and leaves the
 * unwinder by longjmp; by then all frames below have been cleaned up. */
#include "base/prelude.h"

#include "api/caught.h"
#include "api/force.h"

#if MIA_HAVE_PERSONALITY
#include <setjmp.h>

/* The unwinder and C++'s run-time library, with the names and numbers of the Itanium ABI.  They
 * are present if anything can be thrown. */
enum { CONTINUE_UNWIND = 8, HANDLER_FOUND = 6 };
enum { SEARCH_PHASE = 1, HANDLER_FRAME = 4, FORCED = 8 };
uintptr_t get_stack(void *context) __asm__("_Unwind_GetCFA") __attribute__((weak));
void *begin_catch(void *exception) __asm__("__cxa_begin_catch") __attribute__((weak));
void end_catch(void) __asm__("__cxa_end_catch") __attribute__((weak));

/* Lies on the stack above the frame that catches exceptions.  Its first two words identify it. */
typedef struct catcher {
  struct catcher *volatile self; /* itself; NULL once the call is over */
  uintptr_t personality;         /* address of the personality routine */
  void *(*function)(const void *);
  const void *arg;
  void *result;
  void *volatile exception;
  jmp_buf back;
} catcher;

/* Returns the first catcher above `stack'.  There is one, because the unwinder asks its frame. */
static catcher *find_catcher(uintptr_t stack, uintptr_t personality) {
  const uintptr_t *word = (const uintptr_t *)(stack & -sizeof *word);
  while (word[0] != (uintptr_t)word || word[1] != personality) word++;
  return (catcher *)word[0];
}

/* Not static, because the assembler and hence the linker refer to the name. */
int mia_api_personality(int version, int actions, uint64_t kind, void *exception, void *context);

/* A thread that is cancelled also unwinds its stack: that is not caught. */
__attribute__((used)) int mia_api_personality(int version, int actions, uint64_t kind,
                                              void *exception, void *context) {
  (void)version, (void)kind;
  if ((actions & FORCED) != 0 || begin_catch == NULL || end_catch == NULL) return CONTINUE_UNWIND;
  if ((actions & SEARCH_PHASE) != 0) return HANDLER_FOUND;
  if ((actions & HANDLER_FRAME) == 0) return CONTINUE_UNWIND;
  /* a program may hide its unwinder; the unwinder's frames lie below the catcher, too */
  uintptr_t stack = get_stack != NULL ? get_stack(context) : (uintptr_t)&context;
  catcher *c = find_catcher(stack, (uintptr_t)mia_api_personality);
  c->exception = exception;
  longjmp(c->back, 1);
}

/* The frame that has the personality routine.  It has nothing to clean up. */
mia_cold static void call_function(catcher *c) {
  __asm__ volatile(".cfi_personality 0x1b, " MIA_TEXT(mia_api_personality)); /* pc-relative */
  c->self = c;
  c->result = c->function(c->arg);
  c->self = NULL;
}

void *mia_api_call_catching(void *(*function)(const void *arg), const void *arg) {
  catcher c = {.personality = (uintptr_t)mia_api_personality, .function = function, .arg = arg};
  if (setjmp(c.back) == 0) {
    call_function(&c);
    return c.result;
  }
  c.self = NULL;
  (void)begin_catch(c.exception);
  end_catch();
  return NULL;
}
#else
void *mia_api_call_catching(void *(*function)(const void *arg), const void *arg) {
  return function(arg);
}
#endif
