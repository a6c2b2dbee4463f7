/* tls.h -- the storage class of thread-local variables.
 *
 * The initial-exec model costs one load and never allocates.  But a library that is
 * opened late needs room in the static TLS block for its variables: declare none that
 * is larger than a pointer or so. */
#ifndef MIA_OS_TLS_H
#define MIA_OS_TLS_H

#include "base/prelude.h"

#define mia_thread_local _Thread_local MIA_TLS_MODEL

#endif
