/* string.h -- the libc's, with what writes memory where the checker sees it. */
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
