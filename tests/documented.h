/* documented.h -- compares a document with the text that a test program makes of its table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_DOCUMENTED_H
#define MIA_TEST_DOCUMENTED_H

#include <stdbool.h>
#include <stdio.h>

/* Returns true if the file `name' below the folder `root' is what `put' writes; or, unless
 * `whole', if it ends with that. */
static inline bool is_documented(const char *root, const char *name, void (*put)(FILE *out),
                                 bool whole) {
  char path[4096];
  (void)snprintf(path, sizeof path, "%s/%s", root, name);
  FILE *document = fopen(path, "r"), *made = tmpfile();
  bool same = document != NULL && made != NULL;
  if (same) {
    put(made);
    same = whole || fseek(document, -ftell(made), SEEK_END) == 0;
    rewind(made);
    int c;
    do {
      c = getc(document);
      same = same && c == getc(made);
    } while (same && c != EOF);
  }
  if (document != NULL) (void)fclose(document);
  if (made != NULL) (void)fclose(made);
  return same;
}

#endif
