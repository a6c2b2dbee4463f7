/* caught.c -- try and catch, in C.
 *
 * The unwinder asks a frame's personality whether an exception ends there.  C has no
 * words to give a frame one, but the assembler has.  Ours says yes, and leaves the
 * unwinder by longjmp: all frames below have been cleaned up by then. */
#include "base/prelude.h"

#include "api/caught.h"
#include "api/force.h"

#if MIA_HAVE_PERSONALITY
#include <setjmp.h>

/* The unwinder and C++'s run-time library, by the names and numbers of the Itanium
 * ABI: they are there if anything can be thrown. */
enum { CONTINUE_UNWIND = 8, HANDLER_FOUND = 6 };
enum { SEARCH_PHASE = 1, HANDLER_FRAME = 4, FORCED = 8 };
uintptr_t get_stack(void *context) __asm__("_Unwind_GetCFA") __attribute__((weak));
void *begin_catch(void *exception) __asm__("__cxa_begin_catch") __attribute__((weak));
void end_catch(void) __asm__("__cxa_end_catch") __attribute__((weak));

/* Lies above the frame that sees exceptions, and is found by its first two words. */
typedef struct attempt {
  struct attempt *volatile self; /* NULL again where it is over */
  uintptr_t mark;                /* the address of the personality */
  void *(*function)(const void *);
  const void *arg;
  void *result;
  void *volatile exception;
  jmp_buf back;
} attempt;

/* The first above `stack': there is one, as its frame is asked. */
static attempt *find(uintptr_t stack, uintptr_t mark) {
  const uintptr_t *word = (const uintptr_t *)(stack & -sizeof *word);
  while (word[0] != (uintptr_t)word || word[1] != mark) word++;
  return (attempt *)word[0];
}

/* Seen by the assembler, and so by the linker. */
int mia_api_personality(int version, int actions, uint64_t kind, void *exception, void *context);

/* A thread that is cancelled unwinds too: it is let pass. */
__attribute__((used)) int mia_api_personality(int version, int actions, uint64_t kind,
                                              void *exception, void *context) {
  (void)version, (void)kind;
  if ((actions & FORCED) != 0 || begin_catch == NULL || end_catch == NULL) return CONTINUE_UNWIND;
  if ((actions & SEARCH_PHASE) != 0) return HANDLER_FOUND;
  if ((actions & HANDLER_FRAME) == 0) return CONTINUE_UNWIND;
  /* a program may keep its unwinder to itself: the frames of that are below, too */
  uintptr_t stack = get_stack != NULL ? get_stack(context) : (uintptr_t)&context;
  attempt *a = find(stack, (uintptr_t)mia_api_personality);
  a->exception = exception;
  longjmp(a->back, 1);
}

/* The frame itself: it has nothing to clean up. */
mia_cold static void call(attempt *a) {
  __asm__ volatile(".cfi_personality 0x1b, " MIA_TEXT(mia_api_personality)); /* by its distance */
  a->self = a;
  a->result = a->function(a->arg);
  a->self = NULL;
}

void *mia_api_caught(void *(*function)(const void *arg), const void *arg) {
  attempt a = {.mark = (uintptr_t)mia_api_personality, .function = function, .arg = arg};
  if (setjmp(a.back) == 0) {
    call(&a);
    return a.result;
  }
  a.self = NULL;
  (void)begin_catch(a.exception);
  end_catch();
  return NULL;
}
#else
void *mia_api_caught(void *(*function)(const void *arg), const void *arg) { return function(arg); }
#endif
