/* SPDX-License-Identifier: MIT */
/* linux.c -- the part of the platform contract that is specific to Linux. */
#include "base/prelude.h"

#include "os/os.h"
#include "os/tags.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Used where OS pages have no other size, or if the kernel does not pass it in auxv. */
enum { PAGE_SIZE_DEFAULT = 4096 };

#if defined __x86_64__ || defined __i386__ || defined __s390__
#define PAGE_SIZE_IS_FIXED 1
#else
#define PAGE_SIZE_IS_FIXED 0
#endif

/* Where the size is known, a pair of large blocks takes 0.95 of the instructions. */
size_t mia_os_page_size(void) {
  unsigned long size = PAGE_SIZE_IS_FIXED ? PAGE_SIZE_DEFAULT : getauxval(AT_PAGESZ);
  return size != 0 ? (size_t)size : PAGE_SIZE_DEFAULT;
}

/* ---- memory that the process locks (mlock, mlockall) ---- */

/* Not all headers have these: headers may be older than the kernel. */
enum {
  COLD = 20,            /* MADV_COLD, since Linux 5.4 */
  DONTNEED_LOCKED = 24, /* MADV_DONTNEED_LOCKED, since Linux 5.18 */
  LOCK_ON_FAULT = 1     /* MLOCK_ONFAULT, since Linux 4.4 */
};

/* Locks the pages of the range, those that are not yet backed when they first are. */
static bool lock_on_fault(void *start, size_t size) {
#ifdef SYS_mlock2
  return syscall(SYS_mlock2, start, size, LOCK_ON_FAULT) == 0;
#else
  (void)start, (void)size;
  return false;
#endif
}

/* For kernels that do not purge locked memory.  If the process locks what it maps, the
 * range is locked again afterwards; that this is possible is checked first. */
static bool purge_unlocked(void *start, size_t size) {
  bool again = mia_os_locks();
  if ((again && !lock_on_fault(start, size)) || munlock(start, size) != 0) return false;
  bool purged = madvise(start, size, MADV_DONTNEED) == 0;
  if (again) (void)lock_on_fault(start, size);
  return purged;
}

/* madvise fails with EINVAL if a part of the range is locked. */
bool mia_os_purge(void *start, size_t size) {
  if (madvise(start, size, MADV_DONTNEED) == 0) return true;
  if (errno != EINVAL) return false;
  return madvise(start, size, DONTNEED_LOCKED) == 0 ||
         (errno == EINVAL && purge_unlocked(start, size));
}

/* Tries it with a page without access rights, which is never backed and so costs no
 * memory.  mmap fails with EAGAIN if the page would be locked and the process has
 * already locked as much as it may. */
bool mia_os_locks(void) {
  size_t size = mia_os_page_size();
  void *p = mia_os_reserve(size, false);
  if (p == NULL) return errno == EAGAIN;
  bool locks = madvise(p, size, MADV_DONTNEED) != 0 && errno == EINVAL;
  (void)mia_os_release(p, size);
  return locks;
}

/* The kernel refuses MADV_COLD for locked memory; otherwise this advice changes no
 * content.  The empty range tells whether the kernel knows the advice at all. */
bool mia_os_is_locked(void *start) {
  return madvise(start, mia_os_page_size(), COLD) != 0 && errno == EINVAL &&
         madvise(start, 0, COLD) == 0;
}

/* ---- memory tags ---- */

/* The constants of Linux 5.10, which is the first that has them. */
enum {
  HAS_TAGS = 1 << 18, /* HWCAP2_MTE */
  TAGGED = 0x20,      /* PROT_MTE */
  SET_CONTROL = 55,   /* PR_SET_TAGGED_ADDR_CTRL, with: */
  GET_CONTROL = 56,   /* (PR_GET_TAGGED_ADDR_CTRL returns them) */
  ADDRESSES = 1,      /* PR_TAGGED_ADDR_ENABLE, */
  FAULT_AT_ONCE = 2,  /* PR_MTE_TCF_SYNC, */
  FAULT_LATER = 4,    /* (not PR_MTE_TCF_ASYNC), */
  DRAWN_SHIFT = 3     /* and from this bit on the tags that may be drawn: all but 0 */
};

/* What the C library or the program has set stays. */
bool mia_os_begin_tags(void) {
  enum { ALL_BUT_0 = (1 << (1 << MIA_OS_TAG_BITS)) - 2 };
  if (!MIA_MEMORY_TAGS || (getauxval(AT_HWCAP2) & HAS_TAGS) == 0) return false;
  int before = prctl(GET_CONTROL, 0UL, 0UL, 0UL, 0UL);
  unsigned long control = before > 0 ? (unsigned long)before & ~(unsigned long)FAULT_LATER : 0;
  control |= ADDRESSES | FAULT_AT_ONCE | (unsigned long)ALL_BUT_0 << DRAWN_SHIFT;
  return prctl(SET_CONTROL, control, 0UL, 0UL, 0UL) == 0;
}

bool mia_os_allow_tags(void *start, size_t size) {
  return mprotect(start, size, PROT_READ | PROT_WRITE | TAGGED) == 0;
}

/* ---- sizes of pages, and of mappings ---- */

void mia_os_small_pages(void *start, size_t size) {
  /* Fails with EINVAL if the kernel has no transparent huge pages: then it is not needed. */
  (void)madvise(start, size, MADV_NOHUGEPAGE);
}

enum { FREE_LAZILY = 8 }; /* MADV_FREE, since Linux 4.5 */

/* MADV_FREE of a part of a large OS page splits it at once; MADV_DONTNEED leaves that to a time when
 * the system lacks memory. */
void mia_os_split_large_page(void *start) { (void)madvise(start, mia_os_page_size(), FREE_LAZILY); }

void mia_os_large_pages(void *start, size_t size) { (void)madvise(start, size, MADV_HUGEPAGE); }

/* ThreadSanitizer knows mmap and munmap, but not mremap.  Without this, the accesses of the thread that
 * moved its memory away seem to race with those of the thread to which the kernel gives that address
 * next. */
void mia_os_tsan_acquire(void *) __asm__("__tsan_acquire");
void mia_os_tsan_release(void *) __asm__("__tsan_release");
static void *remap(void *start, size_t size, size_t wanted, int flags) {
  if (MIA_TSAN) mia_os_tsan_release((void *)(uintptr_t)mremap);
  void *to = mremap(start, size, wanted, flags, NULL);
  if (MIA_TSAN) mia_os_tsan_acquire((void *)(uintptr_t)mremap);
  return to;
}

/* Unmaps a tail instead of cutting it off by mremap.  The kernel does the same for
 * both, but qemu-user 7.2 (32-bit hosts) would unmap what lies behind the block. */
bool mia_os_resize(void *start, size_t size, size_t wanted) {
  if (wanted < size) return mia_os_release((char *)start + wanted, size - wanted);
  return remap(start, size, wanted, 0) != MAP_FAILED;
}

/* The kernel chooses the place.  If we chose one, the kernel might unmap what is there
 * and then fail. */
void *mia_os_move(void *start, size_t size, size_t wanted) {
  void *to = remap(start, size, wanted, MREMAP_MAYMOVE);
  return to != MAP_FAILED ? to : NULL;
}

/* MREMAP_DONTUNMAP, since Linux 5.7; older kernels refuse it. */
enum { DONT_UNMAP = 4 };

/* To the kernel, mprotect changes nothing here.  But qemu-user 7.2 takes the old range
 * for unmapped until this call. */
void *mia_os_detach(void *start, size_t size) {
  if (mia_os_is_locked(start)) return NULL; /* the range would be unlocked */
  void *to = remap(start, size, size, MREMAP_MAYMOVE | DONT_UNMAP);
  if (to == MAP_FAILED) return NULL;
  (void)mprotect(start, size, PROT_READ | PROT_WRITE);
  return to;
}

/* Tries to purge as well: qemu-user 7.2 never purges a range again that was detached,
 * but reports success. */
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

enum {
  DO_NOT_WAIT = 1, /* GRND_NONBLOCK, since Linux 3.17 */
  GIVEN = 16       /* random bytes that the kernel passes to each program */
};

void mia_os_random(void *bytes, size_t size) {
#ifdef SYS_getrandom
  if (syscall(SYS_getrandom, bytes, size, DO_NOT_WAIT) == (long)size) return;
#endif
  const char *given = (const char *)getauxval(AT_RANDOM);
  for (size_t i = 0; given != NULL && i < size; i++) ((char *)bytes)[i] = given[i % GIVEN];
}

/* Makes the system calls directly: a program may define `open', and allocate there, while the caller
 * has a lock.  And so a thread that was cancelled does not end here. */
static ssize_t read_file(const char *name, char *text, size_t size) {
  int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = (ssize_t)syscall(SYS_read, fd, text, size);
  (void)syscall(SYS_close, fd);
  return n;
}

/* The file reads "123 45 ...": the number of all OS pages, then of the resident ones. */
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

/* ---- NUMA ---- */

/* On some machines the kernel lends the process a function (vDSO) that tells the node, and the C library
 * calls it.  On others getcpu is a system call, and a filter may end a process for a system call that it
 * does not know: there the node is not asked for. */
int mia_os_node(void) {
#if MIA_VDSO_GETCPU
  unsigned node = 0;
  return getcpu(NULL, &node) == 0 ? (int)node : -1;
#else
  return -1;
#endif
}

enum {
  FLAG_SIZE_SHIFT = 26, /* MAP_HUGE_SHIFT */
  POPULATE_WRITE = 23,  /* MADV_POPULATE_WRITE, since Linux 5.14 */
  PREFER = 1,           /* MPOL_PREFERRED */
  NODES = sizeof(unsigned long) * CHAR_BIT
};

/* Errors do not matter: the memory is then somewhat farther away. */
static void prefer_node(void *start, size_t size, int node) {
  const unsigned long mask = node >= 0 && node < NODES ? 1ul << node : 0;
  /* The kernel uses one node less than the argument for their number. */
  if (mask != 0) (void)syscall(SYS_mbind, start, size, PREFER, &mask, NODES + 1ul, 0u);
}

/* Kernels that do not know the advice back each page on its first use, from those that
 * they reserved for the mapping. */
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
