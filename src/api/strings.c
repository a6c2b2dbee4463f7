/* SPDX-License-Identifier: MIT */
/* strings.c -- copies of strings, file names and environment variables. */
#include "base/prelude.h"

#include "api/entry.h"

#include <mialloc.h>
#include <mialloc/heap.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *copy_of(mia_heap *heap, const void *from, size_t size) {
  void *to = mia_api_heap_malloc(heap, size, false);
  return to != NULL ? memcpy(to, from, size) : NULL;
}

char *mia_heap_strdup(mia_heap *heap, const char *s) {
  return s != NULL ? copy_of(heap, s, strlen(s) + 1) : NULL;
}

char *mia_heap_strndup(mia_heap *heap, const char *s, size_t n) {
  if (s == NULL) return NULL;
  const char *end = memchr(s, 0, n);
  size_t length = end != NULL ? (size_t)(end - s) : n;
  if (length == SIZE_MAX) return mia_api_overflow();
  char *to = mia_api_heap_malloc(heap, length + 1, false);
  if (to == NULL) return NULL;
  memcpy(to, s, length);
  to[length] = 0;
  return to;
}

/* Passes a buffer to realpath: a block that realpath allocates is the C library's, and only the
 * C library's free could free it. */
char *mia_heap_realpath(mia_heap *heap, const char *name, char *resolved) {
  int before = errno; /* realpath may change it and succeed */
  if (resolved != NULL) {
    char *result = realpath(name, resolved);
    if (result != NULL) errno = before;
    return result;
  }
  char *room = mia_enter_malloc(PATH_MAX);
  if (room == NULL) return NULL;
  char *copy = realpath(name, room) != NULL ? mia_heap_strdup(heap, room) : NULL;
  int error = copy != NULL ? before : errno;
  mia_enter_free(room);
  errno = error;
  return copy;
}

char *mia_strdup(const char *s) { return mia_heap_strdup(mia_alloc_heap_default(), s); }

char *mia_strndup(const char *s, size_t n) {
  return mia_heap_strndup(mia_alloc_heap_default(), s, n);
}

char *mia_realpath(const char *name, char *resolved) {
  return mia_heap_realpath(mia_alloc_heap_default(), name, resolved);
}

wchar_t *mia_wcsdup(const wchar_t *s) {
  if (s == NULL) return NULL;
  size_t length = 0;
  while (s[length] != 0) length++;
  return copy_of(mia_alloc_heap_default(), s, (length + 1) * sizeof *s);
}

unsigned char *mia_mbsdup(const unsigned char *s) {
  return (unsigned char *)mia_strdup((const char *)s);
}

/* ---- the environment ---- */

int mia_dupenv_s(char **copy, size_t *size, const char *name) {
  if (size != NULL) *size = 0;
  if (copy == NULL) return EINVAL;
  *copy = NULL;
  if (name == NULL) return EINVAL;
  const char *value = getenv(name);
  if (value == NULL) return 0;
  *copy = mia_strdup(value);
  if (*copy == NULL) return ENOMEM;
  if (size != NULL) *size = strlen(value) + 1;
  return 0;
}

/* Returns a new block with `s' in the encoding of the current locale; NULL with errno set on
 * failure. */
static char *narrow(const wchar_t *s) {
  size_t length = wcstombs(NULL, s, 0);
  if (length == (size_t)-1) {
    errno = EILSEQ;
    return NULL;
  }
  char *to = mia_enter_malloc(length + 1);
  if (to != NULL) (void)wcstombs(to, s, length + 1);
  return to;
}

static int widen(const char *s, wchar_t **to, size_t *size) {
  size_t length = mbstowcs(NULL, s, 0);
  if (length == (size_t)-1) return EILSEQ;
  *to = mia_mallocn(length + 1, sizeof **to);
  if (*to == NULL) return ENOMEM;
  (void)mbstowcs(*to, s, length + 1);
  if (size != NULL) *size = length + 1;
  return 0;
}

int mia_wdupenv_s(wchar_t **copy, size_t *size, const wchar_t *name) {
  if (size != NULL) *size = 0;
  if (copy == NULL) return EINVAL;
  *copy = NULL;
  if (name == NULL) return EINVAL;
  char *narrowed = narrow(name);
  if (narrowed == NULL) return errno;
  const char *value = getenv(narrowed);
  int error = value != NULL ? widen(value, copy, size) : 0;
  mia_enter_free(narrowed);
  return error;
}
