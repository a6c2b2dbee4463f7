/* mialloc.h -- the public interface of mialloc, a general-purpose allocator.
 *
 * True of every function here unless its own comment says otherwise:
 *  - it may be called from any thread at any time, also before main and after
 *    exit has begun; a block may be freed by another thread than the one that
 *    allocated it; it is not async-signal-safe (neither is C's malloc);
 *  - sizes and alignments are in bytes;
 *  - a block is aligned to 16, or to 8 where its size is at most 8, which suits
 *    every object that fits into it (C23 7.24.3p1);
 *  - a request for 0 bytes returns a distinct block of the smallest size;
 *  - a request that cannot be met, or that exceeds PTRDIFF_MAX, returns NULL
 *    with errno set to ENOMEM; errno is left alone on success;
 *  - a pointer argument called `p' is NULL or came from this library and has
 *    not been freed since; anything else that is noticed ends the process with
 *    one line on stderr and SIGABRT.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_H
#define MIALLOC_H

#ifdef MIA_RENAMED /* by configure --with-prefix; pkg-config and CMake define it */
#include <mialloc/names.h>
#endif

#include <stdbool.h>
#include <stddef.h>

/* major * 10000 + minor * 100 + patch of the header; see mia_version(). */
#define MIA_VERSION 100

/* What declarations say to a compiler that understands it: the symbol is public; a
 * result is a new block, which must not be ignored, of so many bytes (argument n,
 * or n times m), at a multiple of argument n. */
#if defined(__GNUC__)
#define MIA_API __attribute__((visibility("default")))
#define MIA_MALLOC __attribute__((malloc))
#define MIA_SIZED(n) __attribute__((alloc_size(n)))
#define MIA_SIZED2(n, m) __attribute__((alloc_size(n, m)))
#define MIA_ALIGNED(n) __attribute__((alloc_align(n)))
#define MIA_WARN_UNUSED __attribute__((warn_unused_result))
#else
/* To others, nothing. */
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

/* ---- the standard four (C17 7.22.3) ------------------------------------ */

/* A block of at least `size' bytes, contents unspecified. */
MIA_API void *mia_malloc(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;

/* A block for `count' objects of `size' bytes, all bits zero.  A product that
 * overflows is ENOMEM. */
MIA_API void *mia_calloc(size_t count, size_t size) MIA_MALLOC MIA_SIZED2(1, 2) MIA_WARN_UNUSED;

/* Resizes `p' to `size' bytes, in place where that is possible; the contents up
 * to the smaller of both sizes are kept.  NULL for `p' allocates.  On failure
 * `p' stays valid.  mia_realloc(p, 0) returns a block of the smallest size. */
MIA_API void *mia_realloc(void *p, size_t size) MIA_SIZED(2) MIA_WARN_UNUSED;

/* Frees `p'; NULL does nothing.  errno is kept (POSIX.1-2024). */
MIA_API void mia_free(void *p);

/* ---- the same with a twist --------------------------------------------- */

/* mia_malloc with all bits zero. */
MIA_API void *mia_zalloc(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;

/* mia_realloc to count * size bytes; a product that overflows is ENOMEM and
 * leaves `p' valid (POSIX.1-2024 reallocarray). */
MIA_API void *mia_reallocarray(void *p, size_t count, size_t size) MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* A block for `count' objects of `size' bytes, contents unspecified; a product
 * that overflows is ENOMEM. */
MIA_API void *mia_mallocn(size_t count, size_t size) MIA_MALLOC MIA_SIZED2(1, 2) MIA_WARN_UNUSED;

/* mia_realloc that frees `p' where it fails (FreeBSD reallocf). */
MIA_API void *mia_reallocf(void *p, size_t size) MIA_SIZED(2) MIA_WARN_UNUSED;

/* Resizes the block that the pointer at `address' points to, to count * size
 * bytes, and stores where it is then (NetBSD reallocarr).  0; or EINVAL where
 * `address' is NULL, or ENOMEM, with the pointer and its block as they were.
 * errno is left alone. */
MIA_API int mia_reallocarr(void *address, size_t count, size_t size) MIA_WARN_UNUSED;

/* `p' itself if its block can have `size' bytes where it is, else NULL and
 * ENOMEM, with `p' as it was.  Only a block that has OS pages of its own grows;
 * none shrinks.  NULL for NULL. */
MIA_API void *mia_expand(void *p, size_t size) MIA_WARN_UNUSED;

/* mia_realloc for a block that was zero when it came (from mia_zalloc, calloc,
 * or one of these): all that is beyond the contents kept is zero, to the end of
 * the usable size.  What lay beyond `size' is lost: a block that shrinks and
 * grows again has zeros there. */
MIA_API void *mia_rezalloc(void *p, size_t size) MIA_SIZED(2) MIA_WARN_UNUSED;

/* The same for count * size bytes; overflow is ENOMEM and leaves `p' valid. */
MIA_API void *mia_recalloc(void *p, size_t count, size_t size) MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* Frees a block whose requested size the caller knows (C23 7.24.3.4).  A size
 * that the block cannot have had is misuse. */
MIA_API void mia_free_sized(void *p, size_t size);

/* Frees a block from an aligned form (C23 7.24.3.5), likewise. */
MIA_API void mia_free_aligned_sized(void *p, size_t alignment, size_t size);

/* ---- aligned blocks ------------------------------------------------------ */

/* A block of at least `size' bytes at a multiple of `alignment', a power of two
 * of at most 1 GiB (more is ENOMEM); another `alignment' is EINVAL.  Free it
 * with mia_free; mia_realloc keeps only the default alignment. */
MIA_API void *mia_malloc_aligned(size_t size, size_t alignment) MIA_MALLOC MIA_SIZED(1)
    MIA_ALIGNED(2) MIA_WARN_UNUSED;

/* The same with all bits zero. */
MIA_API void *mia_zalloc_aligned(size_t size, size_t alignment) MIA_MALLOC MIA_SIZED(1)
    MIA_ALIGNED(2) MIA_WARN_UNUSED;

/* The same for `count' objects of `size' bytes; overflow is ENOMEM. */
MIA_API void *mia_calloc_aligned(size_t count, size_t size, size_t alignment)
    MIA_MALLOC MIA_SIZED2(1, 2) MIA_ALIGNED(3) MIA_WARN_UNUSED;

/* mia_realloc whose result is at a multiple of `alignment' (as above). */
MIA_API void *mia_realloc_aligned(void *p, size_t size, size_t alignment) MIA_SIZED(2)
    MIA_ALIGNED(3) MIA_WARN_UNUSED;

/* The same, and the usable size is what a new block's would be: others may leave a
 * block larger, or make it so for the next time that it grows. */
MIA_API void *mia_realloc_exact(void *p, size_t size, size_t alignment) MIA_SIZED(2) MIA_ALIGNED(3)
    MIA_WARN_UNUSED;

/* mia_rezalloc and mia_recalloc likewise. */
MIA_API void *mia_rezalloc_aligned(void *p, size_t size, size_t alignment) MIA_SIZED(2)
    MIA_ALIGNED(3) MIA_WARN_UNUSED;
MIA_API void *mia_recalloc_aligned(void *p, size_t count, size_t size, size_t alignment)
    MIA_SIZED2(2, 3) MIA_ALIGNED(4) MIA_WARN_UNUSED;

/* The same six with the byte at `offset', instead of the first one, at a multiple
 * of `alignment': for an object behind a header.  Any offset; where it is no
 * multiple of `alignment' the block has OS pages of its own. */
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

/* aligned_alloc (C23 7.24.3.1): `alignment' a power of two, else NULL and
 * EINVAL; `size' need not be a multiple of it. */
MIA_API void *mia_aligned_alloc(size_t alignment, size_t size) MIA_MALLOC MIA_SIZED(2)
    MIA_ALIGNED(1) MIA_WARN_UNUSED;

/* posix_memalign (POSIX.1-2024): 0 and the block in *result; or EINVAL where
 * `alignment' is not a power of two times sizeof(void *), or ENOMEM, with
 * *result and errno left alone. */
MIA_API int mia_posix_memalign(void **result, size_t alignment, size_t size) MIA_WARN_UNUSED;

/* memalign (SunOS, glibc): the argument order of aligned_alloc.  As in glibc an
 * `alignment' that is no power of two is rounded up to one. */
MIA_API void *mia_memalign(size_t alignment, size_t size) MIA_MALLOC MIA_SIZED(2) MIA_WARN_UNUSED;

/* valloc (SUSv2): aligned to an OS page.  pvalloc: the size is also rounded up
 * to whole OS pages. */
MIA_API void *mia_valloc(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_pvalloc(size_t size) MIA_MALLOC MIA_WARN_UNUSED;

/* ---- blocks and their real size ---------------------------------------------- */

/* The forms above, which also store the usable size of the block that they
 * return in *usable; 0 where they return NULL.  `usable' may be NULL. */
MIA_API void *mia_umalloc(size_t size, size_t *usable) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_uzalloc(size_t size, size_t *usable) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_ucalloc(size_t count, size_t size, size_t *usable) MIA_MALLOC MIA_SIZED2(1, 2)
    MIA_WARN_UNUSED;
MIA_API void *mia_umalloc_aligned(size_t size, size_t alignment, size_t *usable)
    MIA_MALLOC MIA_SIZED(1) MIA_ALIGNED(2) MIA_WARN_UNUSED;
MIA_API void *mia_uzalloc_aligned(size_t size, size_t alignment, size_t *usable)
    MIA_MALLOC MIA_SIZED(1) MIA_ALIGNED(2) MIA_WARN_UNUSED;

/* mia_realloc; *before is the usable size that `p' had (0 for NULL), *after that
 * of the result (0 for NULL).  Both may be NULL. */
MIA_API void *mia_urealloc(void *p, size_t size, size_t *before, size_t *after) MIA_SIZED(2)
    MIA_WARN_UNUSED;

/* Frees `p' and stores the usable size that it had in *usable, if that is not
 * NULL. */
MIA_API void mia_ufree(void *p, size_t *usable);

/* ---- strings -------------------------------------------------------------------- */

/* A copy of the string `s', of its first `n' characters at most; NULL for NULL
 * (POSIX.1-2024 strdup, strndup). */
MIA_API char *mia_strdup(const char *s) MIA_MALLOC MIA_WARN_UNUSED;
MIA_API char *mia_strndup(const char *s, size_t n) MIA_MALLOC MIA_WARN_UNUSED;

/* The same of wide characters, and of bytes in some multibyte encoding. */
MIA_API wchar_t *mia_wcsdup(const wchar_t *s) MIA_MALLOC MIA_WARN_UNUSED;
MIA_API unsigned char *mia_mbsdup(const unsigned char *s) MIA_MALLOC MIA_WARN_UNUSED;

/* The absolute name of a file (POSIX.1-2024 realpath), in `resolved', which then
 * has room for PATH_MAX characters, or, where that is NULL, in a block; NULL and
 * errno as realpath sets it. */
MIA_API char *mia_realpath(const char *name, char *resolved) MIA_WARN_UNUSED;

/* A copy of the environment variable `name' in *copy, and its size with the
 * terminator in *size, which may be NULL; NULL and 0 where there is no such
 * variable.  0, or EINVAL where `copy' or `name' is NULL, or ENOMEM.  As safe
 * beside threads as getenv. */
MIA_API int mia_dupenv_s(char **copy, size_t *size, const char *name);

/* The same with wide characters, *size counting those; EILSEQ where the name or
 * the value has no form in the other encoding of the current locale. */
MIA_API int mia_wdupenv_s(wchar_t **copy, size_t *size, const wchar_t *name);

/* ---- as operator new ---------------------------------------------------------------- */

/* mia_malloc, mia_mallocn, mia_malloc_aligned, mia_realloc and mia_reallocarray
 * that never return NULL: while memory is short they call C++'s new-handler and
 * try again; where there is none they throw std::bad_alloc, and in a program
 * without C++ end the process.  A result that overflows is such a failure at
 * once.  With an alignment that is no power of two likewise. */
MIA_API void *mia_new(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_new_n(size_t count, size_t size) MIA_MALLOC MIA_SIZED2(1, 2) MIA_WARN_UNUSED;
MIA_API void *mia_new_aligned(size_t size, size_t alignment) MIA_MALLOC MIA_SIZED(1) MIA_ALIGNED(2)
    MIA_WARN_UNUSED;
MIA_API void *mia_new_realloc(void *p, size_t size) MIA_SIZED(2) MIA_WARN_UNUSED;
MIA_API void *mia_new_reallocn(void *p, size_t count, size_t size) MIA_SIZED2(2, 3) MIA_WARN_UNUSED;

/* The same that return NULL where no handler is left. */
MIA_API void *mia_new_nothrow(size_t size) MIA_MALLOC MIA_SIZED(1) MIA_WARN_UNUSED;
MIA_API void *mia_new_aligned_nothrow(size_t size, size_t alignment) MIA_MALLOC MIA_SIZED(1)
    MIA_ALIGNED(2) MIA_WARN_UNUSED;

/* ---- asking ---------------------------------------------------------------- */

/* The number of bytes that may be used at `p', at least what was asked for; 0
 * for NULL. */
MIA_API size_t mia_usable_size(const void *p);

/* The usable size that a request for `size' bytes would have, if there is memory for
 * it; `size' itself where no request for so much is ever met (beyond PTRDIFF_MAX). */
MIA_API size_t mia_good_size(size_t size);

/* The same of mia_malloc_aligned. */
MIA_API size_t mia_good_size_aligned(size_t size, size_t alignment);

/* Whether `p', which may be any pointer, points to or into a block of this library,
 * which may be in use or free; what it does not know as its own is not. */
MIA_API bool mia_any_heap_contains(const void *p);

/* Whether `p', which may be any pointer, lies in address space that the library
 * has, or points into a block. */
MIA_API bool mia_is_in_heap_region(const void *p);

/* The largest power of two that the address `p' is a multiple of; 0 for NULL
 * (C23 7.24.3.8 memalignment).  `p' may be any pointer. */
MIA_API size_t mia_memalignment(const void *p);

/* Whether malloc is this library's. */
MIA_API bool mia_is_overriding(void);

/* MIA_VERSION of the library that runs, and the same as text ("0.1.0"). */
MIA_API int mia_version(void);
MIA_API const char *mia_version_string(void);

/* ---- threads and memory ------------------------------------------------------ */

/* Makes the calling thread's heap now instead of at its first allocation. */
MIA_API void mia_thread_init(void);

/* Gives the calling thread's heap back now instead of at its end: its empty
 * pages return to the arenas, those with live blocks to whoever needs them.
 * The thread may go on to allocate, which makes a new heap. */
MIA_API void mia_thread_done(void);

/* Gathers what other threads freed into the calling thread's heap and returns
 * its empty pages to the arenas.  With `force' also what mia_purge does. */
MIA_API void mia_collect(bool force);

/* Returns to the OS, at once, the memory of all OS pages in which no block lies; also
 * what sleeping threads had kept in reserve.  What describes heaps, threads and huge
 * blocks stays, for the next ones, and the address space of arenas stays reserved.
 * True if anything was returned. */
MIA_API bool mia_purge(void);

/* Writes the statistics that MIALLOC_SHOW_STATS=1 shows at exit where messages
 * go.  mialloc/stats.h has them as a structure. */
MIA_API void mia_stats_print(void);

/* ---- what a program may register -------------------------------------------------- */

/* Gets text that the library writes: whole lines, one or more, each ending in a
 * newline.  What has many lines comes in several calls. */
typedef void mia_output_function(const char *text, void *arg);

/* Gets told of an error: ENOMEM for an allocation that failed, EINVAL for misuse
 * that ends the process when the function returns. */
typedef void mia_error_function(int error, void *arg);

/* May free blocks that the program put off freeing.  `force': memory is short,
 * or mia_collect was told so; `heartbeat' counts the calls in this thread. */
typedef void mia_deferred_free_function(bool force, unsigned long long heartbeat, void *arg);

/* Registers the function that takes messages and printed statistics instead of
 * stderr; NULL: stderr again.  True of all three: the library holds no lock when
 * it calls the function, in whatever thread has a reason to, so that it may
 * allocate; what changes errno is undone; a thread that is cancelled goes on until the
 * function has returned.  The function that was registered
 * before may be running in another thread when these return. */
MIA_API void mia_register_output(mia_output_function *out, void *arg);

/* Registers the function that is told of errors; NULL: nobody. */
MIA_API void mia_register_error(mia_error_function *function, void *arg);

/* Registers the function that is called now and then, from within an allocation
 * when a thread needs more blocks of a size, but not from within itself; NULL:
 * none. */
MIA_API void mia_register_deferred_free(mia_deferred_free_function *function, void *arg);

/* ---- options ------------------------------------------------------------------------- */

/* What can be set, also in the environment, as MIALLOC_ and the name in capital
 * letters; see mialloc(7).  The numbers do not change between versions. */
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
  MIA_OPTION_COUNT /* how many this header has; there is a larger one with each */
} mia_option;

/* How a value is written: on, yes, true or 1, or off, no, false or 0; a number;
 * a number of bytes, or of KiB, MiB and so on with K, M, G or T behind it. */
typedef enum mia_option_type {
  MIA_OPTION_IS_SWITCH,
  MIA_OPTION_IS_NUMBER,
  MIA_OPTION_IS_SIZE
} mia_option_type;

/* All that there is to know about an option but its value. */
typedef struct mia_option_info {
  const char *name;     /* in small letters, without MIALLOC_ */
  const char *unit;     /* of the value: "ms", "KiB" for every size, or "" */
  mia_option_type type; /* how a value is written */
  long least;           /* the smallest value ... */
  long most;            /* ... and the largest */
  long standard;        /* the value where none was given */
  const char *meaning;  /* in a few words */
} mia_option_info;

/* The value of an option, in its unit; 0 for an option that does not exist. */
MIA_API long mia_option_get(mia_option option);

/* Gives an option a value, from now on; the second form only if neither the
 * environment nor the program gave it one.  False and EINVAL, with nothing
 * changed, where the value is out of range or there is no such option. */
MIA_API bool mia_option_set(mia_option option, long value);
MIA_API bool mia_option_set_default(mia_option option, long value);

/* mia_option_set with the name and the value as in the environment; false and
 * EINVAL also where the value cannot be read. */
MIA_API bool mia_option_set_text(const char *name, const char *value);

/* Whether the environment or the program gave the option a value. */
MIA_API bool mia_option_is_given(mia_option option);

/* The option of a name, with or without MIALLOC_, in capital or small letters;
 * MIA_OPTION_NONE if there is none. */
MIA_API mia_option mia_option_find(const char *name);

/* What there is to know about an option; NULL for one that does not exist. */
MIA_API const mia_option_info *mia_option_about(mia_option option);

/* Writes all options and their values: to `out', or, if that is NULL and for the
 * first form, where messages go. */
MIA_API void mia_options_print(void);
MIA_API void mia_options_print_out(mia_output_function *out, void *arg);

#ifdef __cplusplus
}
#endif
#endif
