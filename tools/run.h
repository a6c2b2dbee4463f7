/* run.h -- what the parts of mialloc-run have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TOOLS_RUN_H
#define MIA_TOOLS_RUN_H

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>

#include "file.h"

/* Exit statuses are those of env, nice and timeout. */
enum {
  WRONG_USE = 125, /* an option is wrong, or the library is missing */
  NOT_RUN = 126,   /* the program cannot be run, or not with mialloc */
  NOT_FOUND = 127  /* there is no such program */
};

/* The library, as find_library found it. */
typedef struct library {
  char folder[PATH_MAX];
  char file[PATH_MAX]; /* its path */
  file_facts facts;
} library;

/* A program that may be run, and what stands between its name and an ELF file. */
typedef struct target {
  const char *name;       /* as the user wrote it */
  char file[PATH_MAX];    /* the file of that name */
  char program[PATH_MAX]; /* the ELF file that will run: `file', or its interpreter */
  char why[2 * PATH_MAX]; /* why the library cannot be loaded into it; otherwise empty */
  file_facts facts;       /* of `file' */
} target;

/* Writes a message and ends with that status. */
_Noreturn void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Finds the program NAME as the shell would.  Returns false if there is none. */
bool find_program(const char *name, char file[PATH_MAX]);

/* Finds the library by the place of this program: an installed tree may be moved. */
void find_library(library *ours);

/* Sets LD_PRELOAD so that the library comes first. */
void load(const library *ours);

/* Finds out whether the library can be loaded into the program NAME; ends if there is none. */
void find_target(const char *name, const library *ours, target *t);

/* Prints which malloc the program will have, and why.  Returns an exit status. */
int check(const target *t, const library *ours);

/* Checks NAME=VALUE with the library, and sets it in the environment. */
void choose(const char *setting, const library *ours);

/* Prints the library's options with their values. */
void list_options(const library *ours);

#endif
