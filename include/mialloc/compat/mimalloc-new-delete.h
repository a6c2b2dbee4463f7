/* mialloc/compat/mimalloc-new-delete.h -- mimalloc's name for mialloc/new.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MIMALLOC_NEW_DELETE_H
#define MIMALLOC_NEW_DELETE_H

#ifdef __cplusplus
#include "mimalloc.h"
#include <mialloc/new.h>
#endif

#endif
