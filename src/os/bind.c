/* bind.c -- glibc's own definitions of some names are made to mean those in force.
 *
 * The dynamic linker finds a symbol in an object's table of dynamic symbols, as an
 * offset from where the object lies.  Any offset will do: we write into the C
 * library's table those that lead out of it, to the definitions in force.  Which
 * these are its own tables say as well, so that no lock of the dynamic linker's is
 * taken but the one of dl_iterate_phdr. */
#include "base/prelude.h"

#include "os/bind.h"
#include "os/os.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

/* What is read of an object.  Each table is NULL if there is none. */
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

/* glibc writes addresses into this table where it is writable; on some hosts, and in
 * the kernel's own object, they stay offsets. */
static const void *place(const struct dl_phdr_info *info, ElfW(Addr) value) {
  if (segment_at(info, value) == NULL) value += info->dlpi_addr;
  return segment_at(info, value) != NULL ? (const void *)value : NULL;
}

static const ElfW(Dyn) * find_dynamic(const struct dl_phdr_info *info) {
  for (size_t i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
      return (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  return NULL;
}

/* False: it has no symbols that can be found. */
static bool read_object(object *o, const struct dl_phdr_info *info) {
  *o = (object){.info = info};
  size_t name = 0;
  const ElfW(Dyn) *d = find_dynamic(info);
  if (d == NULL) return false;
  for (; d->d_tag != DT_NULL; d++) {
    switch (d->d_tag) {
    case DT_SYMTAB:
      o->symbols = place(info, d->d_un.d_ptr);
      break;
    case DT_STRTAB:
      o->strings = place(info, d->d_un.d_ptr);
      break;
    case DT_GNU_HASH:
      o->gnu_hash = place(info, d->d_un.d_ptr);
      break;
    case DT_HASH:
      o->hash = place(info, d->d_un.d_ptr);
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

/* ---- finding a symbol in it ---- */

/* Whether this is a function of that name that the object defines.  One whose address
 * is computed by another (IFUNC) is none. */
static bool is_definition(const object *o, size_t index, const char *name) {
  const ElfW(Sym) *symbol = &o->symbols[index];
  /* the same in both widths */
  unsigned type = ELF32_ST_TYPE(symbol->st_info), binding = ELF32_ST_BIND(symbol->st_info);
  return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS && binding != STB_LOCAL &&
         (type == STT_FUNC || type == STT_NOTYPE) &&
         strcmp(o->strings + symbol->st_name, name) == 0;
}

/* The next definition of `name' after the symbol `index', or the first if that is 0;
 * 0: there is none.  A name can have several, of different versions. */
typedef size_t finder(const object *o, const char *name, size_t index);

/* A header of four words, a Bloom filter, the first symbol of each bucket, and a word
 * for each symbol that is defined: its hash, where bit 0 says that it is the last of
 * its bucket. */
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

/* The numbers of buckets and of symbols, the first symbol of each bucket, and for each
 * symbol the next of its bucket. */
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

/* ---- all objects, in the order in which symbols are looked for ---- */

typedef struct search {
  const char *const *names;
  size_t count;
  bool first_is_ours;
  bool failed;
  ElfW(Addr) * found; /* of each name, the address in force; 0: not found yet */
} search;

static void look_in(search *s, const object *o) {
  for (size_t i = 0; i < s->count; i++) {
    if (s->found[i] != 0) continue;
    size_t index = find(o, s->names[i], 0);
    if (index == 0) continue;
    s->found[i] = o->info->dlpi_addr + o->symbols[index].st_value;
    if (i == 0) s->first_is_ours = segment_at(o->info, (uintptr_t)mia_os_bind) != NULL;
  }
}

/* A function's address is not what the table leads to: there are descriptors, which
 * the dynamic linker makes by the object that it found the symbol in. */
#if defined(__hppa__) || defined(__ia64__)
enum { CAN_LEAD_OUT = false };
#else
enum { CAN_LEAD_OUT = true };
#endif

/* The table is never written by the C library, so the whole page is as the segment
 * is, before and after. */
static bool write_word(const struct dl_phdr_info *info, ElfW(Addr) * word, ElfW(Addr) value) {
  if (*word == value) return true;
  const ElfW(Phdr) *segment = segment_at(info, (uintptr_t)word);
  if (!CAN_LEAD_OUT || segment == NULL) return false;
  int protection = PROT_READ | ((segment->p_flags & PF_X) != 0 ? PROT_EXEC : 0);
  size_t size = mia_os_page_size();
  void *page = (void *)((uintptr_t)word & ~(uintptr_t)(size - 1));
  if (mprotect(page, size, protection | PROT_WRITE) != 0) return false;
  *(volatile ElfW(Addr) *)word = value;
  (void)mprotect(page, size, protection);
  return true;
}

static void lead_out(search *s, const object *o) {
  for (size_t i = 0; i < s->count; i++) {
    if (s->found[i] == 0) continue;
    ElfW(Addr) value = s->found[i] - o->info->dlpi_addr;
    for (size_t at = find(o, s->names[i], 0); at != 0; at = find(o, s->names[i], at)) {
      ElfW(Sym) *symbol = (ElfW(Sym) *)(uintptr_t)&o->symbols[at];
      if (!write_word(o->info, &symbol->st_value, value)) s->failed = true;
    }
  }
}

/* The first object that defines a name has it in force; what is loaded later, and
 * perhaps for others only, comes behind the C library. */
static int visit(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)size;
  search *s = arg;
  object o;
  if (!read_object(&o, info)) return 0;
  if (!is_libc(&o)) {
    look_in(s, &o);
    return 0;
  }
  if (s->first_is_ours) lead_out(s, &o);
  return 1;
}

enum { MOST_NAMES = 32 };

bool mia_os_bind(const char *const *names, size_t count) {
  ElfW(Addr) found[MOST_NAMES] = {0};
  search s = {.names = names, .count = count, .found = found};
  if (count > MOST_NAMES) return false;
  (void)dl_iterate_phdr(visit, &s);
  return !s.failed;
}

/* ---- the dlopen behind ours ---- */

/* The C library then takes us for the caller. */
static void *open_among_ours(const char *file, int mode) { return dlmopen(LM_ID_BASE, file, mode); }

bool mia_os_is_deep(int mode) { return (mode & RTLD_DEEPBIND) != 0; }

/* In a static program nothing is behind us; but it has no other name spaces either, and
 * libraries are not looked for where their callers are. */
mia_os_opener *mia_os_next_dlopen(mia_os_opener *ours) {
  void *next = dlsym(RTLD_NEXT, "dlopen");
  if (next == NULL || next == (void *)(uintptr_t)ours) return open_among_ours;
  mia_os_opener *opener;
  memcpy(&opener, &next, sizeof opener);
  return opener;
}
