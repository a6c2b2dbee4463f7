/* SPDX-License-Identifier: MIT */
/* bind.c -- redirects glibc's own definitions of some functions.
 *
 * The definition in force of a name is the one in the first object that defines it.
 * The dynamic linker finds a symbol in an object's table of dynamic symbols, as an
 * offset from the object's load address.  The offset may lead out of the object: we
 * write offsets that lead to the definitions in force into the C library's table.  We
 * look these definitions up in the objects' tables too, so that we take none of the
 * dynamic linker's locks but that of dl_iterate_phdr. */
#include "base/prelude.h"

#include "os/bind.h"
#include "os/os.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

/* The tables of a loaded object.  One that the object does not have is NULL. */
typedef struct object {
  const struct dl_phdr_info *info;
  const ElfW(Sym) * symbols;
  const char *strings;
  const uint32_t *gnu_hash;
  const Elf_Symndx *hash;
  const char *name; /* DT_SONAME */
} object;

/* ---- reading an object ---- */

static const ElfW(Phdr) * segment_at(const struct dl_phdr_info *info, uintptr_t address) {
  for (size_t i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type == PT_LOAD &&
        address - (info->dlpi_addr + segment->p_vaddr) < segment->p_memsz)
      return segment;
  }
  return NULL;
}

/* Returns the address that an entry of the dynamic section stands for, or NULL if no
 * segment holds it.  glibc turns the offsets in that section into addresses where the
 * section is writable; on some hosts, and in the kernel's own object (the vDSO), they
 * stay offsets. */
static const void *to_address(const struct dl_phdr_info *info, ElfW(Addr) value) {
  if (segment_at(info, value) == NULL) value += info->dlpi_addr;
  return segment_at(info, value) != NULL ? (const void *)value : NULL;
}

static const ElfW(Dyn) * find_dynamic(const struct dl_phdr_info *info) {
  for (size_t i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
      return (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  return NULL;
}

/* Returns false if the object lacks a table that is needed to look up symbols. */
static bool read_object(object *o, const struct dl_phdr_info *info) {
  *o = (object){.info = info};
  size_t name = 0;
  const ElfW(Dyn) *d = find_dynamic(info);
  if (d == NULL) return false;
  for (; d->d_tag != DT_NULL; d++) {
    switch (d->d_tag) {
    case DT_SYMTAB:
      o->symbols = to_address(info, d->d_un.d_ptr);
      break;
    case DT_STRTAB:
      o->strings = to_address(info, d->d_un.d_ptr);
      break;
    case DT_GNU_HASH:
      o->gnu_hash = to_address(info, d->d_un.d_ptr);
      break;
    case DT_HASH:
      o->hash = to_address(info, d->d_un.d_ptr);
      break;
    case DT_SONAME:
      name = d->d_un.d_val;
      break;
    default:
      break;
    }
  }
  bool good = o->symbols != NULL && o->strings != NULL && (o->gnu_hash != NULL || o->hash != NULL);
  if (good) o->name = o->strings + name;
  return good;
}

static bool is_libc(const object *o) {
  static const char name[] = "libc.so.";
  return strncmp(o->name, name, sizeof name - 1) == 0;
}

/* ---- finding a symbol in an object ---- */

/* Returns true if the symbol is a function `name' that the object defines.  A function
 * whose address another one computes (IFUNC) does not count. */
static bool is_definition(const object *o, size_t index, const char *name) {
  const ElfW(Sym) *symbol = &o->symbols[index];
  /* these macros serve ELF64 as well */
  unsigned type = ELF32_ST_TYPE(symbol->st_info), binding = ELF32_ST_BIND(symbol->st_info);
  return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS && binding != STB_LOCAL &&
         (type == STT_FUNC || type == STT_NOTYPE) &&
         strcmp(o->strings + symbol->st_name, name) == 0;
}

/* The functions below return the index of the next definition of `name' after the
 * symbol `index', or of the first one if `index' is 0.  They return 0 if there are no
 * more.  A name can have several definitions, of different versions. */

/* The table has a header of four words, a Bloom filter, the first symbol of each
 * bucket, and a word for each symbol that is defined: its hash, with bit 0 set if the
 * symbol is the last of its bucket. */
static size_t find_by_gnu_hash(const object *o, const char *name, size_t index) {
  enum { BUCKETS, FIRST, FILTER, SHIFT, HEADER };
  uint32_t h = 5381;
  for (const char *c = name; *c != 0; c++) h = h * 33 + (unsigned char)*c;
  const uint32_t *table = o->gnu_hash;
  const uint32_t *buckets = table + HEADER + table[FILTER] * (sizeof(ElfW(Addr)) / sizeof *table);
  const uint32_t *hashes = buckets + table[BUCKETS];
  size_t at = index;
  if (at == 0)
    at = table[BUCKETS] != 0 ? buckets[h % table[BUCKETS]] : 0;
  else
    at = (hashes[at - table[FIRST]] & 1) != 0 ? 0 : at + 1;
  for (; at != 0; at = (hashes[at - table[FIRST]] & 1) != 0 ? 0 : at + 1)
    if ((hashes[at - table[FIRST]] | 1) == (h | 1) && is_definition(o, at, name)) return at;
  return 0;
}

/* The table has the numbers of buckets and of symbols, the first symbol of each bucket,
 * and for each symbol the next one of its bucket. */
static size_t find_by_hash(const object *o, const char *name, size_t index) {
  enum { BUCKETS, SYMBOLS, HEADER };
  uint32_t h = 0;
  for (const char *c = name; *c != 0; c++) {
    h = (h << 4) + (unsigned char)*c;
    h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
  }
  const Elf_Symndx *buckets = o->hash + HEADER;
  const Elf_Symndx *next = buckets + o->hash[BUCKETS];
  size_t at = index;
  if (at != 0)
    at = next[at];
  else if (o->hash[BUCKETS] != 0)
    at = buckets[h % o->hash[BUCKETS]];
  while (at != 0 && !is_definition(o, at, name)) at = next[at];
  return at;
}

static size_t find(const object *o, const char *name, size_t index) {
  return o->gnu_hash != NULL ? find_by_gnu_hash(o, name, index) : find_by_hash(o, name, index);
}

/* ---- all objects, in the order in which symbols are looked up ---- */

typedef struct search {
  const char *const *names;
  size_t count;
  bool first_is_ours; /* the definition in force of the first name is in this library */
  bool failed;
  ElfW(Addr) * found; /* for each name the address in force; 0 if not found yet */
} search;

static void find_names(search *s, const object *o) {
  for (size_t i = 0; i < s->count; i++) {
    if (s->found[i] != 0) continue;
    size_t index = find(o, s->names[i], 0);
    if (index == 0) continue;
    s->found[i] = o->info->dlpi_addr + o->symbols[index].st_value;
    if (i == 0) s->first_is_ours = segment_at(o->info, (uintptr_t)mia_os_bind) != NULL;
  }
}

/* On these hosts the address of a function is that of a descriptor, not the address
 * that the symbol table gives.  The dynamic linker makes the descriptor, for the object
 * in which it found the symbol. */
#if defined(__hppa__) || defined(__ia64__)
enum { CAN_REDIRECT = false };
#else
enum { CAN_REDIRECT = true };
#endif

/* The C library never writes to its symbol table, so the page has the access rights of
 * its segment, and gets them back. */
static bool write_word(const struct dl_phdr_info *info, ElfW(Addr) * word, ElfW(Addr) value) {
  if (*word == value) return true;
  const ElfW(Phdr) *segment = segment_at(info, (uintptr_t)word);
  if (!CAN_REDIRECT || segment == NULL) return false;
  int protection = PROT_READ | ((segment->p_flags & PF_X) != 0 ? PROT_EXEC : 0);
  size_t size = mia_os_page_size();
  void *page = (void *)((uintptr_t)word & ~(uintptr_t)(size - 1));
  if (mprotect(page, size, protection | PROT_WRITE) != 0) return false;
  *(volatile ElfW(Addr) *)word = value;
  (void)mprotect(page, size, protection);
  return true;
}

static void redirect_names(search *s, const object *o) {
  for (size_t i = 0; i < s->count; i++) {
    if (s->found[i] == 0) continue;
    ElfW(Addr) value = s->found[i] - o->info->dlpi_addr;
    for (size_t at = find(o, s->names[i], 0); at != 0; at = find(o, s->names[i], at)) {
      ElfW(Sym) *symbol = (ElfW(Sym) *)(uintptr_t)&o->symbols[at];
      if (!write_word(o->info, &symbol->st_value, value)) s->failed = true;
    }
  }
}

/* The walk ends at the C library.  Objects that were loaded later, and whose symbols
 * other objects may not see, come behind it. */
static int process_object(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)size;
  search *s = arg;
  object o;
  if (!read_object(&o, info)) return 0;
  if (!is_libc(&o)) {
    find_names(s, &o);
    return 0;
  }
  if (s->first_is_ours) redirect_names(s, &o);
  return 1;
}

enum { NAMES_MAX = 32 };

bool mia_os_bind(const char *const *names, size_t count) {
  ElfW(Addr) found[NAMES_MAX] = {0};
  search s = {.names = names, .count = count, .found = found};
  if (count > NAMES_MAX) return false;
  (void)dl_iterate_phdr(process_object, &s);
  return !s.failed;
}

/* ---- the next dlopen after ours ---- */

/* The C library takes this library for the caller of this dlmopen. */
static void *open_in_base(const char *file, int mode) { return dlmopen(LM_ID_BASE, file, mode); }

bool mia_os_is_deep(int mode) { return (mode & RTLD_DEEPBIND) != 0; }

/* In a static program there is no next dlopen, and dlmopen does as well: there are no
 * other name spaces, and the search for a library does not depend on the caller. */
mia_os_opener *mia_os_next_dlopen(mia_os_opener *ours) {
  void *next = dlsym(RTLD_NEXT, "dlopen");
  if (next == NULL || next == (void *)(uintptr_t)ours) return open_in_base;
  mia_os_opener *opener;
  memcpy(&opener, &next, sizeof opener);
  return opener;
}
