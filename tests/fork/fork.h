/* fork.h -- what library.c and handlers.c share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIA_TEST_FORK_H
#define MIA_TEST_FORK_H

struct fork_counts {
  unsigned prepared, in_parent, in_child; /* handlers that completed */
  unsigned threads;                       /* threads started by handlers that completed */
};
extern struct fork_counts fork_counts;

void fork_register(void);
void fork_allocate(void);
void fork_allocate_locked(void);

#endif
