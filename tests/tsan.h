/* SPDX-License-Identifier: MIT */
/* tsan.h -- TSAN is 1 in builds with ThreadSanitizer.  Its runtime detaches a thread in the
 * last of the four rounds of key destructors; instrumented code must not run after that. */
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
