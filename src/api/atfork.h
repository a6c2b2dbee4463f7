/* SPDX-License-Identifier: MIT */
/* atfork.h -- a symbol that links the object of atfork.c together with that of override.c. */
#ifndef MIA_API_ATFORK_H
#define MIA_API_ATFORK_H

extern const char mia_api_atfork_is_linked __attribute__((visibility("hidden")));

#endif
