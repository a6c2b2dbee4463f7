/* SPDX-License-Identifier: MIT */
/* string.h -- the C library's, but its memory functions call the checker. */
#ifndef TESTS_RACE_STRING_H
#define TESTS_RACE_STRING_H

#include_next <string.h>

#include "engine.h"

#undef memset
#undef memcpy
#undef memmove
#define memset race_memset
#define memcpy race_memcpy
#define memmove race_memmove

#endif
