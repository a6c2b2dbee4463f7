/* mialloc/new.h -- definitions of all replaceable forms of operator new and delete.
 *
 * The library defines these operators itself, unless it was configured without override.
 * Without override, or if they must not depend on the order of libraries, include this header
 * in exactly one source file of the program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIALLOC_NEW_H
#define MIALLOC_NEW_H

#ifndef __cplusplus
#error "mialloc/new.h is C++"
#endif

#include <mialloc.h>

#include <cstddef>
#include <new>

void *operator new(std::size_t n) noexcept(false) { return mia_new(n); }
void *operator new[](std::size_t n) noexcept(false) { return mia_new(n); }
void *operator new(std::size_t n, const std::nothrow_t &) noexcept { return mia_new_nothrow(n); }
void *operator new[](std::size_t n, const std::nothrow_t &) noexcept { return mia_new_nothrow(n); }

void operator delete(void *p) noexcept { mia_free(p); }
void operator delete[](void *p) noexcept { mia_free(p); }
void operator delete(void *p, const std::nothrow_t &) noexcept { mia_free(p); }
void operator delete[](void *p, const std::nothrow_t &) noexcept { mia_free(p); }

#if __cplusplus >= 201402L
void operator delete(void *p, std::size_t n) noexcept { mia_free_sized(p, n); }
void operator delete[](void *p, std::size_t n) noexcept { mia_free_sized(p, n); }
#endif

#if __cplusplus >= 201703L
void *operator new(std::size_t n, std::align_val_t a) noexcept(false) {
  return mia_new_aligned(n, static_cast<std::size_t>(a));
}
void *operator new[](std::size_t n, std::align_val_t a) noexcept(false) {
  return mia_new_aligned(n, static_cast<std::size_t>(a));
}
void *operator new(std::size_t n, std::align_val_t a, const std::nothrow_t &) noexcept {
  return mia_new_aligned_nothrow(n, static_cast<std::size_t>(a));
}
void *operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t &) noexcept {
  return mia_new_aligned_nothrow(n, static_cast<std::size_t>(a));
}

void operator delete(void *p, std::align_val_t) noexcept { mia_free(p); }
void operator delete[](void *p, std::align_val_t) noexcept { mia_free(p); }
void operator delete(void *p, std::size_t n, std::align_val_t a) noexcept {
  mia_free_aligned_sized(p, static_cast<std::size_t>(a), n);
}
void operator delete[](void *p, std::size_t n, std::align_val_t a) noexcept {
  mia_free_aligned_sized(p, static_cast<std::size_t>(a), n);
}
void operator delete(void *p, std::align_val_t, const std::nothrow_t &) noexcept { mia_free(p); }
void operator delete[](void *p, std::align_val_t, const std::nothrow_t &) noexcept { mia_free(p); }
#endif

#endif
