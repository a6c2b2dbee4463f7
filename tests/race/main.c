/* SPDX-License-Identifier: MIT */
/* main.c -- runs the models; prints TAP.
 *
 *   models [-a] [-t] [NAME...]   runs the models that do not take long; -a: all models;
 *                                NAME: models whose names begin with it; -t: shows how
 *                                a model failed
 *   models -w SITE=ORDER ...     as above, with a weaker order at one site
 *   models [-a] -m < SITES       likewise; then, with each line "SITE ORDER" in force, at
 *                                least one of these models must fail
 *
 * Each model runs in a process of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine.h"
#include "models.h"

enum { LIMIT_SECONDS = 240, LINE = 256 }; /* the limit is processor time of one model */

static const race_model *const *const groups[] = {
    race_litmus,       race_models_owner, race_models_live, race_models_map,
    race_models_arena, race_models_theap, race_models_api};
enum { GROUPS = sizeof groups / sizeof groups[0], MODELS_MAX = 128 };

/* All models, the litmus tests first. */
static const race_model *models[MODELS_MAX];
static size_t model_count, litmus_count;

static void list_models(void) {
  for (size_t g = 0; g < GROUPS; g++) {
    for (const race_model *const *m = groups[g]; *m != NULL; m++) {
      if (model_count == MODELS_MAX) abort();
      models[model_count++] = *m;
    }
    if (g == 0) litmus_count = model_count;
  }
}

typedef struct shared {
  race_result result;
  race_site_table sites;
} shared;

static shared *common;

/* Returns the processor time that models have taken. */
static double seconds(void) {
  struct rusage used;
  (void)getrusage(RUSAGE_CHILDREN, &used);
  return (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6;
}

static void limit_time(void) {
  const struct rlimit limit = {.rlim_cur = LIMIT_SECONDS, .rlim_max = LIMIT_SECONDS + 1};
  if (setrlimit(RLIMIT_CPU, &limit) != 0) race_fail("no limit can be set");
}

/* Runs a model; the result is in `common'.  Returns false if the time limit ended it. */
static bool run(const race_model *model, bool traced) {
  common->result = (race_result){.traced = traced};
  (void)fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    limit_time();
    race_explore(model, &common->result);
    _exit(EXIT_SUCCESS);
  }
  int status = EXIT_FAILURE;
  if (child < 0 || waitpid(child, &status, 0) != child) status = EXIT_FAILURE;
  char *failure = common->result.failure;
  size_t room = sizeof common->result.failure;
  if (status != 0 && failure[0] == 0) {
    if (WIFSIGNALED(status))
      (void)snprintf(failure, room, "ended by signal %d", WTERMSIG(status));
    else
      (void)snprintf(failure, room, "ended with status %d", status);
  }
  return !(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
}

/* Returns true if the model found what it has to find. */
static bool as_expected(const race_model *model) {
  const char *failure = common->result.failure;
  if (model->finds == NULL) return failure[0] == 0;
  return strncmp(failure, model->finds, strlen(model->finds)) == 0;
}

/* ---- running models ---- */

static bool is_wanted(const race_model *model, bool all, char **names, int count) {
  for (int i = 0; i < count; i++)
    if (strncmp(model->name, names[i], strlen(names[i])) == 0) return true;
  return count == 0 && (all || !model->longer);
}

static double took[MODELS_MAX];

static bool run_and_print(size_t m, bool traced, int number) {
  const race_model *model = models[m];
  const race_result *r = &common->result;
  double start = seconds();
  (void)run(model, traced);
  took[m] = seconds() - start;
  bool good = as_expected(model);
  printf("%s %d - %s (%s): %lu executions, %lu states, %.2f s", good ? "ok" : "not ok", number,
         model->name, model->subject, r->executions + r->repeated, r->states, took[m]);
  if (r->failure[0] != 0) printf(": %s", r->failure);
  printf("\n");
  return good;
}

static bool run_all(bool all, bool traced, char **names, int count) {
  int number = 0;
  bool good = true;
  for (size_t i = 0; i < model_count; i++)
    if (is_wanted(models[i], all, names, count)) good = run_and_print(i, traced, ++number) && good;
  printf("1..%d\n", number);
  return good && number > 0;
}

/* ---- weaker orders ---- */

static const char *const order_names[] = {"relaxed", "acq", "rel", "acq_rel"};

static race_order order_of(const char *name) {
  for (size_t i = 0; i < sizeof order_names / sizeof order_names[0]; i++)
    if (strcmp(order_names[i], name) == 0) return (race_order)i;
  fprintf(stderr, "no such order: %s\n", name);
  exit(2);
}

static race_site *site_of(const char *name) {
  race_site_table *t = &common->sites;
  for (size_t i = 0; i < t->count; i++)
    if (strcmp(t->sites[i].name, name) == 0) return &t->sites[i];
  return NULL;
}

/* Returns a site that may not have been run yet. */
static race_site *make_site(const char *name) {
  race_site *s = site_of(name);
  if (s != NULL) return s;
  s = &common->sites.sites[common->sites.count++];
  (void)snprintf(s->name, sizeof s->name, "%s", name);
  return s;
}

/* The sites that each model runs, and the models ordered by the time they take, the shortest first:
 * a cheap model may detect a weaker order as well as an expensive one. */
static unsigned char runs_site[MODELS_MAX][RACE_SITES];
static size_t by_time[MODELS_MAX], ordered;

static void put_in_order(size_t m) {
  size_t k = ordered++;
  for (; k > 0 && took[by_time[k - 1]] > took[m]; k--) by_time[k] = by_time[k - 1];
  by_time[k] = m;
}

static bool find_sites(bool all, int *number) {
  race_site_table *t = &common->sites;
  bool good = true;
  for (size_t m = 0; m < model_count; m++) {
    if (!is_wanted(models[m], all, NULL, 0)) continue;
    for (size_t i = 0; i < t->count; i++) t->sites[i].seen = false;
    good = run_and_print(m, false, ++*number) && good;
    if (m >= litmus_count) put_in_order(m);
    for (size_t i = 0; i < t->count; i++) runs_site[m][i] = t->sites[i].seen;
  }
  return good;
}

/* Returns a model that fails if the site has the weaker order, or NULL if none does. */
static const race_model *find_failing_model(race_site *site, race_order order) {
  size_t i = (size_t)(site - common->sites.sites);
  const race_model *found = NULL;
  site->used = order;
  for (size_t k = 0; k < ordered && found == NULL; k++) {
    size_t m = by_time[k];
    if (runs_site[m][i] && run(models[m], false) && !as_expected(models[m])) found = models[m];
  }
  site->used = site->order;
  return found;
}

static bool mutate(bool all) {
  char line[LINE], name[LINE], order[LINE];
  int number = 0, survived = 0;
  if (!find_sites(all, &number)) return false;
  int first = number;
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "%255s %255s", name, order) != 2) continue;
    race_site *site = site_of(name);
    double start = seconds();
    const race_model *model = site != NULL ? find_failing_model(site, order_of(order)) : NULL;
    if (model == NULL) survived++;
    printf("%s %d - %s made %s", model != NULL ? "ok" : "not ok", ++number, name, order);
    if (model != NULL)
      printf(": %s in %s, %.2f s\n", common->result.failure, model->name, seconds() - start);
    else
      printf(": %s\n", site != NULL ? "no model minds" : "no model comes there");
    (void)fflush(stdout);
  }
  int weakened = number - first;
  printf("# %d orders weakened, %d noticed, %d not\n1..%d\n", weakened, weakened - survived,
         survived, number);
  return survived == 0 && weakened > 0;
}

int main(int argc, char **argv) {
  bool all = false, traced = false, mutating = false;
  common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (common == MAP_FAILED) return 2;
  race_sites = &common->sites;
  list_models();
  for (int option; (option = getopt(argc, argv, "tamw:")) != -1;) {
    if (option == 't')
      traced = true;
    else if (option == 'a')
      all = true;
    else if (option == 'm')
      mutating = true;
    else if (option == 'w' && strchr(optarg, '=') != NULL) {
      char *order = strchr(optarg, '=');
      *order++ = 0;
      make_site(optarg)->used = order_of(order);
    } else
      return 2;
  }
  bool good = mutating ? mutate(all) : run_all(all, traced, argv + optind, argc - optind);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
