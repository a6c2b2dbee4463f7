/* SPDX-License-Identifier: MIT */
/* fmt.c -- formats text into a buffer, without stdio. */
#include "base/prelude.h"

#include "base/fmt.h"

mia_text mia_base_text(char *buffer, size_t size) {
  mia_text t = {.start = buffer, .at = buffer, .end = buffer + size};
  *buffer = 0;
  return t;
}

static void put_char(mia_text *t, char c) {
  if (t->at + 1 < t->end) *t->at++ = c;
  *t->at = 0;
}

void mia_base_put(mia_text *t, const char *s) {
  while (*s != 0) put_char(t, *s++);
}

static void put_number(mia_text *t, uintmax_t n, unsigned radix) {
  char digits[sizeof n * CHAR_BIT];
  size_t count = 0;
  do {
    digits[count++] = "0123456789abcdef"[n % radix];
    n /= radix;
  } while (n != 0);
  while (count > 0) put_char(t, digits[--count]);
}

void mia_base_put_unsigned(mia_text *t, uintmax_t n) { put_number(t, n, 10); }

void mia_base_put_hex(mia_text *t, uintmax_t n) {
  mia_base_put(t, "0x");
  put_number(t, n, 16);
}

void mia_base_put_size(mia_text *t, uintmax_t n) {
  static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
  size_t unit = 0;
  uintmax_t tenths = 0;
  while (n >= 1024) {
    tenths = n % 1024 * 10 / 1024;
    n /= 1024;
    unit++;
  }
  mia_base_put_unsigned(t, n);
  if (unit > 0) {
    put_char(t, '.');
    mia_base_put_unsigned(t, tenths);
  }
  mia_base_put(t, units[unit]);
}

void mia_base_put_named_size(mia_text *t, const char *name, uintmax_t n) {
  mia_base_put(t, name);
  mia_base_put_size(t, n);
}

void mia_base_put_pad(mia_text *t, const char *line, size_t column) {
  while ((size_t)(t->at - line) < column && t->at + 1 < t->end) put_char(t, ' ');
}
