/* SPDX-License-Identifier: MIT */
/* shows.c -- prints whose malloc it has, and the arguments that it received. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **arguments) {
#ifdef STATIC
  (void)dlsym;
  puts("static");
#else
  char *volatile p = malloc(100);
  int (*contains)(const void *) = NULL;
  void *address = dlsym(RTLD_DEFAULT, "mia_any_heap_contains");
  memcpy(&contains, &address, sizeof address);
  printf("malloc: %s\n", contains != NULL && (contains(p) & 1) ? "mialloc" : "libc");
  free(p);
#endif
  for (int i = 1; i < count; i++) printf("[%s]", arguments[i]);
  if (count > 1) puts("");
  return count > 1 && strcmp(arguments[1], "fail") == 0 ? 42 : 0;
}
