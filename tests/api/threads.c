/* threads.c -- threads that allocate, pass blocks on, end, and leave blocks behind.
 *
 * Assertions of check may be used only in the thread that runs the test.  The other threads
 * count errors in `thread_errors', which the test reads after it has joined them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../resident.h"
#include "../tsan.h"
#include "api.h"
#include "tidy.h"

enum { THREADS = 4 };

static atomic_uint thread_errors;

static void expect(int holds) {
  if (!holds) atomic_fetch_add(&thread_errors, 1);
}

static pthread_t start(void *(*run)(void *), void *arg) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run, arg);
  need_at(error == 0, error);
  return thread;
}

static void join(pthread_t thread) { need(pthread_join(thread, NULL) == 0); }

/* Starts and joins THREADS threads; the argument is the thread's number. */
static void run_all(void *(*run)(void *)) {
  static unsigned numbers[THREADS];
  pthread_t threads[THREADS];
  for (unsigned i = 0; i < THREADS; i++) {
    numbers[i] = i;
    threads[i] = start(run, &numbers[i]);
  }
  for (unsigned i = 0; i < THREADS; i++) join(threads[i]);
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}

/* Returns the resident memory in bytes; 0, with a note in the output, if the system does not
 * report it, or under an emulator (named by tests/matrix), which keeps much memory for each
 * thread that there was. */
static size_t resident(void) {
  size_t bytes = getenv("TEST_EMULATOR") == NULL ? resident_bytes() : 0;
  if (bytes == 0) printf("# no resident size in /proc/self: growth of memory is not measured\n");
  return bytes;
}

/* The head of a block holds its size and the key of its contents, so that any thread can
 * check it. */
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

/* ---- separate threads ------------------------------------------------------ */

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
  churn(suite_random(*(unsigned *)arg), 10000);
  return NULL;
}

START_TEST(threads_with_separate_blocks) { run_all(churn_thread); }
END_TEST

/* ---- passing blocks on ------------------------------------------------------ */

enum { RING = 64, PASSED_ON = 15000 };

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
  ring *in, *out; /* NULL: does not receive, does not send */
  uint64_t random;
} hand;

/* Sent in place of a block if an allocation failed. */
static char substitute;

static void *pass_on(void *arg) {
  hand *h = arg;
  for (unsigned n = 0; n < PASSED_ON; n++) {
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

START_TEST(blocks_freed_by_another_thread) {
  static ring way;
  hand from = {NULL, &way, suite_random(1)};
  hand to = {&way, NULL, suite_random(2)};
  pthread_t a = start(pass_on, &from);
  pthread_t b = start(pass_on, &to);
  join(a);
  join(b);
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}
END_TEST

START_TEST(blocks_exchanged_by_two_threads) {
  static ring there, back;
  hand one = {&back, &there, suite_random(1)};
  hand two = {&there, &back, suite_random(2)};
  pthread_t a = start(pass_on, &one);
  pthread_t b = start(pass_on, &two);
  join(a);
  join(b);
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}
END_TEST

START_TEST(blocks_passed_around_a_circle_of_threads) {
  static ring rings[THREADS];
  static hand hands[THREADS];
  pthread_t threads[THREADS];
  for (unsigned i = 0; i < THREADS; i++) {
    hands[i] = (hand){&rings[i], &rings[(i + 1) % THREADS], suite_random(i)};
    threads[i] = start(pass_on, &hands[i]);
  }
  for (unsigned i = 0; i < THREADS; i++) join(threads[i]);
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}
END_TEST

/* ---- threads that end -------------------------------------------------------- */

enum { LEFT_BLOCKS = 2000 };
static void *left_blocks[LEFT_BLOCKS];

static void *leave_blocks(void *arg) {
  uint64_t random = suite_random(*(unsigned *)arg);
  for (int i = 0; i < LEFT_BLOCKS; i++) left_blocks[i] = make(&random, 11);
  return NULL;
}

static void *free_left_blocks(void *arg) {
  unsigned parity = *(unsigned *)arg % 2;
  for (unsigned i = parity; i < LEFT_BLOCKS; i += 2) destroy(left_blocks[i]);
  return NULL;
}

static void *grow_left_blocks(void *arg) {
  unsigned parity = *(unsigned *)arg % 2;
  for (unsigned i = parity; i < LEFT_BLOCKS; i += 2) {
    head h;
    if (left_blocks[i] == NULL) continue;
    memcpy(&h, left_blocks[i], sizeof h);
    void *p = launder(mia_realloc(left_blocks[i], h.size + i));
    expect(p != NULL);
    if (p != NULL) left_blocks[i] = p;
    expect(intact(left_blocks[i]));
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
  churn(suite_random(7), 1000);
  mia_thread_done();
  mia_thread_done(); /* a second call has nothing to do */
  churn(suite_random(8), 1000);
  return NULL;
}

static void *begin_early(void *arg) {
  mia_thread_init();
  mia_thread_init();
  return leave_blocks(arg);
}

/* Loop index: the way in which the thread ends. */
START_TEST(blocks_left_by_ended_threads) {
  static void *(*const ways[])(void *) = {leave_blocks, leave_and_finish, leave_and_begin_again,
                                          begin_early};
  static unsigned even = 0, odd = 1;
  for (int round = 0; round < 4; round++) {
    join(start(ways[_i], &even));
    if (round % 2 == 1) {
      pthread_t a = start(grow_left_blocks, &even);
      pthread_t b = start(grow_left_blocks, &odd);
      join(a);
      join(b);
    }
    if (round < 2) {
      pthread_t a = start(free_left_blocks, &even);
      pthread_t b = start(free_left_blocks, &odd);
      join(a);
      join(b);
    } else { /* by the main thread, forwards and backwards */
      for (int i = 0; i < LEFT_BLOCKS; i++)
        destroy(left_blocks[round == 2 ? i : LEFT_BLOCKS - 1 - i]);
    }
  }
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}
END_TEST

START_TEST(main_thread_can_call_thread_done) {
  uint64_t random = suite_random(1);
  void *kept = make(&random, 10);
  mia_thread_done();
  churn(random, 2000);
  destroy(kept);
  kept = make(&random, 20);
  mia_thread_done();
  destroy(kept);
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}
END_TEST

/* A destructor of thread-specific data may run after the library's own.  It allocates and
 * frees, also when it is called again because it has set its key again. */
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
  end_later((ending){.random = suite_random(*(unsigned *)arg)});
  return NULL;
}

START_TEST(destructors_allocate_while_the_thread_ends) {
  enum { ROUNDS = 50 };
  need(pthread_key_create(&exit_key, at_thread_exit) == 0);
  for (int round = 0; round < ROUNDS; round++) run_all(uses_a_destructor);
  need(pthread_key_delete(exit_key) == 0);
}
END_TEST

/* ---- collecting and purging ------------------------------------------------------ */

static void *churn_and_tidy(void *arg) {
  enum { ROUNDS = 40 };
  uint64_t random = suite_random(*(unsigned *)arg);
  for (int round = 0; round < ROUNDS; round++) {
    churn(random_next(&random), 300);
    void *big = make(&random, 20);
    tidy(&random);
    destroy(big);
  }
  return NULL;
}

START_TEST(threads_collect_and_purge_at_the_same_time) { run_all(churn_and_tidy); }
END_TEST

enum { STOCK_COUNT = 16384, STOCK_SIZE = 1000 };
#define STOCK_BYTES ((size_t)STOCK_COUNT * STOCK_SIZE)
static void *stock[STOCK_COUNT];

static void fill_stock(void) {
  for (int i = 0; i < STOCK_COUNT; i++) {
    stock[i] = launder(mia_malloc(STOCK_SIZE));
    expect(stock[i] != NULL);
    if (stock[i] != NULL) memset(stock[i], 1, STOCK_SIZE);
  }
}

static void free_stock(void) {
  for (int i = 0; i < STOCK_COUNT; i++) mia_free(stock[i]);
}

/* Fails unless at least half of the freed bytes were returned to the OS. */
static void check_returned(size_t full, size_t after) {
  if (full == 0) return;
  ck_assert_msg(after + STOCK_BYTES / 2 <= full, "%zu bytes resident before, %zu after the purge",
                full, after);
}

START_TEST(purge_returns_free_memory) {
  fill_stock();
  size_t full = resident();
  free_stock();
  /* A part may have been purged before, at its deadline; only the sum counts. */
  mia_purge();
  check_returned(full, resident());
  fill_stock(); /* the memory can be allocated again */
  free_stock();
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}
END_TEST

static atomic_int stage;

static void wait_for(int wanted) {
  while (atomic_load(&stage) != wanted) sched_yield();
}

static void *stock_up_and_sleep(void *arg) {
  (void)arg;
  fill_stock();
  atomic_store(&stage, 1);
  wait_for(2);
  free_stock();
  atomic_store(&stage, 3);
  wait_for(4); /* makes no calls, so the library cannot tell that it is awake */
  churn(suite_random(1), 500);
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
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}
END_TEST

/* ---- bounded growth --------------------------------------------------------------- */

/* Each thread leaves about a megabyte when it ends, which the main thread frees.  If nothing
 * were reused, memory would grow by one megabyte in each round. */
enum { MEGABYTE_COUNT = 4096, MEGABYTE_BLOCK = 256 };
static void *megabyte[MEGABYTE_COUNT];

static void *leave_a_megabyte(void *arg) {
  (void)arg;
  for (int i = 0; i < MEGABYTE_COUNT; i++) {
    megabyte[i] = launder(mia_malloc(MEGABYTE_BLOCK));
    expect(megabyte[i] != NULL);
    if (megabyte[i] != NULL) memset(megabyte[i], i, MEGABYTE_BLOCK);
  }
  return NULL;
}

/* Memory after many rounds must be little more than after the first few. */
static void need_no_growth(void (*round)(void)) {
  enum { WARM_UP = 20, MEASURED = 200 };
  const size_t growth_allowed = 40 * MIB;
  for (int i = 0; i < WARM_UP; i++) round();
  size_t warm = resident();
  for (int i = 0; i < MEASURED && warm > 0; i++) round();
  size_t end = resident();
  ck_assert_msg(end <= warm + growth_allowed, "resident grew from %zu to %zu", warm, end);
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}

static void *free_the_megabyte(void *arg) {
  (void)arg;
  for (int i = 0; i < MEGABYTE_COUNT; i++) mia_free(megabyte[i]);
  return NULL;
}

static void leave_and_free_in_main(void) {
  join(start(leave_a_megabyte, NULL));
  (void)free_the_megabyte(NULL);
}

START_TEST(memory_of_ended_threads_is_reused) { need_no_growth(leave_and_free_in_main); }
END_TEST

/* As above, but freed by another thread that ends, so that the blocks have no owner. */
static void leave_and_free_in_thread(void) {
  join(start(leave_a_megabyte, NULL));
  join(start(free_the_megabyte, NULL));
}

START_TEST(memory_freed_by_ended_threads_is_reused) { need_no_growth(leave_and_free_in_thread); }
END_TEST

/* One thread only allocates and another only frees, many times the memory that is live at a
 * time. */
START_TEST(memory_freed_by_another_thread_is_reused) {
  static ring way;
  const size_t growth_allowed = 40 * MIB;
  size_t before = resident();
  for (int round = 0; round < 4; round++) {
    hand from = {NULL, &way, suite_random(1)};
    hand to = {&way, NULL, suite_random(2)};
    pthread_t a = start(pass_on, &from);
    pthread_t b = start(pass_on, &to);
    join(a);
    join(b);
  }
  size_t end = resident();
  ck_assert_msg(end <= before + growth_allowed, "resident grew from %zu to %zu", before, end);
  ck_assert_uint_eq(atomic_load(&thread_errors), 0);
}
END_TEST

static void *live_shortly(void *arg) {
  uint64_t random = suite_random(*(unsigned *)arg);
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

SUITE("api/threads") {
  CASE(NULL, NULL);
  TEST(threads_with_separate_blocks);
  TEST(blocks_freed_by_another_thread);
  TEST(blocks_exchanged_by_two_threads);
  TEST(blocks_passed_around_a_circle_of_threads);
  LOOP(blocks_left_by_ended_threads, 0, 4);
  TEST(main_thread_can_call_thread_done);
  TEST(destructors_allocate_while_the_thread_ends);
  TEST(threads_collect_and_purge_at_the_same_time);
  TEST(purge_returns_free_memory);
  TEST(purge_reaches_sleeping_threads);
  TEST(memory_of_ended_threads_is_reused);
  TEST(memory_freed_by_ended_threads_is_reused);
  TEST(memory_freed_by_another_thread_is_reused);
  TEST(two_thousand_short_threads);
}
