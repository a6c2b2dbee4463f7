/* system.h -- the kernel's calls for memory, counted, and refused when a test
 * wants so.
 *
 * A program that has this is linked with -Wl,--wrap=mmap and so on: what the
 * library calls goes through system.c, and from there to the libc.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_SYSTEM_H
#define MIA_TEST_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

/* What can be refused.  Each is a bit of a set. */
typedef enum system_call {
  SYSTEM_MMAP = 1,
  SYSTEM_MUNMAP = 2,
  SYSTEM_MPROTECT = 4,
  SYSTEM_MADVISE = 8,
  SYSTEM_MREMAP = 16,
  SYSTEM_ANY = 31
} system_call;

enum { SYSTEM_KINDS = 5 };

#define SYSTEM_EVER ((size_t)-1)

typedef struct system_state {
  /* To be set by a test. */
  size_t live_max; /* larger mappings that can be written to are refused; 0: none are */
  size_t any_max;  /* larger mappings of any kind are refused; 0: none are */
  int error;       /* errno of a refusal; 0: ENOMEM */
  int advice_max;  /* madvise does not know what is beyond, as in older kernels; 0: it does */
  /* To be read. */
  size_t mapped; /* bytes that were mapped and not unmapped */
  size_t lost;   /* of these: bytes that were to be unmapped, and still are not */
} system_state;

extern system_state mia_system;

/* Refuses the calls of a set from the n-th on (1: the next), `count' of them. */
void system_refuse(unsigned calls, size_t nth, size_t count);
void system_allow(void);

/* Calls of a kind, and refused ones of any, since the last system_refuse. */
size_t system_calls(unsigned call);
size_t system_refused(void);

#endif
