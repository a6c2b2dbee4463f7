/* SPDX-License-Identifier: MIT */
/* A program written for mimalloc; takes the same argument as consumer.c. */
#include <mimalloc.h>

#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
  char *p = (char *)mi_malloc(100);
  if (p == NULL || mi_usable_size(p) < 100) return 1;
  if (mi_is_redirected() != (count == 2 && strcmp(arguments[1], "yes") == 0)) return 2;
  strcpy(p, mia_version_string());
  puts(p);
  mi_free(p);
  return 0;
}
