/* replay.h -- makes a test program of a fuzzer's entry point.
 *
 * With -DFUZZ_ENGINE a target consists of LLVMFuzzerTestOneInput only, for libFuzzer or
 * AFL++'s driver.  Otherwise it has a main that runs it on the files that its arguments name,
 * or without arguments on the checked-in corpus and on random streams, and prints TAP.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_REPLAY_H
#define MIA_TEST_REPLAY_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/pattern.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#ifndef FUZZ_ENGINE

enum {
  REPLAY_BYTES_MAX = 1 << 16,
  REPLAY_NAME_MAX = 1024,
  REPLAY_RANDOM_BYTES = 3000,
  REPLAY_EMULATED = 8 /* under an emulator, one of so many random streams */
};

static inline bool replay_file(const char *name) {
  static unsigned char data[REPLAY_BYTES_MAX];
  FILE *file = fopen(name, "rb");
  if (file == NULL) return false;
  size_t size = fread(data, 1, sizeof data, file);
  bool good = !ferror(file);
  (void)fclose(file);
  if (good) (void)LLVMFuzzerTestOneInput(data, size);
  return good;
}

/* Returns the number of files that were run; the caller treats 0 as an error. */
static inline int replay_corpus(const char *target) {
  char name[REPLAY_NAME_MAX];
  const char *source = getenv("top_srcdir");
  int count = 0;
  snprintf(name, sizeof name, "%s/tests/fuzz/corpus/%s", source != NULL ? source : ".", target);
  DIR *folder = opendir(name);
  if (folder == NULL) return 0;
  size_t length = strlen(name);
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(name + length, sizeof name - length, "/%s", entry->d_name);
    if (replay_file(name)) count++;
  }
  (void)closedir(folder);
  return count;
}

static inline void replay_random(uint64_t seed, int streams) {
  static unsigned char data[REPLAY_RANDOM_BYTES];
  for (int i = 0; i < streams; i++) {
    for (size_t j = 0; j < sizeof data; j++) data[j] = (unsigned char)random_next(&seed);
    (void)LLVMFuzzerTestOneInput(data, sizeof data);
  }
}

static inline int replay_main(int argc, char **argv, const char *target, int streams) {
  if (argc > 1) {
    bool good = true;
    for (int i = 1; i < argc; i++) good &= replay_file(argv[i]);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  uint64_t seed = random_seed();
  printf("1..2\n# seed %ju\n", (uintmax_t)seed);
  fflush(stdout);
  int files = replay_corpus(target);
  printf("%sok 1 - the corpus was run (%d files)\n", files > 0 ? "" : "not ", files);
  fflush(stdout);
  if (getenv("TEST_EMULATOR") != NULL) streams /= REPLAY_EMULATED;
  replay_random(seed, streams);
  printf("ok 2 - random streams (%d)\n", streams);
  return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define REPLAY(target, streams) \
  int main(int argc, char **argv) { return replay_main(argc, argv, target, streams); }
#else
#define REPLAY(target, streams)
#endif

#endif
