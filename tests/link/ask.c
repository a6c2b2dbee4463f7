/* SPDX-License-Identifier: MIT */
/* ask.c -- a program that only reads an option of mialloc.  Exit status 0 if
 * MIALLOC_MAX_WARNINGS has the value of its argument. */
#include <mialloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words) {
  long value = mia_option_get(MIA_OPTION_MAX_WARNINGS);
  if (count == 2 && value == strtol(words[1], NULL, 10)) return EXIT_SUCCESS;
  printf("max_warnings is %ld\n", value);
  return EXIT_FAILURE;
}
