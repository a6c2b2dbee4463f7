/* SPDX-License-Identifier: MIT */
/* audit.c -- a library for LD_AUDIT (glibc's rtld-audit), which lives beside the program with
 * its own libc.  It allocates in every call and prints a line at the end.  If it is linked with
 * mialloc there are two of them in the process. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES = 256 };

static char *names[NAMES];
static unsigned count, bindings;

static void keep(const char *name) {
  char **place = &names[count++ % NAMES];
  free(*place);
  *place = strdup(name);
  free(calloc(100, 100));
}

/* The interface has no prototypes, only these names. */
unsigned la_version(unsigned version);
unsigned la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie);
unsigned la_objclose(uintptr_t *cookie);
void la_activity(uintptr_t *cookie, unsigned flag);
uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *reference,
                       uintptr_t *definition, unsigned *flags, const char *name);

unsigned la_version(unsigned version) {
  keep("version");
  return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie) {
  (void)lmid;
  (void)cookie;
  keep(map->l_name);
  return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

unsigned la_objclose(uintptr_t *cookie) {
  (void)cookie;
  keep("closed");
  return 0;
}

void la_activity(uintptr_t *cookie, unsigned flag) {
  static const char said[] = "audited\n";
  (void)cookie;
  keep("activity");
  if (flag == LA_ACT_CONSISTENT && write(STDOUT_FILENO, said, sizeof said - 1) < 0) abort();
}

uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *reference,
                       uintptr_t *definition, unsigned *flags, const char *name) {
  (void)index;
  (void)reference;
  (void)definition;
  (void)flags;
  bindings++;
  keep(name);
  return symbol->st_value;
}
