/* atfork.h -- a name by which the object of atfork.c comes with that of override.c. */
#ifndef MIA_API_ATFORK_H
#define MIA_API_ATFORK_H

extern const char mia_api_is_before_forks __attribute__((visibility("hidden")));

#endif
