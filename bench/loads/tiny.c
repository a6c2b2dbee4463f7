/* tiny.c -- programs that start, do next to nothing and end: scripts, build steps.  Executes
 * itself COUNT times, one after the other.
 *
 *   tiny COUNT
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

enum { BLOCKS = 100 };

static int child(void) {
  void *blocks[BLOCKS];
  uint64_t random = load_seed(0);
  for (int i = 0; i < BLOCKS; i++) blocks[i] = load_take(load_size(&random, 1024));
  for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
  return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
  size_t count = load_argument(argc, argv, 1, 400);
  if (count == 0) return child();
  for (size_t n = 0; n < count; n++) {
    pid_t pid;
    int status;
    char *again[] = {argv[0], (char[]){"0"}, NULL};
    if (posix_spawn(&pid, argv[0], NULL, NULL, again, environ) != 0) load_fail("no process");
    if (waitpid(pid, &status, 0) != pid || status != 0) load_fail("a process failed");
  }
  return EXIT_SUCCESS;
}
