/* trees.c -- trees that are built and freed while an older one stays: the syntax trees and
 * tables of a compiler, or of anything that works in passes.
 *
 *   trees DEPTH ROUNDS
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

typedef struct node {
  struct node *left, *right;
  char *name;
  unsigned kind;
} node;

static node *build(unsigned depth, uint64_t *random) {
  node *n = load_take(sizeof *n);
  n->kind = depth;
  n->name = NULL;
  n->left = n->right = NULL;
  if (depth == 0) {
    size_t length = 4 + (size_t)(load_random(random) >> 20) % 24;
    n->name = load_take(length);
    return n;
  }
  n->left = build(depth - 1, random);
  n->right = build(depth - 1, random);
  return n;
}

static size_t weight(const node *n) {
  return n == NULL ? 0 : 1 + weight(n->left) + weight(n->right);
}

static void drop(node *n) {
  if (n == NULL) return;
  drop(n->left);
  drop(n->right);
  free(n->name);
  free(n);
}

int main(int argc, char **argv) {
  unsigned depth = (unsigned)load_argument(argc, argv, 1, 16);
  size_t rounds = load_argument(argc, argv, 2, 20);
  uint64_t random = load_seed(0);
  node *kept = build(depth, &random);
  size_t sum = 0;
  for (size_t i = 0; i < rounds; i++) {
    node *passing = build(depth, &random);
    sum += weight(passing) + weight(kept);
    drop(passing);
  }
  drop(kept);
  return sum > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
