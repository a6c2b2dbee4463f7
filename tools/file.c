/* file.c -- reads ELF files of either width and byte order; see file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

/* The bytes of a file.  size is 0 if there are none to be read. */
typedef struct view {
  const unsigned char *bytes;
  size_t size;
  bool wide;   /* ELFCLASS64 */
  bool little; /* ELFDATA2LSB */
} view;

/* Offsets and sizes of fields that depend on the width. */
#define FIELD(type, field)                                                 \
  v->wide ? offsetof(Elf64_##type, field) : offsetof(Elf32_##type, field), \
      v->wide ? sizeof(((Elf64_##type *)NULL)->field) : sizeof(((Elf32_##type *)NULL)->field)
#define RECORD(type) (v->wide ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

static view open_view(const char *path) {
  view v = {NULL, 0, false, false};
  struct stat about;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return v;
  if (fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0 &&
      (uintmax_t)about.st_size <= SIZE_MAX) {
    void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes != MAP_FAILED) {
      v.bytes = bytes;
      v.size = (size_t)about.st_size;
    }
  }
  close(file);
  return v;
}

static void close_view(const view *v) {
  if (v->size > 0) munmap((void *)(uintptr_t)v->bytes, v->size);
}

/* Returns an unsigned number of the file; 0 if it lies beyond the file. */
static uint64_t number(const view *v, uint64_t at, size_t field, size_t size) {
  uint64_t sum = 0;
  if (at > v->size || v->size - at < field + size) return 0;
  for (size_t k = 0; k < size; k++)
    sum = sum << 8 | v->bytes[at + field + (v->little ? size - 1 - k : k)];
  return sum;
}

static bool is_elf(view *v) {
  if (v->size < sizeof(Elf32_Ehdr) || memcmp(v->bytes, ELFMAG, SELFMAG) != 0) return false;
  v->wide = v->bytes[EI_CLASS] == ELFCLASS64;
  v->little = v->bytes[EI_DATA] == ELFDATA2LSB;
  return true;
}

/* Copies text that ends at a zero byte, a newline, or the end of the file. */
static void copy_text(const view *v, uint64_t at, char *to) {
  size_t length = 0;
  while (at + length < v->size && length + 1 < PATH_MAX && v->bytes[at + length] != '\0' &&
         v->bytes[at + length] != '\n') {
    to[length] = (char)v->bytes[at + length];
    length++;
  }
  to[length] = '\0';
}

static void inspect_elf(const view *v, file_facts *facts) {
  uint64_t table = number(v, 0, FIELD(Ehdr, e_phoff));
  uint64_t count = number(v, 0, FIELD(Ehdr, e_phnum));
  uint64_t size = number(v, 0, FIELD(Ehdr, e_phentsize));
  facts->width = v->bytes[EI_CLASS];
  facts->order = v->bytes[EI_DATA];
  facts->machine = (unsigned)number(v, 0, FIELD(Ehdr, e_machine));
  facts->kind = FILE_STATIC;
  for (uint64_t k = 0; k < count; k++) {
    uint64_t at = table + size * k;
    if (number(v, at, FIELD(Phdr, p_type)) != PT_INTERP) continue;
    facts->kind = FILE_DYNAMIC;
    copy_text(v, number(v, at, FIELD(Phdr, p_offset)), facts->interpreter);
  }
}

void file_inspect(const char *path, file_facts *facts) {
  view v = open_view(path);
  memset(facts, 0, sizeof *facts);
  if (is_elf(&v)) {
    inspect_elf(&v, facts);
  } else if (v.size > 2 && v.bytes[0] == '#' && v.bytes[1] == '!') {
    facts->kind = FILE_SCRIPT;
    copy_text(&v, 2, facts->interpreter);
  } else if (v.size > 0 && memchr(v.bytes, '\0', v.size < PATH_MAX ? v.size : PATH_MAX) == NULL) {
    facts->kind = FILE_TEXT;
  }
  close_view(&v);
}

/* Returns a mask of the names that one symbol, at `at', has. */
static unsigned match(const view *v, uint64_t at, uint64_t strings, bool defined,
                      const char *const *names, unsigned count) {
  uint64_t text = strings + number(v, at, FIELD(Sym, st_name));
  if ((number(v, at, FIELD(Sym, st_shndx)) != SHN_UNDEF) != defined || text >= v->size) return 0;
  const char *name = (const char *)v->bytes + text;
  for (unsigned k = 0; k < count; k++) {
    size_t length = strlen(names[k]) + 1;
    if (length <= v->size - text && memcmp(name, names[k], length) == 0) return 1U << k;
  }
  return 0;
}

static unsigned find_in(const view *v, uint64_t section, uint64_t sections, symbol_table table,
                        const char *const *names, unsigned count) {
  uint64_t link = number(v, section, FIELD(Shdr, sh_link));
  uint64_t at = number(v, section, FIELD(Shdr, sh_offset));
  uint64_t size = number(v, section, FIELD(Shdr, sh_size));
  uint64_t strings = number(v, sections + link * RECORD(Shdr), FIELD(Shdr, sh_offset));
  unsigned found = 0;
  if (at > v->size || size > v->size - at) return 0;
  for (uint64_t end = at + size; at + RECORD(Sym) <= end; at += RECORD(Sym))
    found |= match(v, at, strings, table != SYMBOLS_IMPORTED, names, count);
  return found;
}

/* Visits the sections of a type; returns their number. */
static unsigned search(const view *v, uint64_t type, symbol_table table, const char *const *names,
                       unsigned count, unsigned *found) {
  uint64_t sections = number(v, 0, FIELD(Ehdr, e_shoff));
  uint64_t last = number(v, 0, FIELD(Ehdr, e_shnum));
  unsigned seen = 0;
  for (uint64_t k = 0; k < last; k++) {
    uint64_t section = sections + k * RECORD(Shdr);
    if (number(v, section, FIELD(Shdr, sh_type)) != type) continue;
    *found |= find_in(v, section, sections, table, names, count);
    seen++;
  }
  return seen;
}

unsigned file_symbols(const char *path, symbol_table table, const char *const *names,
                      unsigned count) {
  view v = open_view(path);
  unsigned found = 0;
  if (is_elf(&v)) {
    unsigned dynamic = search(&v, SHT_DYNSYM, table, names, count, &found);
    if (table == SYMBOLS_DEFINED || dynamic == 0)
      search(&v, SHT_SYMTAB, table, names, count, &found);
  }
  close_view(&v);
  return found;
}

bool file_has_symbols(const char *path) {
  view v = open_view(path);
  unsigned found = 0;
  bool some = is_elf(&v) && search(&v, SHT_SYMTAB, SYMBOLS_DEFINED, NULL, 0, &found) > 0;
  close_view(&v);
  return some;
}
