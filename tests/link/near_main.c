/* SPDX-License-Identifier: MIT */
/* near_main.c -- dlopen must find what its caller can find, and nothing else. */
#include "near.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  const char *missing = near_load();
  if (missing != NULL) {
    printf("near: %s: %s\n", missing, dlerror());
    return EXIT_FAILURE;
  }
  if (dlopen("/nowhere/libnone.so", RTLD_NOW) != NULL || dlerror() == NULL || dlerror() != NULL) {
    printf("near: what is nowhere is found, or no error is told\n");
    return EXIT_FAILURE;
  }
  if (dlopen(NULL, RTLD_NOW) == NULL) {
    printf("near: the program itself is not found\n");
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
