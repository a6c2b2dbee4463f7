/* SPDX-License-Identifier: MIT */
/* find.h -- looks up a function in a library that was opened. */
#ifndef TESTS_LINK_FIND_H
#define TESTS_LINK_FIND_H

#include <dlfcn.h>
#include <string.h>

/* Stores the address of the function `name' in the function pointer at `function'.  dlsym
 * returns a pointer to an object, which ISO C cannot convert to a pointer to a function. */
static inline int find(void *library, const char *name, void *function) {
  void *address = dlsym(library, name);
  memcpy(function, &address, sizeof address);
  return address != NULL;
}

#endif
