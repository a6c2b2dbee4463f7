/* strings.c -- strings that are joined, cut and kept in a growing table: what an interpreter
 * does for a script that handles text.
 *
 *   strings THOUSANDS
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

enum { LIVE = 1 << 15, PIECE_MOST = 40, WORDS_IN_LINE = 8 };

static char *piece(uint64_t *random) {
  size_t length = 1 + (size_t)(load_random(random) >> 20) % PIECE_MOST;
  char *s = load_take(length + 1);
  memset(s, 'a', length);
  s[length] = 0;
  return s;
}

static char *join(char *left, char *right) {
  size_t a = strlen(left), b = strlen(right);
  char *s = load_take(a + b + 1);
  memcpy(s, left, a);
  memcpy(s + a, right, b + 1);
  free(left);
  free(right);
  return s;
}

int main(int argc, char **argv) {
  size_t lines = load_argument(argc, argv, 1, 700) * 1000;
  char **table = NULL;
  size_t room = 0;
  uint64_t random = load_seed(0);
  for (size_t n = 0; n < lines; n++) {
    if (n < LIVE && n >= room) {
      room = room * 3 / 2 + 16;
      table = load_checked(realloc(table, room * sizeof *table));
    }
    char *line = piece(&random);
    for (int i = 1; i < WORDS_IN_LINE; i++) line = join(line, piece(&random));
    size_t slot = n < LIVE ? n : (size_t)(load_random(&random) >> 20) % LIVE;
    if (n >= LIVE) free(table[slot]);
    table[slot] = line;
  }
  for (size_t i = 0; i < LIVE && i < lines; i++) free(table[i]);
  free(table);
  return EXIT_SUCCESS;
}
