/* lines.c -- counts the cache lines that move between processors, in a trace of memory accesses
 * as valgrind's tool lackey writes it: lines SKIPPED <TRACE
 *
 * Each processor has a cache of unlimited size.  A line is held by one processor that has written
 * it, or by several that have read it since (the MESI protocol, without the difference between
 * an exclusive and a modified line).  A line moves when a processor accesses one that another has
 * written since its own last access, or writes one that others hold.  What a processor is the
 * first to touch does not move.
 *
 * Prints for a thousand calls of malloc and its kin, without the first SKIPPED ones:
 * "moves ALLOCATOR PROGRAM", what moved within the calls, and when the program wrote to new blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "marks.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 256, TABLE_FIRST = 1 << 16, PER = 1000 };

typedef struct line {
  uint64_t number;  /* address / MARKS_LINE; 0: unused */
  uint64_t holders; /* a bit for each processor */
  bool written;     /* by any processor so far */
} line;

/* A hash table with linear probing. */
static line *table;
static size_t table_size, table_count;

static line *place_of(uint64_t number) {
  size_t i = (size_t)(number * 0x9e3779b97f4a7c15u >> 20) & (table_size - 1);
  while (table[i].number != 0 && table[i].number != number) i = (i + 1) & (table_size - 1);
  return &table[i];
}

static void make_table(size_t size) {
  table = calloc(size, sizeof *table);
  table_size = size;
  if (table == NULL) exit(EXIT_FAILURE);
}

static void double_table(void) {
  line *old = table;
  size_t old_size = table_size;
  make_table(old_size * 2);
  for (size_t i = 0; i < old_size; i++)
    if (old[i].number != 0) *place_of(old[i].number) = old[i];
  free(old);
}

static line *find_line(uint64_t number) {
  line *l = place_of(number);
  if (l->number != 0) return l;
  if (++table_count * 2 > table_size) {
    double_table();
    l = place_of(number);
  }
  l->number = number;
  return l;
}

/* Returns true if the line moves. */
static bool access_line(uint64_t number, unsigned processor, bool writes) {
  line *l = find_line(number);
  uint64_t self = (uint64_t)1 << processor, others = l->holders & ~self;
  bool holds = (l->holders & self) != 0;
  bool moves = others != 0 && (writes || (!holds && l->written));
  l->holders = writes ? self : l->holders | self;
  l->written |= writes;
  return moves;
}

int main(int argc, char **argv) {
  uint64_t skipped = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, calls = 0;
  uint64_t moves[MARKS_KINDS] = {0};
  marks_kind kind = MARKS_NOBODY;
  unsigned processor = 0;
  char text[TEXT];
  make_table(TABLE_FIRST);
  while (fgets(text, sizeof text, stdin) != NULL) {
    /* " L 1ffe,8", " S 1ffe,8" or " M 1ffe,8": loads, stores, both */
    if (text[0] != ' ' || strchr("LSM", text[1]) == NULL) continue;
    char *end;
    uint64_t address = strtoull(text + 2, &end, 16), size = strtoull(end + 1, NULL, 10);
    if (address - MARKS_START < MARKS_SIZE) {
      uint64_t mark = (address - MARKS_START) / MARKS_LINE;
      kind = (marks_kind)(mark / MARKS_PROCESSORS);
      processor = (unsigned)(mark % MARKS_PROCESSORS);
      if (kind == MARKS_ALLOCATOR) calls++;
      continue;
    }
    if (kind == MARKS_NOBODY) continue;
    for (uint64_t n = address / MARKS_LINE; n <= (address + size - 1) / MARKS_LINE; n++)
      if (access_line(n, processor, text[1] != 'L') && calls > skipped) moves[kind]++;
  }
  if (calls <= skipped) {
    fputs("lines: too few calls\n", stderr);
    return EXIT_FAILURE;
  }
  double counted = (double)(calls - skipped) / PER;
  printf("moves %.1f %.1f\n", (double)moves[MARKS_ALLOCATOR] / counted,
         (double)moves[MARKS_PROGRAM] / counted);
  return EXIT_SUCCESS;
}
