/* node.c -- what the OS knows of NUMA nodes. */
#include "base/prelude.h"

#include "arena/node.h"
#include "os/os.h"

/* A 32-bit address space is too small for arenas by node. */
void mia_arena_learn_nodes(void) {
  if (mia_aword_get(&mia_arena_all.nodes) != MIA_NODES_UNKNOWN) return;
  bool several = MIA_POINTER_64 && mia_os_has_nodes();
  mia_aword_set(&mia_arena_all.nodes, several ? MIA_NODES_SEVERAL : MIA_NODES_ONE);
}

unsigned mia_arena_node_here(void) {
  return mia_arena_has_nodes() ? mia_node_of_number(mia_os_node()) : MIA_NODE_ANY;
}
