/* thp.c -- large OS pages (Linux: transparent huge pages) come where much memory is in use, and
 * go with it; prints TAP.
 *
 *   thp [MIB]
 *
 * Where the system grants none, the process must have none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/prelude.h"

#include "soak.h"

#include <sys/prctl.h>

enum {
  MIB_DEFAULT = 96,
  SMALL_MIB = 12, /* less than large OS pages are for */
  SIZE = 100,
  KEPT_EACH = 1 << 19, /* one block in so many bytes is kept: one or two in a large OS page */
  PART = 8,            /* of the frames, at least; others may have found no large OS page */
  METADATA_PART = 192  /* of the bytes stays, as descriptors and as the page map */
};

#define LARGE_PAGE (2 * MIB)

static size_t bytes;

static bool are_granted(void) {
  char text[256];
  return resident_read("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text) &&
         strstr(text, "[never]") == NULL && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0 &&
         sysconf(_SC_PAGESIZE) == 4096;
}

/* Returns the bytes of the process that large OS pages back. */
static size_t in_large_os_pages(void) {
  char text[2048];
  unsigned long number = 0;
  if (!resident_read("/proc/self/smaps_rollup", text, sizeof text)) return 0;
  const char *at = strstr(text, "\nAnonHugePages:");
  return at != NULL && sscanf(at, " AnonHugePages: %lu kB", &number) == 1 ? number * KIB : 0;
}

/* Returns how many large OS pages the system has split, for any process. */
static unsigned long split_so_far(void) {
  static char text[1 << 15];
  unsigned long number = 0;
  if (!resident_read("/proc/vmstat", text, sizeof text)) return 0;
  const char *at = strstr(text, "\nthp_split_page ");
  return at != NULL && sscanf(at, " thp_split_page %lu", &number) == 1 ? number : 0;
}

typedef struct chain {
  struct chain *next;
} chain;

static chain *fill(size_t size) {
  chain *list = NULL;
  for (size_t i = 0; i < size; i += SIZE) {
    chain *block = soak_block(SIZE);
    block->next = list;
    list = block;
  }
  return list;
}

/* Takes every n-th block out of a list, and returns the list of those. */
static chain *take_out(chain **list, size_t n) {
  chain *taken = NULL;
  size_t seen = 0;
  for (chain **at = list; *at != NULL; seen++) {
    chain *block = *at;
    if (seen % n == 0) {
      *at = block->next;
      block->next = taken;
      taken = block;
    } else {
      at = &block->next;
    }
  }
  return taken;
}

static void release(chain *list) {
  for (chain *next; list != NULL; list = next) {
    next = list->next;
    FREE(list);
  }
}

/* A debug build reads what should be zero, before it asks for large OS pages there: the kernel may
 * have begun with small ones. */
static void growth_has_large_os_pages(void *unused) {
  (void)unused;
  chain *list = fill(bytes);
  size_t large = in_large_os_pages(), wanted = MIA_DEBUG ? 0 : bytes / PART;
  tap_ok(are_granted() ? large >= wanted : large == 0,
         "growth to %zu MiB: %zu MiB in large OS pages", bytes / MIB, large / MIB);
  release(list);
}

static void small_processes_have_none(void *unused) {
  (void)unused;
  chain *list = fill(SMALL_MIB * MIB);
  tap_ok(in_large_os_pages() == 0, "growth to %d MiB: %zu KiB", SMALL_MIB,
         in_large_os_pages() / KIB);
  release(list);
}

static void none_if_switched_off(void *unused) {
  (void)unused;
  bool set = mia_option_set(MIA_OPTION_THP, 0);
  chain *list = fill(bytes);
  tap_ok(set && in_large_os_pages() == 0, "switched off: %zu KiB", in_large_os_pages() / KIB);
  release(list);
}

/* A large OS page of which a part was given back stays with the process until it is split. */
static void what_is_freed_returns_to_the_system(void *unused) {
  (void)unused;
  size_t base = soak_rss(), most = bytes / PART;
  chain *list = fill(bytes);
  size_t large = in_large_os_pages();
  unsigned long before = split_so_far();
  (void)take_out(&list, KEPT_EACH / SIZE);
  release(list);
  (void)mia_purge();
  size_t left = soak_above(soak_rss(), base), wanted = large / LARGE_PAGE / 2;
  unsigned long split = split_so_far() - before;
  tap_ok(soak_within(left, most) && split >= wanted,
         "a block left in 512 KiB: %zu KiB, and %lu of %zu large OS pages split", left / KIB, split,
         large / LARGE_PAGE);
}

static void all_returns(void *unused) {
  (void)unused;
  size_t base = soak_rss();
  release(fill(bytes));
  (void)mia_purge();
  size_t left = soak_above(soak_rss(), base);
  tap_ok(soak_within(left, MIB + bytes / METADATA_PART) && in_large_os_pages() == 0,
         "all freed: %zu KiB", left / KIB);
}

int main(int argc, char **argv) {
  bytes = soak_scale(argc, argv, MIB_DEFAULT) * MIB;
  soak_apart(growth_has_large_os_pages, NULL);
  soak_apart(small_processes_have_none, NULL);
  soak_apart(none_if_switched_off, NULL);
  soak_apart(what_is_freed_returns_to_the_system, NULL);
  soak_apart(all_returns, NULL);
  return tap_end();
}
