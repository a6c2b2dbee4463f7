/* measure.c -- runs a program and reports what it used.
 *
 *   measure PROCESSOR SECONDS RESULT PROGRAM [ARGUMENT...]
 *
 * The program runs on PROCESSOR, or on any if that is negative, and is ended after SECONDS.
 * Writes to the file RESULT: exit status (128 + n after signal n), seconds of wall-clock
 * time, seconds of processor time, peak memory in bytes, page faults without and with disk
 * access, voluntary and involuntary context switches; children included.
 *
 * This is a separate program because a process starts with the peak memory of the process
 * that forked it, and this one is small.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE 1 /* sched_setaffinity */

#include "clock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS = 5, CANNOT_RUN = 127, SIGNALLED = 128, KIB = 1024 };

static pid_t child;

static void end(int signal_number) {
  (void)signal_number;
  kill(child, SIGKILL);
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static void run(int processor, char **argv) {
  if (processor >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) perror("measure: sched_setaffinity");
  }
  execvp(argv[0], argv);
  perror(argv[0]);
  _exit(CANNOT_RUN);
}

int main(int argc, char **argv) {
  if (argc < ARGUMENTS) {
    fputs("usage: measure PROCESSOR SECONDS RESULT PROGRAM [ARGUMENT...]\n", stderr);
    return EXIT_FAILURE;
  }
  int status;
  struct rusage used;
  double start = clock_seconds();
  child = fork();
  if (child == 0) run(atoi(argv[1]), argv + ARGUMENTS - 1);
  if (child < 0) return EXIT_FAILURE;
  signal(SIGALRM, end);
  alarm((unsigned)atoi(argv[2]));
  while (wait4(child, &status, 0, &used) != child)
    if (errno != EINTR) return EXIT_FAILURE;
  double wall = clock_seconds() - start;
  FILE *result = fopen(argv[3], "w");
  if (result == NULL) return EXIT_FAILURE;
  fprintf(result, "%d %.6f %.6f %ld %ld %ld %ld %ld\n",
          WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status), wall,
          seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss * KIB, used.ru_minflt,
          used.ru_majflt, used.ru_nvcsw, used.ru_nivcsw);
  return fclose(result) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
