/* SPDX-License-Identifier: MIT */
/* arena.c -- a heap in memory of the program's choice: here, a file.
 *
 *   cc arena.c $(pkg-config --cflags --libs mialloc) && ./a.out FILE
 *
 * What is stored in the blocks is in the file, which may be larger than memory: the
 * system writes it there when it needs room.  The same is done for memory of a
 * device, for memory that processes share, or for a NUMA node.
 *
 * mialloc calls `commit' when it begins to use a range of the arena and when it
 * does not need it any more; here the latter makes a hole in the file. */
#define _GNU_SOURCE
#include <mialloc/heap.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 64 << 20, BLOCKS = 1000, BLOCK = 10000 };

typedef struct mapped {
  int fd;
  char *start;
} mapped;

/* Called with locks held: no allocation here. */
static bool commit(bool wanted, void *start, size_t size, bool *is_zero, void *arg) {
  const mapped *m = arg;
  if (wanted) {
    *is_zero = false; /* a file system without holes keeps what was there */
    return true;
  }
  return fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (char *)start - m->start,
                   (off_t)size) == 0;
}

static bool map(mapped *m, const char *name) {
  m->fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (m->fd < 0 || ftruncate(m->fd, SIZE) != 0) return false;
  m->start = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
  return m->start != MAP_FAILED;
}

int main(int argc, char **argv) {
  mapped m;
  mia_arena *arena;
  if (argc != 2) {
    fprintf(stderr, "usage: %s FILE\n", argv[0]);
    return 2;
  }
  if (!map(&m, argv[1])) {
    perror(argv[1]);
    return 1;
  }

  /* committed, not pinned, not known to be zero, of no node, for our heap alone */
  if (mia_manage_memory(m.start, SIZE, MIA_ARENA_IS_COMMITTED | MIA_ARENA_IS_EXCLUSIVE, commit, &m,
                        &arena) != 0)
    return 1;
  mia_heap *heap = mia_heap_new_in_arena(arena);
  if (heap == NULL) return 1;

  size_t in_file = 0;
  for (int i = 0; i < BLOCKS; i++) {
    char *p = mia_heap_malloc(heap, BLOCK);
    if (p == NULL) return 1;
    memset(p, 'm', BLOCK);
    in_file += mia_arena_contains(arena, p);
  }
  printf("%zu of %d blocks are in %s\n", in_file, BLOCKS, argv[1]);

  /* the heap first: an arena that somebody may use cannot be unloaded */
  mia_heap_destroy(heap);
  bool ended = mia_arena_unload(arena);
  munmap(m.start, SIZE);
  close(m.fd);
  return in_file == BLOCKS && ended ? 0 : 1;
}
