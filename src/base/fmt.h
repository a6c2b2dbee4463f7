/* SPDX-License-Identifier: MIT */
/* fmt.h -- formats text into a buffer, without stdio: printf may allocate. */
#ifndef MIA_BASE_FMT_H
#define MIA_BASE_FMT_H

#include "base/prelude.h"

/* Text in a buffer.  What does not fit into the buffer is cut off.
 * Invariant: start <= at < end, and *at == 0 after every function here. */
typedef struct mia_text {
  char *start;
  char *at;
  char *end;
} mia_text;

mia_text mia_base_text(char *buffer, size_t size);

/* These functions append to the text. */
void mia_base_put(mia_text *t, const char *s);
void mia_base_put_unsigned(mia_text *t, uintmax_t n);
void mia_base_put_hex(mia_text *t, uintmax_t n);

/* Appends n bytes in a unit that people can read: "640 B", "1.2 MiB". */
void mia_base_put_size(mia_text *t, uintmax_t n);

/* Appends `name' and then n bytes in such a unit: ", used 1.2 MiB". */
void mia_base_put_named_size(mia_text *t, const char *name, uintmax_t n);

/* Appends spaces until the text has at least `column' characters from `line' on. */
void mia_base_put_pad(mia_text *t, const char *line, size_t column);

#endif
