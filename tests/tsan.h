/* tsan.h -- TSAN: 1 where ThreadSanitizer watches.  It lets go of a thread in the
 * last of the four turns of destructors: none of its code may run then. */
#ifndef TESTS_TSAN_H
#define TESTS_TSAN_H

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#define TSAN __has_feature(thread_sanitizer)
#else
#define TSAN 0
#endif

#endif
