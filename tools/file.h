/* file.h -- what a file says about the program in it: its first bytes, and its symbols.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TOOLS_FILE_H
#define MIA_TOOLS_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum file_kind {
  FILE_UNKNOWN, /* also a file that cannot be read */
  FILE_TEXT,    /* no byte is zero: the shell may run it */
  FILE_SCRIPT,  /* begins with #! */
  FILE_STATIC,  /* an ELF program without an interpreter */
  FILE_DYNAMIC  /* an ELF program with one; also a shared library that has none of its own */
} file_kind;

typedef struct file_facts {
  file_kind kind;
  unsigned char width;        /* EI_CLASS of an ELF file: the size of its words */
  unsigned char order;        /* EI_DATA of an ELF file: its byte order */
  unsigned machine;           /* e_machine of an ELF file */
  char interpreter[PATH_MAX]; /* of an ELF file; of a script the rest of its first line */
} file_facts;

/* In which table of an ELF file symbols are looked for. */
typedef enum symbol_table {
  SYMBOLS_EXPORTED, /* that other files may use; of a static program, all */
  SYMBOLS_IMPORTED, /* that must come from other files */
  SYMBOLS_DEFINED   /* that the file contains under any visibility, unless it was stripped */
} symbol_table;

/* Describes the file.  Whatever it contains, no byte beyond it is read. */
void file_inspect(const char *path, file_facts *facts);

/* Returns a word with bit k set if the table has names[k]; count is at most 32. */
unsigned file_symbols(const char *path, symbol_table table, const char *const *names,
                      unsigned count);

/* Returns true if the file still has the names of what it contains. */
bool file_has_symbols(const char *path);

#endif
