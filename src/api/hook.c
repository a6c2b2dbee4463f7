/* hook.c -- functions of the program that the library calls. */
#include "base/prelude.h"

#include "api/hook.h"
#include "api/world.h"
#include "base/fail.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

mia_api_world mia_api_all = {.subprocs = MIA_LOCK_INIT(MIA_RANK_SUBPROCS)};

/* The function goes before its argument changes and comes after: who finds the
 * same function before and after has read its argument. */
static void put(mia_hook *hook, uintptr_t function, void *arg) {
  mia_aword_set(&hook->function, 0);
  mia_aword_set_rel(&hook->arg, (uintptr_t)arg);
  mia_aword_set_rel(&hook->function, function);
}

static uintptr_t get(const mia_hook *hook, void **arg) {
  uintptr_t function = mia_aword_get_acq(&hook->function);
  for (;;) {
    *arg = (void *)mia_aword_get_acq(&hook->arg);
    uintptr_t again = mia_aword_get_acq(&hook->function);
    if (again == function) return function;
    function = again;
  }
}

/* ---- output ---- */

void mia_api_say(mia_output_function *out, void *arg, const char *text) {
  if (out == NULL) out = (mia_output_function *)get(&mia_api_all.output, &arg);
  int error = errno;
  if (out != NULL)
    out(text, arg);
  else
    mia_os_write(MIA_OS_STDERR, text, strlen(text));
  errno = error;
}

bool mia_api_has_output(void) { return mia_aword_get(&mia_api_all.output.function) != 0; }

/* ---- errors ---- */

bool mia_api_tell(int error) {
  void *arg;
  mia_error_function *function = (mia_error_function *)get(&mia_api_all.error, &arg);
  if (function == NULL) return false;
  int kept = errno;
  function(error, arg);
  errno = kept;
  return true;
}

/* The process is about to end. */
static void at_misuse(const char *message) {
  mia_api_say(NULL, NULL, message);
  (void)mia_api_tell(EINVAL);
}

void mia_register_error(mia_error_function *function, void *arg) {
  put(&mia_api_all.error, (uintptr_t)function, arg);
  mia_aword_set(&mia_base_at_misuse, (uintptr_t)at_misuse);
}

void mia_register_output(mia_output_function *out, void *arg) {
  put(&mia_api_all.output, (uintptr_t)out, arg);
  mia_aword_set(&mia_base_at_misuse, (uintptr_t)at_misuse);
}

/* ---- freeing that was put off ---- */

bool mia_api_let_free(mia_local *self, bool force) {
  if (mia_local_is_none(self) || self->deferring) return false;
  void *arg;
  mia_deferred_free_function *function = (mia_deferred_free_function *)get(&mia_api_all.deferred,
                                                                           &arg);
  if (function == NULL) return false;
  int error = errno;
  self->deferring = true;
  function(force, self->heartbeat++, arg);
  self->deferring = false;
  errno = error;
  return true;
}

void mia_register_deferred_free(mia_deferred_free_function *function, void *arg) {
  put(&mia_api_all.deferred, (uintptr_t)function, arg);
}
