/* tail.h -- handing a call over.  Needs nothing, so that configure can try it. */
#ifndef MIA_OS_TAIL_CALL_H
#define MIA_OS_TAIL_CALL_H

/* MIA_OS_HANDS_OVER is said of a function that ends by a jump to another, which then
 * sees whoever called the first; MIA_OS_TAIL, instead of `return', of the call.  With
 * MIA_OS_TAIL_PROMISED the compiler does so or refuses. */
#if defined(__has_attribute)
#if __has_attribute(musttail)
#define MIA_OS_TAIL_PROMISED
#define MIA_OS_TAIL __attribute__((musttail)) return
#define MIA_OS_HANDS_OVER
#endif
#endif
#ifndef MIA_OS_TAIL_PROMISED
#define MIA_OS_TAIL return
#ifdef __clang__
#define MIA_OS_HANDS_OVER
#else
/* Whatever the rest is compiled with: nothing is to be counted or noted behind the call. */
#define MIA_OS_HANDS_OVER \
  __attribute__((optimize(2), no_profile_instrument_function, no_sanitize_thread))
#endif
#endif

#endif
