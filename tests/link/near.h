/* SPDX-License-Identifier: MIT */
/* near.h -- a library, or a part of the program, that loads another library. */
#ifndef NEAR_H
#define NEAR_H

/* Returns what was not found, or NULL. */
const char *near_load(void);

#endif
