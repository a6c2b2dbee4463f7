/* threads.c -- threads that allocate, hand over, end, and leave blocks behind.
 *
 * check's assertions belong to the thread that runs the test: the others count
 * what they find wrong in `faults', which the test looks at once it has joined
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../tsan.h"
#include "api.h"
#include "tidy.h"

enum { THREADS = 4 };

static atomic_uint faults;

static void expect(int holds) {
  if (!holds) atomic_fetch_add(&faults, 1);
}

static pthread_t start(void *(*run)(void *), void *arg) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run, arg);
  need_at(error == 0, error);
  return thread;
}

static void join(pthread_t thread) { need(pthread_join(thread, NULL) == 0); }

/* Starts and joins THREADS of them, each with its number as argument. */
static void run_all(void *(*run)(void *)) {
  static unsigned numbers[THREADS];
  pthread_t threads[THREADS];
  for (unsigned i = 0; i < THREADS; i++) {
    numbers[i] = i;
    threads[i] = start(run, &numbers[i]);
  }
  for (unsigned i = 0; i < THREADS; i++) join(threads[i]);
  ck_assert_uint_eq(atomic_load(&faults), 0);
}

/* Resident memory in bytes; 0 where the system does not tell, which is said.  An
 * emulator, which the matrix names, keeps a lot for each thread that there was. */
static size_t resident(void) {
  unsigned long long size = 0;
  unsigned long long pages = 0;
  FILE *file = getenv("TEST_EMULATOR") == NULL ? fopen("/proc/self/statm", "r") : NULL;
  if (file == NULL || fscanf(file, "%llu %llu", &size, &pages) != 2) {
    printf("# no /proc/self/statm: growth of memory is not measured\n");
    pages = 0;
  }
  if (file != NULL) fclose(file);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A block that can be checked wherever it turns up: its head says its size and
 * the key of the rest. */
typedef struct {
  size_t size;
  uint64_t key;
} head;

static void *make(uint64_t *random, unsigned bits) {
  head h = {sizeof h + random_size(random, bits), random_next(random)};
  void *p;
  switch (random_below(random, 8)) {
  case 0:
    p = mia_calloc(1, h.size);
    break;
  case 1:
    p = mia_malloc_aligned(h.size, (size_t)1 << random_below(random, 10));
    break;
  default:
    p = mia_malloc(h.size);
    break;
  }
  p = launder(p);
  expect(p != NULL);
  if (p == NULL) return NULL;
  memcpy(p, &h, sizeof h);
  pattern_fill((char *)p + sizeof h, h.size - sizeof h, h.key);
  return p;
}

static int intact(const void *p) {
  head h;
  memcpy(&h, p, sizeof h);
  return h.size <= mia_usable_size(p) &&
         pattern_holds((const char *)p + sizeof h, h.size - sizeof h, h.key);
}

static void destroy(void *p) {
  if (p == NULL) return;
  expect(intact(p));
  mia_free(p);
}

/* ---- each on its own ------------------------------------------------------ */

static void churn(uint64_t random, unsigned steps) {
  enum { COUNT = 200, SIZE_BITS = 12 };
  void *blocks[COUNT] = {NULL};
  for (unsigned n = 0; n < steps; n++) {
    size_t i = random_below(&random, COUNT);
    destroy(blocks[i]);
    blocks[i] = random_below(&random, 3) == 0 ? NULL : make(&random, SIZE_BITS);
  }
  for (size_t i = 0; i < COUNT; i++) destroy(blocks[i]);
}

static void *churn_thread(void *arg) {
  churn(api_random(*(unsigned *)arg), 10000);
  return NULL;
}

START_TEST(each_on_its_own) { run_all(churn_thread); }
END_TEST

/* ---- hand-over -------------------------------------------------------------- */

enum { RING = 64, HANDED = 15000 };

typedef struct {
  _Atomic(void *) slots[RING];
} ring;

static void put(ring *r, unsigned n, void *p) {
  void *none = NULL;
  while (!atomic_compare_exchange_weak(&r->slots[n % RING], &none, p)) {
    none = NULL;
    sched_yield();
  }
}

static void *take(ring *r, unsigned n) {
  void *p;
  while ((p = atomic_exchange(&r->slots[n % RING], NULL)) == NULL) sched_yield();
  return p;
}

typedef struct {
  ring *in, *out; /* NULL: does not take, does not put */
  uint64_t random;
} hand;

/* A failed allocation hands over this one instead. */
static char substitute;

static void *hand_thread(void *arg) {
  hand *h = arg;
  for (unsigned n = 0; n < HANDED; n++) {
    if (h->out != NULL) {
      void *p = make(&h->random, 10);
      put(h->out, n, p != NULL ? p : &substitute);
    }
    if (h->in != NULL) {
      void *p = take(h->in, n);
      if (p != &substitute) destroy(p);
    }
  }
  return NULL;
}

START_TEST(freed_by_another_one_way) {
  static ring way;
  hand from = {NULL, &way, api_random(1)};
  hand to = {&way, NULL, api_random(2)};
  pthread_t a = start(hand_thread, &from);
  pthread_t b = start(hand_thread, &to);
  join(a);
  join(b);
  ck_assert_uint_eq(atomic_load(&faults), 0);
}
END_TEST

START_TEST(freed_by_another_both_ways) {
  static ring there, back;
  hand one = {&back, &there, api_random(1)};
  hand two = {&there, &back, api_random(2)};
  pthread_t a = start(hand_thread, &one);
  pthread_t b = start(hand_thread, &two);
  join(a);
  join(b);
  ck_assert_uint_eq(atomic_load(&faults), 0);
}
END_TEST

START_TEST(freed_around_a_circle) {
  static ring rings[THREADS];
  static hand hands[THREADS];
  pthread_t threads[THREADS];
  for (unsigned i = 0; i < THREADS; i++) {
    hands[i] = (hand){&rings[i], &rings[(i + 1) % THREADS], api_random(i)};
    threads[i] = start(hand_thread, &hands[i]);
  }
  for (unsigned i = 0; i < THREADS; i++) join(threads[i]);
  ck_assert_uint_eq(atomic_load(&faults), 0);
}
END_TEST

/* ---- threads that end -------------------------------------------------------- */

enum { LEFT = 2000 };
static void *left[LEFT];

static void *leave_blocks(void *arg) {
  uint64_t random = api_random(*(unsigned *)arg);
  for (int i = 0; i < LEFT; i++) left[i] = make(&random, 11);
  return NULL;
}

static void *free_the_left(void *arg) {
  unsigned parity = *(unsigned *)arg % 2;
  for (unsigned i = parity; i < LEFT; i += 2) destroy(left[i]);
  return NULL;
}

static void *grow_the_left(void *arg) {
  unsigned parity = *(unsigned *)arg % 2;
  for (unsigned i = parity; i < LEFT; i += 2) {
    head h;
    if (left[i] == NULL) continue;
    memcpy(&h, left[i], sizeof h);
    void *p = launder(mia_realloc(left[i], h.size + i));
    expect(p != NULL);
    if (p != NULL) left[i] = p;
    expect(intact(left[i]));
  }
  return NULL;
}

static void *leave_and_finish(void *arg) {
  leave_blocks(arg);
  mia_thread_done();
  return NULL;
}

static void *leave_and_begin_again(void *arg) {
  leave_blocks(arg);
  mia_thread_done();
  churn(api_random(7), 1000);
  mia_thread_done();
  mia_thread_done(); /* once more than there is to do */
  churn(api_random(8), 1000);
  return NULL;
}

static void *begin_early(void *arg) {
  mia_thread_init();
  mia_thread_init();
  return leave_blocks(arg);
}

/* Loop test: in which way the thread ends. */
START_TEST(left_by_the_ended) {
  static void *(*const ways[])(void *) = {leave_blocks, leave_and_finish, leave_and_begin_again,
                                          begin_early};
  static unsigned even = 0, odd = 1;
  for (int round = 0; round < 4; round++) {
    join(start(ways[_i], &even));
    if (round % 2 == 1) {
      pthread_t a = start(grow_the_left, &even);
      pthread_t b = start(grow_the_left, &odd);
      join(a);
      join(b);
    }
    if (round < 2) {
      pthread_t a = start(free_the_left, &even);
      pthread_t b = start(free_the_left, &odd);
      join(a);
      join(b);
    } else { /* the main thread, forwards and backwards */
      for (int i = 0; i < LEFT; i++) destroy(left[round == 2 ? i : LEFT - 1 - i]);
    }
  }
  ck_assert_uint_eq(atomic_load(&faults), 0);
}
END_TEST

START_TEST(the_main_thread_may_finish_too) {
  uint64_t random = api_random(1);
  void *kept = make(&random, 10);
  mia_thread_done();
  churn(random, 2000);
  destroy(kept);
  kept = make(&random, 20);
  mia_thread_done();
  destroy(kept);
  ck_assert_uint_eq(atomic_load(&faults), 0);
}
END_TEST

/* A destructor of thread-specific data may run after the library's own: it
 * allocates and frees, and does so again in the next turn. */
enum { TURNS = TSAN ? 2 : 8 };

typedef struct {
  uint64_t random;
  unsigned turns;
} ending;

static pthread_key_t exit_key;

static void end_later(ending now) {
  ending *p = launder(mia_malloc(sizeof now));
  expect(p != NULL);
  if (p == NULL) return;
  *p = now;
  expect(pthread_setspecific(exit_key, p) == 0);
}

static void at_thread_exit(void *p) {
  ending now = *(ending *)p;
  mia_free(p);
  churn(now.random, 50);
  now.turns++;
  if (random_below(&now.random, 2) == 0 || now.turns == TURNS) return;
  end_later(now);
}

static void *uses_a_destructor(void *arg) {
  end_later((ending){.random = api_random(*(unsigned *)arg)});
  return NULL;
}

START_TEST(allocates_while_the_thread_ends) {
  enum { ROUNDS = 50 };
  need(pthread_key_create(&exit_key, at_thread_exit) == 0);
  for (int round = 0; round < ROUNDS; round++) run_all(uses_a_destructor);
  need(pthread_key_delete(exit_key) == 0);
}
END_TEST

/* ---- upkeep --------------------------------------------------------------------- */

static void *churn_and_tidy(void *arg) {
  enum { ROUNDS = 40 };
  uint64_t random = api_random(*(unsigned *)arg);
  for (int round = 0; round < ROUNDS; round++) {
    churn(random_next(&random), 300);
    void *big = make(&random, 20);
    tidy(&random);
    destroy(big);
  }
  return NULL;
}

START_TEST(all_tidy_at_once) { run_all(churn_and_tidy); }
END_TEST

enum { STOCK_COUNT = 16384, STOCK_SIZE = 1000 };
#define STOCK_BYTES ((size_t)STOCK_COUNT * STOCK_SIZE)
static void *stock[STOCK_COUNT];

static void stock_up(void) {
  for (int i = 0; i < STOCK_COUNT; i++) {
    stock[i] = launder(mia_malloc(STOCK_SIZE));
    expect(stock[i] != NULL);
    if (stock[i] != NULL) memset(stock[i], 1, STOCK_SIZE);
  }
}

static void sell_out(void) {
  for (int i = 0; i < STOCK_COUNT; i++) mia_free(stock[i]);
}

/* What is left over half of what was freed counts as not returned. */
static void check_returned(size_t full, size_t after) {
  if (full == 0) return;
  ck_assert_msg(after + STOCK_BYTES / 2 <= full, "%zu bytes resident before, %zu after the purge",
                full, after);
}

START_TEST(purge_returns_free_memory) {
  stock_up();
  size_t full = resident();
  sell_out();
  /* What a deadline had returned before needs no purge: only the sum counts. */
  mia_purge();
  check_returned(full, resident());
  stock_up(); /* and it can be had again */
  sell_out();
  ck_assert_uint_eq(atomic_load(&faults), 0);
}
END_TEST

static atomic_int stage;

static void wait_for(int wanted) {
  while (atomic_load(&stage) != wanted) sched_yield();
}

static void *stock_up_and_sleep(void *arg) {
  (void)arg;
  stock_up();
  atomic_store(&stage, 1);
  wait_for(2);
  sell_out();
  atomic_store(&stage, 3);
  wait_for(4); /* asleep as far as the library can tell */
  churn(api_random(1), 500);
  return NULL;
}

START_TEST(purge_reaches_sleeping_threads) {
  atomic_store(&stage, 0);
  pthread_t sleeper = start(stock_up_and_sleep, NULL);
  wait_for(1);
  size_t full = resident();
  atomic_store(&stage, 2);
  wait_for(3);
  mia_purge();
  size_t after = resident();
  atomic_store(&stage, 4);
  join(sleeper);
  check_returned(full, after);
  ck_assert_uint_eq(atomic_load(&faults), 0);
}
END_TEST

/* ---- bounded growth --------------------------------------------------------------- */

/* Each ended thread leaves about a megabyte, which the main thread frees:
 * ROUNDS megabytes in all if none of it were used again. */
enum { DUE_COUNT = 4096, DUE_SIZE = 256 };
static void *due[DUE_COUNT];

static void *leave_a_megabyte(void *arg) {
  (void)arg;
  for (int i = 0; i < DUE_COUNT; i++) {
    due[i] = launder(mia_malloc(DUE_SIZE));
    expect(due[i] != NULL);
    if (due[i] != NULL) memset(due[i], i, DUE_SIZE);
  }
  return NULL;
}

/* What many rounds leave behind is little more than what some have left. */
static void need_no_growth(void (*round)(void)) {
  enum { WARM_UP = 20, ROUNDS = 220 };
  const size_t growth_allowed = 40 * MIB;
  size_t warm = 0;
  for (int i = 0; i < ROUNDS; i++) {
    if (i == WARM_UP) warm = resident();
    round();
  }
  size_t end = resident();
  ck_assert_msg(end <= warm + growth_allowed, "resident grew from %zu to %zu", warm, end);
  ck_assert_uint_eq(atomic_load(&faults), 0);
}

static void *free_the_due(void *arg) {
  (void)arg;
  for (int i = 0; i < DUE_COUNT; i++) mia_free(due[i]);
  return NULL;
}

static void free_what_one_left(void) {
  join(start(leave_a_megabyte, NULL));
  (void)free_the_due(NULL);
}

START_TEST(memory_of_the_ended_is_used_again) { need_no_growth(free_what_one_left); }
END_TEST

/* The same, freed by a thread that ends too, so that nobody stays who owns it. */
static void leave_and_free(void) {
  join(start(leave_a_megabyte, NULL));
  join(start(free_the_due, NULL));
}

START_TEST(memory_freed_by_the_ended_is_used_again) { need_no_growth(leave_and_free); }
END_TEST

/* One thread only allocates, another only frees, for many times the memory that
 * is live at a time. */
START_TEST(memory_sent_away_comes_back) {
  static ring way;
  const size_t growth_allowed = 40 * MIB;
  size_t before = resident();
  for (int round = 0; round < 4; round++) {
    hand from = {NULL, &way, api_random(1)};
    hand to = {&way, NULL, api_random(2)};
    pthread_t a = start(hand_thread, &from);
    pthread_t b = start(hand_thread, &to);
    join(a);
    join(b);
  }
  size_t end = resident();
  ck_assert_msg(end <= before + growth_allowed, "resident grew from %zu to %zu", before, end);
  ck_assert_uint_eq(atomic_load(&faults), 0);
}
END_TEST

static void *live_shortly(void *arg) {
  uint64_t random = api_random(*(unsigned *)arg);
  void *blocks[8];
  for (unsigned i = 0; i < 8; i++) blocks[i] = make(&random, 12);
  for (unsigned i = 0; i < 8; i++) destroy(blocks[i]);
  return NULL;
}

START_TEST(two_thousand_short_threads) {
  enum { TOTAL = 2000 };
  const size_t growth_allowed = 32 * MIB;
  size_t before = resident();
  for (int i = 0; i < TOTAL; i += THREADS) run_all(live_shortly);
  size_t end = resident();
  ck_assert_msg(end <= before + growth_allowed, "resident grew from %zu to %zu", before, end);
}
END_TEST

int main(void) {
  api_seed_init();
  Suite *suite = suite_create("api/threads");
  TCase *tcase = api_case(suite, "hand-over");
  tcase_add_test(tcase, each_on_its_own);
  tcase_add_test(tcase, freed_by_another_one_way);
  tcase_add_test(tcase, freed_by_another_both_ways);
  tcase_add_test(tcase, freed_around_a_circle);
  tcase = api_case(suite, "ends");
  tcase_add_loop_test(tcase, left_by_the_ended, 0, 4);
  tcase_add_test(tcase, the_main_thread_may_finish_too);
  tcase_add_test(tcase, allocates_while_the_thread_ends);
  tcase = api_case(suite, "upkeep");
  tcase_add_test(tcase, all_tidy_at_once);
  tcase_add_test(tcase, purge_returns_free_memory);
  tcase_add_test(tcase, purge_reaches_sleeping_threads);
  tcase = api_case(suite, "growth");
  tcase_add_test(tcase, memory_of_the_ended_is_used_again);
  tcase_add_test(tcase, memory_freed_by_the_ended_is_used_again);
  tcase_add_test(tcase, memory_sent_away_comes_back);
  tcase_add_test(tcase, two_thousand_short_threads);
  return api_run(suite);
}
