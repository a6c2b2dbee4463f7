/* SPDX-License-Identifier: MIT */
/* near.c -- loads a library that can be found only by the object that calls dlopen: through
 * its RUNPATH and its location. */
#include "near.h"

#include <dlfcn.h>
#include <stddef.h>

const char *near_load(void) {
  static const char *const names[] = {"libinner.so", "$ORIGIN/inner/libinner.so"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    void *library = dlopen(names[i], RTLD_NOW);
    if (library == NULL) return names[i];
    if (dlclose(library) != 0) return "dlclose";
  }
  return NULL;
}
