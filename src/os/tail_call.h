/* SPDX-License-Identifier: MIT */
/* tail_call.h -- calls that are jumps.  Includes nothing, so that configure can try it. */
#ifndef MIA_OS_TAIL_CALL_H
#define MIA_OS_TAIL_CALL_H

/* MIA_OS_TAIL_CALLS marks a function that ends in a jump to another function, which
 * then sees the caller of the first one as its own.  MIA_OS_TAIL stands before that
 * call instead of `return'.  If MIA_OS_TAIL_PROMISED is defined, the compiler makes the
 * call a jump or reports an error. */
#if defined(__has_attribute)
#if __has_attribute(musttail)
#define MIA_OS_TAIL_PROMISED
#define MIA_OS_TAIL __attribute__((musttail)) return
#define MIA_OS_TAIL_CALLS
#endif
#endif
#ifndef MIA_OS_TAIL_PROMISED
#define MIA_OS_TAIL return
#ifdef __clang__
#define MIA_OS_TAIL_CALLS
#else
/* Whatever the other code is compiled with, instrumentation must not add code behind the
 * call. */
#define MIA_OS_TAIL_CALLS \
  __attribute__((optimize(2), no_profile_instrument_function, no_sanitize_thread))
#endif
#endif

#endif
