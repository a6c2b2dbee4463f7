/* tls.h -- how a thread finds its own.
 *
 * The initial-exec model costs one load and never allocates, but needs room in
 * the static TLS block when the library is opened late: keep what is declared
 * with it down to a pointer. */
#ifndef MIA_OS_TLS_H
#define MIA_OS_TLS_H

#include "base/prelude.h"

#define mia_thread_local _Thread_local MIA_TLS_MODEL

#endif
