/* SPDX-License-Identifier: MIT */
/* A program that uses no name of malloc or mialloc: only the C or C++ library requests memory
 * for it.  C and C++. */
#include <stdio.h>

#ifdef __cplusplus
#include <string>
#include <vector>

static bool own_language() {
  std::vector<std::string> texts;
  for (unsigned i = 0; i < 1000; i++) texts.push_back(std::string(100 + i, 'x'));
  return texts[999].size() == 1099;
}
#else
static int own_language(void) { return 1; }
#endif

int main(void) {
  char line[100];
  FILE *file = fopen("/dev/zero", "r");
  if (file == NULL || fgets(line, sizeof line, file) == NULL) return 1;
  return fclose(file) == 0 && own_language() ? 0 : 1;
}
