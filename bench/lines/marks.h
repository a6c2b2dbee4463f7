/* marks.h -- what a program tells bench/lines/lines, which reads the addresses that it accesses:
 * a store to one of these addresses says which processor runs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LINES_MARKS_H
#define BENCH_LINES_MARKS_H

#include <stdint.h>

enum {
  MARKS_PROCESSORS = 64,
  MARKS_LINE = 64, /* bytes of a cache line, and between two marks */
  MARKS_KINDS = 3
};

/* From a mark of this kind on, accesses are by ... */
typedef enum marks_kind {
  MARKS_ALLOCATOR, /* malloc, free and the like */
  MARKS_PROGRAM,   /* the program, which writes to a new block */
  MARKS_NOBODY     /* others, which do not count */
} marks_kind;

/* The marks lie where nothing else is. */
#define MARKS_START ((uintptr_t)0x500000000000)
#define MARKS_SIZE ((uintptr_t)MARKS_KINDS * MARKS_PROCESSORS * MARKS_LINE)

static inline uintptr_t marks_address(marks_kind kind, unsigned processor) {
  return MARKS_START + ((uintptr_t)kind * MARKS_PROCESSORS + processor) * MARKS_LINE;
}

#endif
