/* linux.c -- the part of the platform contract that Linux does its own way. */
#include "base/prelude.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What every Linux port supports; the kernel tells the truth through auxv. */
enum { PAGE_SIZE_DEFAULT = 4096 };

size_t mia_os_page_size(void) {
  unsigned long size = getauxval(AT_PAGESZ);
  return size != 0 ? (size_t)size : PAGE_SIZE_DEFAULT;
}

/* ---- memory that the process locks (mlock, mlockall) ---- */

/* Headers may be older than the kernel. */
enum {
  COLD = 20,            /* MADV_COLD, since Linux 5.4 */
  DONTNEED_LOCKED = 24, /* MADV_DONTNEED_LOCKED, since Linux 5.18 */
  LOCK_ON_FAULT = 1     /* MLOCK_ONFAULT, since Linux 4.4 */
};

/* From here on pages are locked when they come, not all at once. */
static bool lock_on_fault(void *start, size_t size) {
#ifdef SYS_mlock2
  return syscall(SYS_mlock2, start, size, LOCK_ON_FAULT) == 0;
#else
  (void)start, (void)size;
  return false;
#endif
}

/* Of a kernel that does not purge what is locked.  Where the process locks what it
 * maps this is locked again; that it can be is tried before anything is undone. */
static bool purge_unlocked(void *start, size_t size) {
  bool again = mia_os_locks();
  if ((again && !lock_on_fault(start, size)) || munlock(start, size) != 0) return false;
  bool purged = madvise(start, size, MADV_DONTNEED) == 0;
  if (again) (void)lock_on_fault(start, size);
  return purged;
}

/* EINVAL: some of it is locked. */
bool mia_os_purge(void *start, size_t size) {
  if (madvise(start, size, MADV_DONTNEED) == 0) return true;
  if (errno != EINVAL) return false;
  return madvise(start, size, DONTNEED_LOCKED) == 0 ||
         (errno == EINVAL && purge_unlocked(start, size));
}

/* What cannot be written to is not backed, so that it costs nothing to look.  EAGAIN:
 * as much is locked as may be. */
bool mia_os_locks(void) {
  size_t size = mia_os_page_size();
  void *p = mia_os_reserve(size, false);
  if (p == NULL) return errno == EAGAIN;
  bool locks = madvise(p, size, MADV_DONTNEED) != 0 && errno == EINVAL;
  (void)mia_os_release(p, size);
  return locks;
}

/* Advice that is refused for what is locked, and else changes no content; of nothing,
 * it is refused by a kernel that does not know it. */
bool mia_os_is_locked(void *start) {
  return madvise(start, mia_os_page_size(), COLD) != 0 && errno == EINVAL &&
         madvise(start, 0, COLD) == 0;
}

/* ---- sizes of pages, and of mappings ---- */

void mia_os_small_pages(void *start, size_t size) {
  /* EINVAL where the kernel has no transparent huge pages: nothing to do. */
  (void)madvise(start, size, MADV_NOHUGEPAGE);
}

void mia_os_large_pages(void *start, size_t size) { (void)madvise(start, size, MADV_HUGEPAGE); }

/* A tail is unmapped, not cut off by mremap: the same to the kernel, whereas
 * qemu-user 7.2 (32-bit hosts) would unmap what lies behind the block. */
bool mia_os_resize(void *start, size_t size, size_t wanted) {
  if (wanted < size) return mia_os_release((char *)start + wanted, size - wanted);
  return mremap(start, size, wanted, 0) != MAP_FAILED;
}

/* The kernel chooses the place: where it is told one, it may have unmapped what
 * was there before it fails. */
void *mia_os_move(void *start, size_t size, size_t wanted) {
  void *to = mremap(start, size, wanted, MREMAP_MAYMOVE);
  return to != MAP_FAILED ? to : NULL;
}

/* Linux 5.7; an older one refuses.  Headers may be older than the kernel. */
enum { DONT_UNMAP = 4 /* MREMAP_DONTUNMAP */ };

/* To the kernel the second call is nothing; qemu-user 7.2 believes that the old place
 * is gone until it is told. */
void *mia_os_detach(void *start, size_t size) {
  if (mia_os_is_locked(start)) return NULL; /* what stays would not be any more */
  void *to = mremap(start, size, size, MREMAP_MAYMOVE | DONT_UNMAP, NULL);
  if (to == MAP_FAILED) return NULL;
  (void)mprotect(start, size, PROT_READ | PROT_WRITE);
  return to;
}

/* qemu-user 7.2 never purges again what was detached, and says that it did. */
bool mia_os_can_detach(void) {
  size_t size = mia_os_page_size();
  volatile char *p = mia_os_reserve(size, true);
  if (p == NULL) return false;
  char *start = (char *)(uintptr_t)p, *to = mia_os_detach(start, size);
  *p = 1;
  bool can = to != NULL && mia_os_purge(start, size) && *p == 0;
  if (to != NULL) (void)mia_os_release(to, size);
  (void)mia_os_release(start, size);
  return can;
}

bool mia_os_privileged(void) { return getauxval(AT_SECURE) != 0; }

static ssize_t read_file(const char *name, char *text, size_t size) {
  int cancel = mia_os_put_off_cancel();
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, text, size) : -1;
  if (fd >= 0) (void)close(fd);
  mia_os_allow_cancel(cancel);
  return n;
}

/* "123 45 ...": OS pages in all, OS pages resident. */
size_t mia_os_resident(void) {
  char text[64];
  ssize_t n = read_file("/proc/self/statm", text, sizeof text - 1);
  const char *end = text + (n > 0 ? n : 0);
  const char *at = text;
  while (at < end && *at != ' ') at++;
  size_t pages = 0;
  for (at++; at < end && *at >= '0' && *at <= '9'; at++) pages = pages * 10 + (size_t)(*at - '0');
  return pages * mia_os_page_size();
}

enum {
  FLAG_SIZE_SHIFT = 26, /* MAP_HUGE_SHIFT */
  POPULATE_WRITE = 23,  /* MADV_POPULATE_WRITE, since Linux 5.14 */
  PREFER = 1,           /* MPOL_PREFERRED */
  NODES = sizeof(unsigned long) * CHAR_BIT
};

/* A wish: where the kernel does not follow it memory is somewhat farther away. */
static void prefer_node(void *start, size_t size, int node) {
  const unsigned long mask = node >= 0 && node < NODES ? 1ul << node : 0;
  /* The kernel takes one less than it is told. */
  if (mask != 0) (void)syscall(SYS_mbind, start, size, PREFER, &mask, NODES + 1ul, 0u);
}

/* An older kernel has the pages on their first use, of those it set aside. */
static bool populate(void *start, size_t size) {
  return madvise(start, size, POPULATE_WRITE) == 0 || errno == EINVAL;
}

void *mia_os_reserve_huge(void *place, size_t size, size_t os_page, int node) {
  if (size == 0) return NULL;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
              __builtin_ctzl(os_page) << FLAG_SIZE_SHIFT;
  void *p = mmap(place, size, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (p == MAP_FAILED) return NULL;
  prefer_node(p, size, node);
  if ((place == NULL || p == place) && populate(p, size)) return p;
  (void)mia_os_release(p, size);
  return NULL;
}
