/* SPDX-License-Identifier: MIT */
/* peak.h -- records the largest value that a counter has had. */
#ifndef MIA_BASE_PEAK_H
#define MIA_BASE_PEAK_H

#include "base/atomic.h"

/* Sets *peak to v unless it is at least v already. */
mia_inline void mia_aword_raise(mia_aword *peak, uintptr_t v) {
  uintptr_t was = mia_aword_get(peak);
  while (was < v && !mia_aword_cas(peak, &was, v)) {}
}

#endif
