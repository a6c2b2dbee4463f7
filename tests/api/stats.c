/* stats.c -- statistics are exact once no other thread is running.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#include "unit/threads.h"

#include <errno.h>
#include <mialloc/stats.h>
#include <pthread.h>
#include <unistd.h>

enum { BLOCKS = 3000, THREADS = 6, ROUNDS = 12 };

/* In security tiers from 2 on, blocks count until they leave the thread's quarantine. */
static void let_go(void) {
  if (mia_option_get(MIA_OPTION_SECURE) >= 2) mia_collect(false);
}

static mia_stats get(void) {
  let_go();
  mia_stats s = {.size = sizeof s};
  ck_assert(mia_stats_get(&s));
  return s;
}

/* Returns true if `bytes' is what blocks with `usable' bytes count for.  In debug builds
 * redzones and canaries count too, at most an OS page for each block; in security tiers from 1 on,
 * canaries do. */
static bool is_size(size_t bytes, size_t usable, size_t blocks) {
  const size_t most = 65536 + 64, canary = mia_option_get(MIA_OPTION_SECURE) > 0 ? 8 : 0;
  if (!MIA_DEBUG && canary > 0) return bytes == usable + blocks * canary;
  return MIA_DEBUG ? bytes >= usable && bytes - usable <= usable / 4 + blocks * most
                   : bytes == usable;
}

static void need_sums(const mia_stats *s) {
  size_t pages = 0, blocks = 0, bytes = 0;
  unsigned long long allocated = 0, freed = 0;
  for (unsigned i = 0; i < s->class_count; i++) {
    const mia_stats_class *c = &s->classes[i];
    need_at(c->block_size == 0 || c->bytes == c->blocks * c->block_size, i);
    need_at(i == 0 || c->block_size == 0 || c->block_size > s->classes[i - 1].block_size, i);
    need_at(c->allocated >= c->freed, i);
    pages += c->pages;
    blocks += c->blocks;
    bytes += c->bytes;
    allocated += c->allocated;
    freed += c->freed;
  }
  need(pages == s->pages && blocks == s->blocks && bytes == s->bytes);
  need(allocated == s->allocated && freed == s->freed);
}

START_TEST(size_and_version_are_checked) {
  mia_stats s = {.size = offsetof(mia_stats, pages) - 1, .version = 77};
  errno = 0;
  ck_assert(!mia_stats_get(&s) && errno == EINVAL && s.version == 77);
  s.size = 0;
  ck_assert(!mia_heap_stats_get(mia_heap_main(), &s) && !mia_thread_stats_get(&s));
  s = get();
  ck_assert_uint_eq(s.version, MIA_STATS_VERSION);
  ck_assert(s.class_count > 2 && s.class_count <= MIA_STATS_CLASSES);
  need_sums(&s);
}
END_TEST

/* ---- programs compiled for another version ---- */

enum { BEYOND = 64, FILLED = 0xa5 };

typedef union sized {
  mia_stats stats;
  unsigned char bytes[sizeof(mia_stats) + BEYOND];
} sized;

static bool get_of_process(mia_stats *s) { return mia_stats_get(s); }
static bool get_of_heap(mia_stats *s) { return mia_heap_stats_get(mia_heap_main(), s); }
static bool get_of_subproc(mia_stats *s) { return mia_subproc_stats_get(mia_subproc_main(), s); }
static bool get_of_thread(mia_stats *s) { return mia_thread_stats_get(s); }
static bool (*const getters[])(mia_stats *) = {get_of_process, get_of_heap, get_of_subproc,
                                               get_of_thread};

static void get_sized(sized *s, size_t size, bool (*getter)(mia_stats *)) {
  memset(s, FILLED, sizeof *s);
  s->stats.size = size;
  errno = 77;
  need_at(getter(&s->stats) && errno == 77, size);
  size_t filled = size < sizeof s->stats ? size : sizeof s->stats;
  need_at(s->stats.size == filled && s->stats.version == MIA_STATS_VERSION, size);
  for (size_t i = filled; i < sizeof *s; i++) need_at(s->bytes[i] == FILLED, i);
}

/* Returns the number of whole classes for which the structure has room. */
static unsigned classes_in(size_t size) {
  size_t before = offsetof(mia_stats, classes);
  return size > before ? (unsigned)((size - before) / sizeof(mia_stats_class)) : 0;
}

START_TEST(structures_of_other_sizes_are_filled) {
  static sized s, whole;
  void *p = launder(mia_malloc(100));
  for (size_t g = 0; g < sizeof getters / sizeof *getters; g++) {
    for (size_t size = offsetof(mia_stats, pages); size <= sizeof s; size += 8) {
      get_sized(&s, size, getters[g]);
      whole.stats.size = sizeof whole.stats;
      need(getters[g](&whole.stats));
      unsigned room = classes_in(size), all = whole.stats.class_count;
      need_at(s.stats.class_count == (room < all ? room : all), size);
      if (size >= offsetof(mia_stats, events)) need_at(s.stats.blocks == whole.stats.blocks, size);
    }
  }
  mia_free(p);
}
END_TEST

/* The sums include every malloc and every free of every kind of block. */
START_TEST(each_block_counts_once) {
  static const size_t sizes[] = {1, 8, 50, 700, 8000, 32768, 40000, 500000, 3 << 20, 70 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    for (int round = 0; round < 5; round++) {
      void *p[3];
      mia_stats before = get();
      for (int j = 0; j < 3; j++) need_at((p[j] = launder(mia_malloc(sizes[i]))) != NULL, i);
      mia_stats during = get();
      for (int j = 0; j < 3; j++) mia_free(p[j]);
      mia_stats after = get();
      need_sums(&during);
      need_at(during.blocks == before.blocks + 3, sizes[i]);
      need_at(is_size(during.bytes - before.bytes, 3 * mia_good_size(sizes[i]), 3), sizes[i]);
      need_at(during.allocated == before.allocated + 3 && during.freed == before.freed, sizes[i]);
      need_at(after.blocks == before.blocks && after.bytes == before.bytes, sizes[i]);
      need_at(after.allocated == during.allocated && after.freed == before.freed + 3, sizes[i]);
    }
  }
}
END_TEST

/* ---- threads ---- */

static void *shared[THREADS][BLOCKS];

static size_t size_of(size_t i) { return i * 7919 % 3000 + 1; }

/* Allocates blocks, frees the blocks of another thread and some of its own. */
static void *work(void *arg) {
  size_t me = (size_t)(uintptr_t)arg;
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < BLOCKS; i++) {
      void *p = mia_malloc(size_of(i + (size_t)round));
      note(p != NULL);
      if (i % 3 == 0) {
        mia_free(p);
        p = mia_malloc(40);
      }
      void *q = __atomic_exchange_n(&shared[(me + i) % THREADS][i], p, __ATOMIC_ACQ_REL);
      mia_free(q);
    }
  }
  return NULL;
}

/* While threads run the figures are plausible; after they have ended they are exact. */
START_TEST(sums_are_exact_when_threads_have_ended) {
  mia_thread_init();
  mia_stats before = get();
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++)
    need(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) == 0);
  for (int i = 0; i < 20; i++) {
    mia_stats s = get();
    need(s.blocks < before.blocks + (size_t)THREADS * BLOCKS * 4);
    need(s.pages * 65536 < (size_t)1 << 31);
  }
  for (size_t i = 0; i < THREADS; i++) need(pthread_join(threads[i], NULL) == 0);
  need_nothing_noted();
  mia_stats during = get();
  need_sums(&during);
  size_t blocks = 0, bytes = 0;
  for (size_t i = 0; i < THREADS; i++) {
    for (size_t j = 0; j < BLOCKS; j++) {
      if (shared[i][j] == NULL) continue;
      blocks++;
      bytes += mia_usable_size(shared[i][j]);
    }
  }
  size_t third = (BLOCKS + 2) / 3;
  unsigned long long allocated = (unsigned long long)THREADS * ROUNDS * (BLOCKS + third);
  need_at(during.blocks == before.blocks + blocks, during.blocks);
  need_at(is_size(during.bytes - before.bytes, bytes, blocks), during.bytes);
  need_at(during.allocated == before.allocated + allocated, during.allocated);
  need_at(during.freed == before.freed + allocated - blocks, during.freed);
  for (size_t i = 0; i < THREADS; i++)
    for (size_t j = 0; j < BLOCKS; j++) {
      mia_free(shared[i][j]);
      shared[i][j] = NULL;
    }
  mia_stats after = get();
  need_at(after.blocks == before.blocks && after.bytes == before.bytes, after.blocks);
  need_at(after.freed == before.freed + allocated, after.freed);
  bool has_batches = mia_option_get(MIA_OPTION_SECURE) ==
                     0; /* each block is sent at once otherwise */
  need(after.events.refills > before.events.refills);
  need((after.events.batches_sent > 0) == has_batches);
  need(after.threads == before.threads && after.threads_peak >= 2);
  need(after.events.pages_made >= after.events.pages_retired);
}
END_TEST

static void *count_mine(void *arg) {
  mia_stats s = {.size = sizeof s};
  (void)arg;
  mia_thread_init();
  note(mia_thread_stats_get(&s));
  unsigned long long before = s.allocated;
  void *p[100];
  for (int i = 0; i < 100; i++) p[i] = launder(mia_malloc(48));
  note(mia_thread_stats_get(&s));
  note(s.allocated == before + 100 && s.blocks >= 1 && s.pages >= 1);
  for (int i = 0; i < 100; i++) mia_free(p[i]);
  return NULL;
}

START_TEST(thread_statistics_count_the_threads_blocks) { run_thread(count_mine, NULL); }
END_TEST

START_TEST(heap_statistics_count_the_heaps_blocks) {
  mia_stats s = {.size = sizeof s};
  mia_subproc *subproc = mia_subproc_new();
  mia_heap *h = mia_heap_new();
  need(mia_heap_stats_get(h, &s) && s.blocks == 0 && s.pages == 0 && s.allocated == 0);
  void *p[BLOCKS];
  size_t bytes = 0;
  for (size_t i = 0; i < BLOCKS; i++) {
    p[i] = mia_heap_malloc(h, size_of(i));
    bytes += mia_usable_size(p[i]);
  }
  void *large = mia_heap_malloc(h, 1 << 20), *huge = mia_heap_malloc(h, 70 << 20);
  bytes += mia_usable_size(large) + mia_usable_size(huge);
  need(mia_heap_stats_get(h, &s));
  need_sums(&s);
  need_at(s.blocks == BLOCKS + 2, s.blocks);
  need_at(s.allocated == BLOCKS + 2 && s.freed == 0, s.allocated);
  need_at(is_size(s.bytes, bytes, BLOCKS + 2), s.bytes);
  for (size_t i = 0; i < BLOCKS; i += 2) mia_free(p[i]);
  need(mia_heap_stats_get(h, &s) && s.blocks == BLOCKS / 2 + 2);
  need_at(s.allocated == BLOCKS + 2 && s.freed == BLOCKS / 2, s.allocated);
  need(mia_subproc_stats_get(subproc, &s) && s.blocks == 0);
  need(mia_subproc_stats_get(mia_subproc_main(), &s) && s.blocks >= BLOCKS / 2 + 2);
  mia_heap_destroy(h);
  mia_subproc_destroy(subproc);
  s = get();
  need_sums(&s);
}
END_TEST

/* ---- heaps and threads ---- */

enum { HEAP_THREADS = 3, HEAP_BLOCKS = 2000 };

/* A heap that all threads share, and one of each thread. */
typedef struct heap_part {
  mia_heap *common, *own;
  void **blocks; /* HEAP_BLOCKS of the common heap that are not freed */
} heap_part;

static void *fill_heaps(void *arg) {
  const heap_part *p = arg;
  for (size_t i = 0; i < HEAP_BLOCKS; i++) {
    p->blocks[i] = mia_heap_malloc(p->common, size_of(i));
    void *own = mia_heap_malloc(p->own, size_of(i + 1));
    note(p->blocks[i] != NULL && own != NULL);
    if (i % 2 == 0) mia_free(own);
    mia_free(mia_heap_malloc(p->common, 60000));
    mia_free(mia_malloc(size_of(i)));
  }
  return NULL;
}

static mia_stats get_heap(mia_heap *heap) {
  let_go();
  mia_stats s = {.size = sizeof s};
  need(mia_heap_stats_get(heap, &s));
  need_sums(&s);
  return s;
}

#define need_counted(before, after, plus, minus)                                   \
  do {                                                                             \
    need_at((after).allocated == (before).allocated + (plus), (after).allocated);  \
    need_at((after).freed == (before).freed + (minus), (after).freed);             \
    need_at((after).blocks == (before).blocks + (plus) - (minus), (after).blocks); \
  } while (0)

/* Heaps count what ended threads did; a heap that is reused starts at zero.  Loop index: heaps
 * are deleted or destroyed, in the main sub-process or in another. */
START_TEST(heaps_count_what_threads_did) {
  static void *blocks[HEAP_THREADS][HEAP_BLOCKS];
  heap_part parts[HEAP_THREADS];
  pthread_t threads[HEAP_THREADS];
  bool deletes = _i % 2 == 0;
  const size_t all = HEAP_THREADS * HEAP_BLOCKS;
  mia_subproc *subproc = _i < 2 ? mia_subproc_main() : mia_subproc_new();
  mia_subproc_add_current_thread(subproc);
  mia_heap *common = mia_heap_new();
  mia_stats main_before = get_heap(mia_heap_main()), process_before = get();
  mia_stats nothing = {.size = sizeof nothing};
  need_counted(nothing, get_heap(common), 0, 0);
  for (size_t i = 0; i < HEAP_THREADS; i++) {
    parts[i] = (heap_part){common, mia_heap_new(), blocks[i]};
    need_counted(nothing, get_heap(parts[i].own), 0, 0);
    need(pthread_create(&threads[i], NULL, fill_heaps, &parts[i]) == 0);
  }
  for (int i = 0; i < 10; i++) need(get_heap(common).allocated <= 3 * all);
  for (size_t i = 0; i < HEAP_THREADS; i++) need(pthread_join(threads[i], NULL) == 0);
  need_nothing_noted();
  need_counted(nothing, get_heap(common), 2 * all, all);
  for (size_t i = 0; i < HEAP_THREADS; i++)
    need_counted(nothing, get_heap(parts[i].own), HEAP_BLOCKS, HEAP_BLOCKS / 2);
  size_t in_main = _i < 2 ? all : 0; /* what the threads allocated without a heap argument */
  need_counted(main_before, get_heap(mia_heap_main()), in_main, in_main);
  need_counted(process_before, get(), 4 * all, 2 * all + all / 2);
  mia_free(blocks[0][0]);
  need_counted(nothing, get_heap(common), 2 * all, all + 1);
  void *mine = launder(mia_heap_malloc(common, 100)); /* gives this thread a free list */
  need_counted(nothing, get_heap(common), 2 * all + 1, all + 1);
  mia_free(mine);
  deletes ? mia_heap_delete(common) : mia_heap_destroy(common);
  size_t gone = deletes ? all + 2 : 2 * all + 1;
  need_counted(main_before, get_heap(mia_heap_main()), in_main + 2 * all + 1, in_main + gone);
  if (deletes) need(mia_heap_of(blocks[1][1]) == mia_heap_main());
  for (size_t i = 0; i < HEAP_THREADS; i++) mia_heap_destroy(parts[i].own);
  gone += all;
  need_counted(main_before, get_heap(mia_heap_main()), in_main + 3 * all + 1, in_main + gone);
  if (_i >= 2) {
    mia_subproc_destroy(subproc);
    return;
  }
  for (size_t i = 1; deletes && i < all; i++) mia_free(blocks[i / HEAP_BLOCKS][i % HEAP_BLOCKS]);
  need_counted(main_before, get_heap(mia_heap_main()), in_main + 3 * all + 1,
               in_main + 3 * all + 1);
}
END_TEST

START_TEST(process_statistics_are_plausible) {
  enum { SPANS = 4, SIZE = 5 << 20 }; /* large, not huge, also on 32-bit hosts */
  void *p[SPANS];
  for (int i = 0; i < SPANS; i++) p[i] = memset(launder(mia_malloc(SIZE)), 1, SIZE);
  mia_stats s = get();
  need(s.arenas >= 1 && s.reserved >= s.used && s.used_peak >= s.used && s.used >= 20 << 20);
  need(s.committed >= s.used && s.threads >= 1 && s.threads_peak >= s.threads);
  need(s.rss == 0 || (s.rss >= 20 << 20 && s.rss <= SIZE_MAX / 2));
  need(s.rss_peak >= 20 << 20 && s.rss_peak >= s.rss && s.faults > 0);
  for (int i = 0; i < SPANS; i++) mia_free(p[i]);
  bool is_unmapped = mia_option_get(MIA_OPTION_SECURE) >= 2; /* by free */
  need(is_unmapped || mia_purge());
  mia_stats after = get();
  need(is_unmapped || after.purged >= s.purged + (20 << 20));
  need(after.committed < s.committed);
}
END_TEST

/* ---- text ---- */

static char output[40000];

static void keep_output(const char *text, void *arg) {
  need(arg == output);
  strncat(output, text, sizeof output - strlen(output) - 1);
}

/* What the library maps for itself may lie next to a huge block. */
START_TEST(text_beside_huge_blocks) {
  enum { HUGE = 16 };
  void *blocks[HUGE];
  for (size_t i = 0; i < HUGE; i++) {
    blocks[i] = launder(mia_malloc(((size_t)33 << 20) + i * 4096));
    ck_assert_ptr_nonnull(blocks[i]);
    output[0] = 0;
    mia_stats_print_out(keep_output, output);
    need_at(strncmp(output, "mialloc ", 8) == 0, i);
  }
  for (size_t i = 0; i < HUGE; i++) mia_free(blocks[i]);
}
END_TEST

START_TEST(statistics_are_written_to_the_output_function) {
  mia_free(launder(mia_malloc(100)));
  output[0] = 0;
  mia_stats_print_out(keep_output, output);
  need(strncmp(output, "mialloc ", 8) == 0 && strstr(output, "class") != NULL);
  output[0] = 0;
  mia_register_output(keep_output, output);
  mia_stats_print();
  need(strncmp(output, "mialloc ", 8) == 0);
  output[0] = 0;
  ck_assert(mia_option_set(MIA_OPTION_STATS_JSON, 1));
  mia_stats_print();
  need(output[0] == '{');
  ck_assert(mia_option_set(MIA_OPTION_STATS_JSON, 0));
  mia_register_output(NULL, NULL);
}
END_TEST

/* Runs another program that checks that the text is JSON with the expected contents. */
static bool json_is_accepted_by(const char *command, const char *json) {
  FILE *f = popen(command, "w");
  need(f != NULL);
  fputs(json, f);
  return pclose(f) == 0;
}

static bool command_exists(const char *command) { return system(command) == 0; }

START_TEST(json_is_json) {
  void *p = launder(mia_malloc(24));
  mia_stats s = get();
  char *json = mia_stats_as_json(&s, 0, NULL);
  ck_assert_ptr_nonnull(json);
  ck_assert(mia_any_heap_contains(json) && json[strlen(json) - 1] == '\n');
  char command[600];
  snprintf(command, sizeof command,
           "python3 -c 'import json,sys; s=json.load(sys.stdin); "
           "sys.exit(not (s[\"blocks\"]==%zu and len(s[\"classes\"])==%u and "
           "s[\"classes\"][3][\"pages_peak\"]==%zu and len(s)==25))'",
           s.blocks, s.class_count, s.classes[3].pages_peak);
  if (command_exists("python3 -c 1 2>/dev/null")) ck_assert(json_is_accepted_by(command, json));
  snprintf(command, sizeof command,
           "jq -e '.blocks==%zu and (.classes|length)==%u and .classes[3].pages_peak==%zu' "
           ">/dev/null",
           s.blocks, s.class_count, s.classes[3].pages_peak);
  if (command_exists("jq --version >/dev/null 2>&1")) ck_assert(json_is_accepted_by(command, json));
  char small[100];
  ck_assert_ptr_eq(mia_stats_as_json(&s, sizeof small, small), small);
  ck_assert(strlen(small) == sizeof small - 1 && strncmp(small, json, sizeof small - 1) == 0);
  memset(&s, 0xff, sizeof s); /* the largest possible numbers */
  s.class_count = MIA_STATS_CLASSES;
  char *largest = mia_stats_as_json(&s, 0, NULL);
  ck_assert_str_eq(largest + strlen(largest) - 3, "]}\n");
  mia_free(largest);
  mia_free(json);
  mia_free(p);
}
END_TEST

/* Fields beyond the end of a shorter structure are not read. */
START_TEST(shorter_structures_are_printed) {
  size_t size = offsetof(mia_stats, classes) + 3 * sizeof(mia_stats_class);
  mia_stats *s = launder(mia_malloc(size));
  s->size = size;
  need(mia_stats_get(s) && s->class_count == 3);
  s->classes[2].pages_peak = 4711;
  output[0] = 0;
  mia_stats_print_as(s, keep_output, output);
  need(strstr(output, "peak 4711 ") != NULL && strstr(output, "large") == NULL);
  char *json = mia_stats_as_json(s, 0, NULL);
  need(json != NULL && strstr(json, "\"pages_peak\":4711") != NULL);
  need(strstr(json, "\"class_count\":3,") != NULL);
  ck_assert_str_eq(json + strlen(json) - 4, "}]}\n");
  mia_free(json);
  s->size = offsetof(mia_stats, pages);
  json = mia_stats_as_json(s, 0, NULL);
  need(json != NULL && strstr(json, "\"class_count\":0,") != NULL);
  ck_assert_str_eq(json + strlen(json) - 4, "\n]}\n");
  mia_free(json);
  mia_free(s);
}
END_TEST

/* Checks that output arrives in whole lines. */
static void need_whole_lines(const char *text, void *arg) {
  size_t *lines = arg;
  need(*text != 0 && text[strlen(text) - 1] == '\n');
  ++*lines;
}

START_TEST(lines_are_written_whole) {
  static mia_stats s;
  size_t parts = 0;
  memset(&s, 0xff, sizeof s);
  mia_stats_print_as(&s, need_whole_lines, &parts);
  need(parts > 1);
  mia_options_print_out(need_whole_lines, &parts);
  mia_register_output(need_whole_lines, &parts);
  ck_assert(mia_option_set(MIA_OPTION_STATS_JSON, 1));
  mia_stats_print();
  mia_process_print_out(NULL, NULL);
  ck_assert(mia_option_set(MIA_OPTION_STATS_JSON, 0));
  mia_register_output(NULL, NULL);
}
END_TEST

SUITE("api/stats") {
  CASE(NULL, NULL);
  TEST(size_and_version_are_checked);
  TEST(structures_of_other_sizes_are_filled);
  TEST(each_block_counts_once);
  LOOP(sums_are_exact_when_threads_have_ended, 0, 3);
  TEST(thread_statistics_count_the_threads_blocks);
  TEST(heap_statistics_count_the_heaps_blocks);
  LOOP(heaps_count_what_threads_did, 0, 4);
  TEST(process_statistics_are_plausible);
  TEST(shorter_structures_are_printed);
  TEST(lines_are_written_whole);
  TEST(text_beside_huge_blocks);
  TEST(statistics_are_written_to_the_output_function);
  TEST(json_is_json);
}
