/* SPDX-License-Identifier: MIT */
/* A program with two copies of mialloc, static or shared: the ordinary one, by its header,
 * and one whose names begin with acme_, of which it declares what it needs. */
#include <mialloc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void *acme_malloc(size_t size);
void acme_free(void *p);
size_t acme_usable_size(const void *p);
bool acme_any_heap_contains(const void *p);

/* Frees the block in another process, which must not survive that. */
static int refused(void (*volatile release)(void *), void *p) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    if (freopen("/dev/null", "w", stderr) == NULL) _exit(0);
    release(p);
    _exit(0);
  }
  return waitpid(child, &status, 0) == child && WIFSIGNALED(status);
}

int main(void) {
  for (size_t size = 1; size < 1 << 22; size = size * 2 + 1) {
    char *ours = mia_malloc(size);
    char *theirs = acme_malloc(size);
    if (ours == NULL || theirs == NULL) return 1;
    memset(ours, 1, size);
    memset(theirs, 2, acme_usable_size(theirs));
    if (ours[size - 1] != 1) return 2;
    if (!mia_any_heap_contains(ours) || mia_any_heap_contains(theirs)) return 3;
    if (!acme_any_heap_contains(theirs) || acme_any_heap_contains(ours)) return 4;
    if (size < 100 && (!refused(mia_free, theirs) || !refused(acme_free, ours))) return 5;
    mia_free(ours);
    acme_free(theirs);
  }
  puts("two copies");
  return 0;
}
