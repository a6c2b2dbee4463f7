/* near.h -- a library, or a part of the program, that loads another. */
#ifndef NEAR_H
#define NEAR_H

/* What was not found; NULL: all was. */
const char *near_load(void);

#endif
