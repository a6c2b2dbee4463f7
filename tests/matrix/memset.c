/* SPDX-License-Identifier: MIT */
/* memset.c -- memset without `dc zva', for programs whose memory has tags: that instruction faults in
 * qemu 7.2 at an address with a tag. */
#include <stddef.h>

void *memset(void *p, int byte, size_t size);

void *memset(void *p, int byte, size_t size) {
  volatile unsigned char *at = p;
  for (size_t i = 0; i < size; i++) at[i] = (unsigned char)byte;
  return p;
}
