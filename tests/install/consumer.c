/* A program that knows mialloc only by its header and its .pc file. */
#include <mialloc.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  char *p = mia_malloc(100);
  if (p == NULL || mia_usable_size(p) < 100) return 1;
  strcpy(p, mia_version_string());
  if (mia_version() != MIA_VERSION) return 2;
  puts(p);
  mia_free(p);
  return 0;
}
