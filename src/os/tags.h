/* SPDX-License-Identifier: MIT */
/* tags.h -- memory tags: each MIA_OS_TAG_GRANULE bytes of memory that may have tags have one, of 4
 * bits.  An address has a tag too, in its upper bits.  An access by an address whose tag is not that
 * of the memory ends the process by SIGSEGV.  Memory is made with the tag 0, and memory that cannot
 * have tags reads as if it had the tag 0.
 *
 * Where MIA_MEMORY_TAGS is 0 the functions do nothing, and return the address that they are given. */
#ifndef MIA_OS_TAGS_H
#define MIA_OS_TAGS_H

#include "base/prelude.h"

enum { MIA_OS_TAG_GRANULE = 16, MIA_OS_TAG_SHIFT = 56, MIA_OS_TAG_BITS = 4 };

mia_static_assert(!MIA_MEMORY_TAGS || MIA_ADDRESS_TAGGED, "an address without its tag can be had");

/* Makes the calling thread, and those that it will start, check tags.  Returns false if the CPU or the
 * kernel has none. */
bool mia_os_begin_tags(void);

/* Lets LIVE memory of ours have tags: a multiple of OS pages.  Returns false if it cannot. */
bool mia_os_allow_tags(void *start, size_t size);

#if MIA_MEMORY_TAGS

/* The instructions by their numbers, as few assemblers know them without options.  So the registers are
 * given too. */

/* ldg x0, [x0]: returns the address with the tag of the memory there. */
mia_inline void *mia_os_tag_load(const void *p) {
  register void *at __asm__("x0") = (void *)(uintptr_t)p;
  __asm__ volatile(".inst 0xd9600000" : "+r"(at) : : "memory");
  return at;
}

/* irg x0, x1, x2: returns the address with a random tag, none of those whose bits are set in
 * `excluded'. */
mia_inline void *mia_os_tag_draw(const void *p, uintptr_t excluded) {
  register void *drawn __asm__("x0");
  register const void *from __asm__("x1") = p;
  register uintptr_t without __asm__("x2") = excluded;
  __asm__ volatile(".inst 0x9ac21020" : "=r"(drawn) : "r"(from), "r"(without));
  return drawn;
}

/* stg x0, [x0]: gives memory, `size' bytes in whole granules, the tag of the address. */
mia_inline void mia_os_tag_store(void *p, size_t size) {
  register char *at __asm__("x0") = p;
  for (const char *end = at + size; at < end; at += MIA_OS_TAG_GRANULE)
    __asm__ volatile(".inst 0xd9200800" : : "r"(at) : "memory");
}

/* msr tco, #1 and #0: between the two, the calling thread's accesses are not checked. */
mia_inline void mia_os_tags_pause(void) { __asm__ volatile(".inst 0xd503419f" : : : "memory"); }
mia_inline void mia_os_tags_resume(void) { __asm__ volatile(".inst 0xd503409f" : : : "memory"); }

#else

mia_inline void *mia_os_tag_load(const void *p) { return (void *)(uintptr_t)p; }
mia_inline void *mia_os_tag_draw(const void *p, uintptr_t excluded) {
  (void)excluded;
  return (void *)(uintptr_t)p;
}
mia_inline void mia_os_tag_store(void *p, size_t size) { (void)p, (void)size; }
mia_inline void mia_os_tags_pause(void) {}
mia_inline void mia_os_tags_resume(void) {}

#endif

#endif
