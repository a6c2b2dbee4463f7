/* mialloc.h -- the public interface of mialloc, a general-purpose allocator.
 *
 * Unless the comment of a function says otherwise:
 *  - Any thread may call it at any time, also before main and after exit has begun.  A block
 *    may be freed by another thread than the one that allocated it.  No function is
 *    async-signal-safe (C's malloc is not either).
 *  - Sizes and alignments are in bytes.
 *  - A block is aligned to 16, or to 8 if its size is at most 8, which suits every object that
 *    fits into it (C23 7.24.3p1).
 *  - A request for 0 bytes returns a distinct block of the smallest size.
 *  - A request that cannot be met, or that exceeds PTRDIFF_MAX, returns NULL and sets errno to
 *    ENOMEM.  Success leaves errno unchanged.
 *  - A pointer argument called `p' is NULL or a block of this library that has not been freed
 *    since.  If the library notices that it is something else, it writes one line to stderr and
 *    ends the process by SIGABRT.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_H
#define MIALLOC_H

#ifdef MIA_RENAMED /* configure --with-prefix; pkg-config and CMake define it */
#include <mialloc/names.h>
#endif

#include <stdbool.h>
#include <stddef.h>

/* The version of this header: major * 10000 + minor * 100 + patch.  mia_version() returns that
 * of the library. */
#define MIA_VERSION 100

/* Attributes of the declarations below, for compilers that support them.  MIA_API: the symbol
 * is public.  MIA_MALLOC: the result is a new block.  MIA_SIZED: the block has as many bytes as
 * argument n says, or n times m.  MIA_ALIGNED: the block is aligned to argument n.
 * MIA_WARN_UNUSED: the caller must use the result. */
#if defined(__GNUC__)
#define MIA_API __attribute__((visibility("default")))
#define MIA_MALLOC __attribute__((malloc))
#define MIA_SIZED(n) __attribute__((alloc_size(n)))
#define MIA_SIZED2(n, m) __attribute__((alloc_size(n, m)))
#define MIA_ALIGNED(n) __attribute__((alloc_align(n)))
#define MIA_WARN_UNUSED __attribute__((warn_unused_result))
#else
/* Other compilers see no attributes. */
#define MIA_API
#define MIA_MALLOC
#define MIA_SIZED(n)
#define MIA_SIZED2(n, m)
#define MIA_ALIGNED(n)
#define MIA_WARN_UNUSED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the four standard functions (C17 7.22.3) -------------------------- */

/* Returns a block of at least `size' bytes.  Its contents are unspecified. */
MIA_API void *mia_malloc(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;

/* Returns a block for `count' objects of `size' bytes, with all bits zero.  Fails with ENOMEM
 * if the product overflows. */
MIA_API void *mia_calloc(size_t count, size_t size) MIA_MALLOC MIA_SIZED2(1, 2) MIA_WARN_UNUSED;

/* Resizes `p' to `size' bytes, in place if that is possible, and returns the block.  The
 * contents are kept up to the smaller of the old and the new size.  If `p' is NULL, allocates a
 * block.  On failure `p' stays valid.  mia_realloc(p, 0) returns a block of the smallest size. */
MIA_API void *mia_realloc(void *p, size_t size) MIA_SIZED(2) MIA_WARN_UNUSED;

/* Frees `p'; does nothing if it is NULL.  Preserves errno (POSIX.1-2024). */
MIA_API void mia_free(void *p);

/* ---- extensions of the standard functions ------------------------------ */

/* Returns a block like mia_malloc, with all bits zero. */
MIA_API void *mia_zalloc(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;

/* mia_realloc to count * size bytes (POSIX.1-2024 reallocarray).  If the product overflows,
 * fails with ENOMEM; `p' stays valid. */
MIA_API void *mia_reallocarray(void *p, size_t count, size_t size) MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* Returns a block for `count' objects of `size' bytes.  Its contents are unspecified.  Fails
 * with ENOMEM if the product overflows. */
MIA_API void *mia_mallocn(size_t count, size_t size) MIA_MALLOC MIA_SIZED2(1, 2) MIA_WARN_UNUSED;

/* mia_realloc that frees `p' if it fails (FreeBSD reallocf). */
MIA_API void *mia_reallocf(void *p, size_t size) MIA_SIZED(2) MIA_WARN_UNUSED;

/* Resizes the block that the pointer at `address' points to, to count * size bytes, and stores
 * the address of the resized block in that pointer (NetBSD reallocarr).  Returns 0 on success,
 * EINVAL if `address' is NULL, or ENOMEM; on failure the pointer and its block are unchanged.
 * Leaves errno unchanged. */
MIA_API int mia_reallocarr(void *address, size_t count, size_t size) MIA_WARN_UNUSED;

/* Makes room for `size' bytes in the block `p' without moving it.  Returns `p' on success;
 * otherwise returns NULL with errno set to ENOMEM and leaves `p' unchanged.  Only a block that
 * has OS pages of its own can grow; no block shrinks.  Returns NULL for NULL. */
MIA_API void *mia_expand(void *p, size_t size) MIA_WARN_UNUSED;

/* mia_realloc for a block that was allocated with all bits zero (by mia_zalloc, calloc, or a
 * function of this group).  All bytes beyond the contents that are kept are zero, to the end of
 * the usable size.  What lay beyond `size' is lost: a block that shrinks and then grows has
 * zeros there. */
MIA_API void *mia_rezalloc(void *p, size_t size) MIA_SIZED(2) MIA_WARN_UNUSED;

/* mia_rezalloc to count * size bytes.  If the product overflows, fails with ENOMEM; `p' stays
 * valid. */
MIA_API void *mia_recalloc(void *p, size_t count, size_t size) MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* Frees `p', which was requested with `size' bytes (C23 7.24.3.4 free_sized).  Another size is
 * misuse; the library notices it in some cases, and then ends the process. */
MIA_API void mia_free_sized(void *p, size_t size);

/* Frees `p', which was requested with `size' bytes and with `alignment' (C23 7.24.3.5
 * free_aligned_sized).  Another size or alignment is misuse; the library notices it in some
 * cases, and then ends the process. */
MIA_API void mia_free_aligned_sized(void *p, size_t alignment, size_t size);

/* ---- aligned blocks ----------------------------------------------------- */

/* Returns a block of at least `size' bytes whose address is a multiple of `alignment', a power
 * of two of at most 1 GiB.  A greater power of two fails with ENOMEM, any other value with
 * EINVAL.  mia_free frees the block; mia_realloc keeps only the default alignment. */
MIA_API void *mia_malloc_aligned(size_t size, size_t alignment) MIA_MALLOC MIA_SIZED(1)
    MIA_ALIGNED(2) MIA_WARN_UNUSED;

/* mia_malloc_aligned with all bits zero. */
MIA_API void *mia_zalloc_aligned(size_t size, size_t alignment) MIA_MALLOC MIA_SIZED(1)
    MIA_ALIGNED(2) MIA_WARN_UNUSED;

/* mia_zalloc_aligned for `count' objects of `size' bytes.  Fails with ENOMEM if the product
 * overflows. */
MIA_API void *mia_calloc_aligned(size_t count, size_t size, size_t alignment)
    MIA_MALLOC MIA_SIZED2(1, 2) MIA_ALIGNED(3) MIA_WARN_UNUSED;

/* mia_realloc whose result is aligned to `alignment', under the rules of mia_malloc_aligned. */
MIA_API void *mia_realloc_aligned(void *p, size_t size, size_t alignment) MIA_SIZED(2)
    MIA_ALIGNED(3) MIA_WARN_UNUSED;

/* mia_realloc_aligned whose result has the usable size that a new block would have.  The other
 * functions may leave a block larger than that, or give it room for the next time that it
 * grows. */
MIA_API void *mia_realloc_exact(void *p, size_t size, size_t alignment) MIA_SIZED(2) MIA_ALIGNED(3)
    MIA_WARN_UNUSED;

/* mia_rezalloc and mia_recalloc whose results are aligned to `alignment', under the rules of
 * mia_malloc_aligned. */
MIA_API void *mia_rezalloc_aligned(void *p, size_t size, size_t alignment) MIA_SIZED(2)
    MIA_ALIGNED(3) MIA_WARN_UNUSED;
MIA_API void *mia_recalloc_aligned(void *p, size_t count, size_t size, size_t alignment)
    MIA_SIZED2(2, 3) MIA_ALIGNED(4) MIA_WARN_UNUSED;

/* The aligned functions for an object behind a header: the byte at `offset', instead of the
 * first byte, is aligned to `alignment'.  Any offset is allowed; if it is not a multiple of
 * `alignment', the block has OS pages of its own. */
MIA_API void *mia_malloc_aligned_at(size_t size, size_t alignment, size_t offset)
    MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_zalloc_aligned_at(size_t size, size_t alignment, size_t offset)
    MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_calloc_aligned_at(size_t count, size_t size, size_t alignment, size_t offset)
    MIA_MALLOC MIA_SIZED2(1, 2) MIA_WARN_UNUSED;
MIA_API void *mia_realloc_aligned_at(void *p, size_t size, size_t alignment, size_t offset)
    MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_rezalloc_aligned_at(void *p, size_t size, size_t alignment, size_t offset)
    MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_recalloc_aligned_at(void *p, size_t count, size_t size, size_t alignment,
                                      size_t offset) MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* aligned_alloc (C23 7.24.3.1).  Returns NULL and sets errno to EINVAL if `alignment' is not a
 * power of two.  `size' need not be a multiple of it. */
MIA_API void *mia_aligned_alloc(size_t alignment, size_t size) MIA_MALLOC MIA_SIZED(2)
    MIA_ALIGNED(1) MIA_WARN_UNUSED;

/* posix_memalign (POSIX.1-2024).  Returns 0 and stores the block in *result.  Returns EINVAL if
 * `alignment' is not a power of two times sizeof(void *), or ENOMEM, and then leaves *result
 * unchanged.  Leaves errno unchanged. */
MIA_API int mia_posix_memalign(void **result, size_t alignment, size_t size) MIA_WARN_UNUSED;

/* memalign (SunOS, glibc).  Takes its arguments in the order of aligned_alloc.  As in glibc, an
 * `alignment' that is not a power of two is rounded up to one. */
MIA_API void *mia_memalign(size_t alignment, size_t size) MIA_MALLOC MIA_SIZED(2) MIA_WARN_UNUSED;

/* valloc (SUSv2) returns a block that is aligned to an OS page.  pvalloc also rounds the size
 * up to whole OS pages. */
MIA_API void *mia_valloc(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_pvalloc(size_t size) MIA_MALLOC MIA_WARN_UNUSED;

/* ---- blocks and their usable size --------------------------------------- */

/* The functions named without `_at_least' (after C++23's allocate_at_least).  They also store
 * the usable size of the block that they return in *usable, or 0 if they return NULL.  `usable'
 * may be NULL. */
MIA_API void *mia_malloc_at_least(size_t size, size_t *usable) MIA_MALLOC MIA_SIZED(1)
    MIA_WARN_UNUSED;
MIA_API void *mia_zalloc_at_least(size_t size, size_t *usable) MIA_MALLOC MIA_SIZED(1)
    MIA_WARN_UNUSED;
MIA_API void *mia_calloc_at_least(size_t count, size_t size, size_t *usable)
    MIA_MALLOC MIA_SIZED2(1, 2) MIA_WARN_UNUSED;
MIA_API void *mia_malloc_aligned_at_least(size_t size, size_t alignment, size_t *usable)
    MIA_MALLOC MIA_SIZED(1) MIA_ALIGNED(2) MIA_WARN_UNUSED;
MIA_API void *mia_zalloc_aligned_at_least(size_t size, size_t alignment, size_t *usable)
    MIA_MALLOC MIA_SIZED(1) MIA_ALIGNED(2) MIA_WARN_UNUSED;

/* mia_realloc that also stores the usable size that `p' had in *before, and that of the result
 * in *after; 0 for NULL.  Both pointers may be NULL. */
MIA_API void *mia_realloc_at_least(void *p, size_t size, size_t *before, size_t *after) MIA_SIZED(2)
    MIA_WARN_UNUSED;

/* Frees `p' and stores the usable size that it had in *usable, unless `usable' is NULL. */
MIA_API void mia_free_usable(void *p, size_t *usable);

/* ---- strings ------------------------------------------------------------ */

/* Return a copy of the string `s', or of its first `n' characters at most (POSIX.1-2024 strdup,
 * strndup).  Return NULL for NULL. */
MIA_API char *mia_strdup(const char *s) MIA_MALLOC MIA_WARN_UNUSED;
MIA_API char *mia_strndup(const char *s, size_t n) MIA_MALLOC MIA_WARN_UNUSED;

/* mia_strdup for a string of wide characters, and for a string in a multibyte encoding. */
MIA_API wchar_t *mia_wcsdup(const wchar_t *s) MIA_MALLOC MIA_WARN_UNUSED;
MIA_API unsigned char *mia_mbsdup(const unsigned char *s) MIA_MALLOC MIA_WARN_UNUSED;

/* Resolves a file name to an absolute one (POSIX.1-2024 realpath).  Stores it in `resolved',
 * which has room for PATH_MAX characters, or in a new block if `resolved' is NULL.  Returns the
 * result; or NULL, with errno set as realpath sets it. */
MIA_API char *mia_realpath(const char *name, char *resolved) MIA_WARN_UNUSED;

/* Stores a copy of the environment variable `name' in *copy, and its size, including the
 * terminator, in *size; `size' may be NULL.  If there is no such variable, stores NULL and 0.
 * Returns 0; or EINVAL if `copy' or `name' is NULL, or ENOMEM.  As safe as getenv if other
 * threads change the environment. */
MIA_API int mia_dupenv_s(char **copy, size_t *size, const char *name);

/* mia_dupenv_s for wide characters; *size counts wide characters.  Also returns EILSEQ if the
 * name or the value cannot be converted in the current locale. */
MIA_API int mia_wdupenv_s(wchar_t **copy, size_t *size, const wchar_t *name);

/* ---- allocation as by operator new -------------------------------------- */

/* mia_malloc, mia_mallocn, mia_malloc_aligned, mia_realloc and mia_reallocarray that never
 * return NULL.  While memory is short they call C++'s new-handler and try again
 * ([new.delete.single]).  If there is no handler they throw std::bad_alloc; in a program
 * without C++ they end the process.  A product that overflows fails at once, without a call of
 * the handler.  An alignment that is not a power of two counts as a shortage of memory. */
MIA_API void *mia_new(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_new_n(size_t count, size_t size) MIA_MALLOC MIA_SIZED2(1, 2) MIA_WARN_UNUSED;
MIA_API void *mia_new_aligned(size_t size, size_t alignment) MIA_MALLOC MIA_SIZED(1) MIA_ALIGNED(2)
    MIA_WARN_UNUSED;
MIA_API void *mia_new_realloc(void *p, size_t size) MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_new_reallocn(void *p, size_t count, size_t size) MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* mia_new and mia_new_aligned that return NULL if memory is short and there is no handler.  An
 * exception that a handler throws leaves them. */
MIA_API void *mia_new_nothrow(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_new_aligned_nothrow(size_t size, size_t alignment) MIA_MALLOC MIA_SIZED(1)
    MIA_ALIGNED(2) MIA_WARN_UNUSED;

/* ---- queries ------------------------------------------------------------ */

/* Returns the number of bytes that may be used at `p', which is at least the size that was
 * requested; 0 for NULL. */
MIA_API size_t mia_usable_size(const void *p);

/* Returns the usable size that a request for `size' bytes would have if memory suffices.
 * Returns `size' if no such request is ever met (beyond PTRDIFF_MAX). */
MIA_API size_t mia_good_size(size_t size);

/* mia_good_size for mia_malloc_aligned.  Returns `size' if `alignment' is not a power of two. */
MIA_API size_t mia_good_size_aligned(size_t size, size_t alignment);

/* Returns true if `p', which may be any pointer, points to or into a block of this library, in
 * use or free. */
MIA_API bool mia_any_heap_contains(const void *p);

/* Returns true if `p', which may be any pointer, lies in address space of the library's arenas
 * or points into a block. */
MIA_API bool mia_is_in_heap_region(const void *p);

/* Returns the largest power of two that divides the address `p'; 0 for NULL (C23 7.24.3.8
 * memalignment).  `p' may be any pointer. */
MIA_API size_t mia_memalignment(const void *p);

/* Returns true if malloc is this library's. */
MIA_API bool mia_is_overriding(void);

/* Return MIA_VERSION of the library that runs, as a number and as text ("0.1.0"). */
MIA_API int mia_version(void);
MIA_API const char *mia_version_string(void);

/* ---- threads and memory ------------------------------------------------- */

/* Creates the calling thread's heap now instead of at its first allocation. */
MIA_API void mia_thread_init(void);

/* Gives up the calling thread's heap now instead of when the thread ends.  Its empty pages
 * return to the arenas; its pages with live blocks become available to other threads.  If the
 * thread allocates again, it gets a new heap.  Does nothing within an output function or
 * a deferred-free function (mia_register_output). */
MIA_API void mia_thread_done(void);

/* Collects the blocks of the calling thread's heap that other threads have freed, and returns
 * its empty pages to the arenas.  First calls the function that mia_register_deferred_free
 * registered.  If `force' is true, also does what mia_purge does. */
MIA_API void mia_collect(bool force);

/* Returns to the OS, at once, the memory of all OS pages that hold no block.  This includes the
 * pages that sleeping threads keep in reserve, but not the page of each size class that such a
 * thread allocates from, not up to 32 others of the class of which it has freed blocks and others
 * the rest, and not the large block that it freed last if that is of up to 128 KiB: these return
 * when the thread calls mia_collect, or ends.  The library's own metadata of heaps,
 * threads and huge blocks stays for reuse, and the address space of arenas stays reserved.
 * Returns true if it returned any memory. */
MIA_API bool mia_purge(void);

/* Writes the statistics that MIALLOC_SHOW_STATS=1 writes at exit, to stderr or to the function
 * that mia_register_output registered.  mialloc/stats.h provides them as a structure. */
MIA_API void mia_stats_print(void);

/* ---- functions that the program registers ------------------------------- */

/* Receives text that the library writes: one or more whole lines, each ending in a newline.  A
 * text of many lines may come in several calls. */
typedef void mia_output_function(const char *text, void *arg);

/* Receives an error: ENOMEM for an allocation that failed, or EINVAL for misuse, which ends the
 * process when the function returns. */
typedef void mia_error_function(int error, void *arg);

/* May free blocks whose freeing the program has deferred.  `force' is true if memory is short
 * or mia_collect was called with it.  `heartbeat' counts the calls in this thread. */
typedef void mia_deferred_free_function(bool force, unsigned long long heartbeat, void *arg);

/* Registers the function that receives messages and printed statistics instead of stderr; NULL
 * restores stderr.
 *
 * All three kinds of registered functions run in whichever thread has a reason to call them.
 * The library holds no lock during the call, so the function may allocate.  A change of errno
 * is undone.  The cancellation of the thread is deferred until the function has returned.  When
 * a register function returns, the function that was registered before may still be running in
 * another thread. */
MIA_API void mia_register_output(mia_output_function *out, void *arg);

/* Registers the function that receives errors; NULL registers none. */
MIA_API void mia_register_error(mia_error_function *function, void *arg);

/* Registers the function that is called now and then from within an allocation, when a thread
 * needs more blocks of a size, but never from within itself; NULL registers none. */
MIA_API void mia_register_deferred_free(mia_deferred_free_function *function, void *arg);

/* ---- options ------------------------------------------------------------ */

/* What a program can set.  In the environment, the variable of an option is MIALLOC_ followed
 * by the name in capital letters; see mialloc(7).  The numbers do not change between versions. */
typedef enum mia_option {
  MIA_OPTION_NONE = -1, /* no option */
  MIA_OPTION_SHOW_STATS = 0,
  MIA_OPTION_STATS_JSON = 1,
  MIA_OPTION_SHOW_ERRORS = 2,
  MIA_OPTION_VERBOSE = 3,
  MIA_OPTION_MAX_WARNINGS = 4,
  MIA_OPTION_ABORT_ON_OOM = 5,
  MIA_OPTION_PURGE_DELAY = 6,
  MIA_OPTION_RESERVE_MEMORY = 7,
  MIA_OPTION_LIMIT = 8,
  MIA_OPTION_BACKGROUND_PURGE = 9,
  MIA_OPTION_LARGE_PAGES = 10,
  MIA_OPTION_RESERVE_HUGE_PAGES = 11,
  MIA_OPTION_RESERVE_HUGE_PAGES_AT = 12,
  MIA_OPTION_THP = 13,
  MIA_OPTION_SECURE = 14,
  MIA_OPTION_ON_MISUSE = 15,
  MIA_OPTION_COUNT /* how many this header has; grows with each new option */
} mia_option;

/* How a value is written.  A switch: on, yes, true or 1; off, no, false or 0.  A number: a
 * decimal integer.  A size: a number of bytes, or of KiB, MiB, GiB or TiB if K, M, G or T
 * follows it.  A word: one of those that the unit lists; the value is its place, from 0 on. */
typedef enum mia_option_type {
  MIA_OPTION_IS_SWITCH,
  MIA_OPTION_IS_NUMBER,
  MIA_OPTION_IS_SIZE,
  MIA_OPTION_IS_WORD
} mia_option_type;

/* The description of an option; mia_option_get returns its value. */
typedef struct mia_option_info {
  const char *name;     /* in lower case, without MIALLOC_ */
  const char *unit;     /* "ms", "KiB" of a size, "no|yes" of a word, or "" */
  mia_option_type type; /* how a value is written */
  long min;             /* the smallest value ... */
  long max;             /* ... and the greatest */
  long default_value;   /* the value if none was set */
  const char *meaning;  /* a short description */
} mia_option_info;

/* Returns the value of an option, in its unit; 0 if the option does not exist. */
MIA_API long mia_option_get(mia_option option);

/* Sets the value of an option from now on; the second function only if neither the environment
 * nor the program has set it.  An option that is read when the library begins (mialloc(7)) gets
 * the value too, but nothing reads it any more.  Returns false, sets errno to EINVAL and changes
 * nothing if the value is out of range or the option does not exist, and if MIA_OPTION_SECURE, which
 * says in which tier the process is, would change. */
MIA_API bool mia_option_set(mia_option option, long value);
MIA_API bool mia_option_set_default(mia_option option, long value);

/* mia_option_set with the name and the value written as in the environment.  Also returns false
 * with EINVAL if the value cannot be parsed. */
MIA_API bool mia_option_set_text(const char *name, const char *value);

/* Returns true if the environment or the program has set the option. */
MIA_API bool mia_option_is_set(mia_option option);

/* Returns the option with that name, with or without MIALLOC_, in upper or lower case;
 * MIA_OPTION_NONE if there is none. */
MIA_API mia_option mia_option_find(const char *name);

/* Returns the description of an option; NULL if the option does not exist. */
MIA_API const mia_option_info *mia_option_describe(mia_option option);

/* Write all options and their values, to `out'.  The first function, and the second if `out' is
 * NULL, writes to stderr or to the function that mia_register_output registered. */
MIA_API void mia_options_print(void);
MIA_API void mia_options_print_out(mia_output_function *out, void *arg);

#ifdef __cplusplus
}
#endif
#endif
