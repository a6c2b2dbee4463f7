/* SPDX-License-Identifier: MIT */
/* node.h -- NUMA nodes: which arenas are near a thread.
 *
 * The kernel backs memory on the node of the thread that touches it first.  So a new arena is of
 * the node of the thread that needs it, and threads take spans from arenas of their node: then
 * memory that is used again is near too.  This is a preference, and nothing is ever bound to a
 * node.  Arenas that belong to no node are near all threads: the first one, exclusive ones, and
 * those that the program reserves or supplies without a node.
 *
 * The system has several nodes as soon as a thread was seen on one whose number is not 0.  The node
 * is asked for each arena behind the first, and for each thread that begins later.  With one node, or
 * if the system does not tell, every arena is near. */
#ifndef MIA_ARENA_NODE_H
#define MIA_ARENA_NODE_H

#include "arena/arena.h"
#include "os/os.h"

/* Nodes are named by their number + 1, so that in structures of zeroes no node is named. */
enum { MIA_NODE_ANY = 0 };
mia_inline unsigned mia_node_of_number(int number) {
  return number >= 0 ? (unsigned)number + 1 : MIA_NODE_ANY;
}

mia_inline bool mia_arena_has_nodes(void) {
  return mia_unlikely(mia_aword_get(&mia_arena_all.nodes) != 0);
}

/* To be called with each node that is seen. */
mia_inline void mia_arena_note_node(unsigned node) {
  if (node > mia_node_of_number(0) && !mia_arena_has_nodes())
    mia_aword_set(&mia_arena_all.nodes, 1);
}

/* Asks the OS for the node of the calling thread, and notes it.  MIA_NODE_ANY: that is not known.  A
 * 32-bit address space is too small for arenas by node. */
mia_inline unsigned mia_arena_ask_node(void) {
  unsigned node = MIA_POINTER_64 ? mia_node_of_number(mia_os_node()) : MIA_NODE_ANY;
  mia_arena_note_node(node);
  return node;
}

/* How far an arena is from a node, in the order in which arenas are used.  Memory that is backed and
 * is never purged costs the same whether it is used or not: so it is used before there is another
 * arena. */
typedef enum mia_distance { MIA_NEAR, MIA_FAR_BACKED, MIA_FAR } mia_distance;
mia_inline mia_distance mia_arena_distance(const mia_arena *arena, unsigned node) {
  if (mia_likely(node == MIA_NODE_ANY)) return MIA_NEAR;
  if (arena->node == node || arena->node == MIA_NODE_ANY) return MIA_NEAR;
  return arena->pinned ? MIA_FAR_BACKED : MIA_FAR;
}
mia_inline bool mia_arena_is_near(const mia_arena *arena, unsigned node) {
  return mia_arena_distance(arena, node) == MIA_NEAR;
}

/* Takes a span like mia_arena_take, near `node' if memory that is near is to be had. */
bool mia_arena_take_near(unsigned node, size_t slices, size_t align, mia_span *span);

#endif
